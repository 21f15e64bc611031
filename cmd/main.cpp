// The way of every run: parse, load the configuration, call the command, print its Report, leave with its code.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>

#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/console.h"
#include "cmd/help.h"
#include "cmd/signals.h"
#include "core/base/fault.h"
#include "core/base/retry.h"
#include "core/base/text.h"
#include "core/config/layers.h"
#include "core/report/live_progress.h"
#include "core/report/render.h"

namespace ysdb {
namespace {

std::string render(const Report& report, OutputFormat format, const TextStyle& style) {
    switch (format) {
        case OutputFormat::text:
            return render_text(report, style);
        case OutputFormat::json:
            return render_json(report);
        case OutputFormat::csv:
            return render_csv(report);
        case OutputFormat::html:
            return render_html(report);
    }
    return {};
}

int show(const Report& report, const GlobalOptions& globals, const Environment& environment) {
    if (globals.output != OutputFormat::json) {
        write_out(STDERR_FILENO, render_warnings(report, style_of(STDERR_FILENO, environment, globals.no_color)));
    }
    const int out = report.beside_data ? STDERR_FILENO : STDOUT_FILENO;
    const int failed = write_out(out, render(report, globals.output, style_of(out, environment, globals.no_color)));
    // A reader that has seen enough (head) is no failure; a full disk is.
    if (failed != 0 && failed != EPIPE)
        throw Error(Code::internal, std::string("cannot write the result: ") + std::strerror(failed));
    return static_cast<int>(report.code);
}

int show(const Error& error, OutputFormat format) {
    if (format == OutputFormat::json) write_out(STDOUT_FILENO, render_json(error));
    write_out(STDERR_FILENO, "ysdb: " + error.message() + "\n" + error.excerpt() + (error.hint().empty() ? "" : "hint: " + error.hint() + "\n"));
    return static_cast<int>(error.code());
}

Error defect(const std::string& what) {
    return Error(Code::internal, "internal error: " + what, "this is a defect in ysdb; please report it with the command");
}

Config load(const CommandSpec& command, const GlobalOptions& globals, const Environment& environment) {
    if (!command.needs_config) {
        Config config;
        if (globals.timeout) config.run.timeout = parse_duration(*globals.timeout, "--timeout");
        config.run.log_json = globals.log_format == "json";
        return config;
    }
    ConfigSources sources;
    sources.environment = environment;
    sources.file = globals.config_file;
    sources.working_directory = std::filesystem::current_path();
    if (globals.timeout) sources.flags["run.timeout"] = {"--timeout", *globals.timeout};
    if (globals.log_format) sources.flags["log.format"] = {"--log-format", *globals.log_format};
    Config config = load_config(sources);
    if (!command.reads_bad_config) require_good_config(config);
    return config;
}

// Names this run on servers and in journals: the time sorts, the process tells apart.
std::string new_run_id() { return std::to_string(unix_micros_now()) + "_" + std::to_string(getpid()); }

// What the command shows, again and again until it is interrupted. A terminal is cleared before each time.
Report watch(const CommandLine& line, const Environment& environment, const Signals& signals, Millis every, const std::function<Report()>& look) {
    const bool clears = line.globals.output == OutputFormat::text && style_of(STDOUT_FILENO, environment, line.globals.no_color).width > 0;
    while (true) {
        const Report report = look();
        if (clears) write_out(STDOUT_FILENO, "\033[H\033[2J");
        show(report, line.globals, environment);
        if (!pause_for(every, signals.token())) throw Error(Code::interrupted, "interrupted");
    }
}

Report run_command_line(const CommandLine& line, const Environment& environment, const Signals& signals) {
    const CommandSpec& command = *line.path.back();
    const GlobalOptions& globals = line.globals;
    const Config config = load(command, globals, environment);
    const TextStyle style = style_of(STDERR_FILENO, environment, globals.no_color);
    const LogFormat log_format = config.run.log_json ? LogFormat::json : LogFormat::text;
    Log log(globals.quiet ? LogLevel::warn : globals.verbose ? LogLevel::debug : LogLevel::info, log_format, style.color);
    for (const std::string& warning : config.warnings) log.warn("config", {{"message", warning}});

    const bool terminal =
        style.width > 0 && log_format == LogFormat::text && environment.count("TERM") != 0 && environment.at("TERM") != "dumb";
    NoProgress no_progress;
    LiveProgress live(log, terminal ? std::optional(LiveProgress::Terminal{
                                          [](std::string_view text) { write_out(STDERR_FILENO, text); }, style.width})
                                    : std::nullopt);
    if (terminal) log.before_each_line([&live] { live.clear_line(); });

    Stores stores(config);
    ProgressSink& progress = globals.quiet ? static_cast<ProgressSink&>(no_progress) : live;
    Context context{
        config, stores, log, progress, signals.token(), config.run.timeout, new_run_id(), line.invocation.has("--dry-run")};
    TerminalOperator person(line.invocation, style);
    const auto run = [&] { return command.run(line.invocation, context, person); };
    if (line.invocation.has("--watch")) return watch(line, environment, signals, std::max(*line.invocation.duration("--watch"), Millis(100)), run);
    return run();
}

int run_program(const std::vector<std::string>& arguments) {
    const OutputFormat format = output_format_of(arguments);
    Signals signals;
    int code = 0;
    try {
        const Environment environment = read_environment();
        if (const auto fault = environment.find("YSDB_FAULT"); fault != environment.end()) fault::arm(fault->second);
        const CommandSpec program = program_spec();
        const CommandLine line = parse_command_line(program, arguments);
        if (line.globals.version) {
            write_out(STDOUT_FILENO, "ysdb " YSDB_VERSION "\n");
        } else if (line.globals.help || !line.path.back()->run) {
            code = show(help_report(line.path), line.globals, environment);
            if (!line.globals.help) code = static_cast<int>(Code::usage);
        } else {
            code = show(run_command_line(line, environment, signals), line.globals, environment);
        }
    } catch (const Error& error) {
        code = show(error, format);
    } catch (const std::exception& error) {
        code = show(defect(error.what()), format);
    } catch (...) {
        code = show(defect("an exception without a name"), format);
    }
    const bool stopped = code == static_cast<int>(Code::interrupted);
    return stopped && signals.received() != 0 ? 128 + signals.received() : code;
}

}  // namespace
}  // namespace ysdb

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
        std::puts("ysdb " YSDB_VERSION);
        return 0;
    }
    const int code = ysdb::run_program({argv + 1, argv + argc});
    // Without the destructors of libraries: the embedded ClickHouse engine does not survive them.
    std::fflush(nullptr);
    _exit(code);
}
