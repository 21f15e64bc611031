#include "core/lab/lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "cmd/commands.h"
#include "cmd/console.h"
#include "cmd/lab_places.h"
#include "core/base/retry.h"
#include "core/base/text.h"
#include "core/lab/env.h"
#include "core/lab/fetch.h"
#include "core/lab/recipe.h"

namespace ysdb {

namespace {

using lab::Lab;
using lab::ServerState;
using lab::ServerStatus;

Lab lab_of(const Invocation& invocation) {
    return Lab({invocation.text_or("--dir", default_lab_dir()), invocation.text_or("--cache", default_cache_dir()), own_program()});
}

std::string server_name(const Invocation& invocation) {
    const std::string name = invocation.argument(0).value_or("");
    lab::recipe(name);
    return name;
}

void add_servers(Report& report, const std::vector<ServerStatus>& servers) {
    Table& table = report.add_table("servers", "", {{"server", Unit::none, ""}, {"state", Unit::none, ""}, {"version", Unit::none, ""},
                                                    {"pid", Unit::none, ""}, {"memory", Unit::bytes, ""}, {"ready_in", Unit::seconds, "ready in"},
                                                    {"url", Unit::none, ""}});
    for (const ServerStatus& each : servers) {
        const auto known = [](bool yes, Value value) { return yes ? value : Value{}; };
        table.rows.push_back({each.name, std::string(name_of(each.state)), known(!each.version.empty(), each.version),
                              known(each.pid != 0, std::int64_t{each.pid}), known(each.pid != 0, static_cast<std::int64_t>(each.resident_bytes)),
                              known(each.state == ServerState::started, each.seconds), known(!each.url.empty(), each.url)});
        if (!each.detail.empty()) report.checks.push_back({each.name, CheckState::fail, each.detail, each.hint});
    }
}

Report up(const Invocation& invocation, Context& context, Operator&) {
    lab::UpOptions options;
    options.servers = invocation.has("--only") ? split(*invocation.text("--only"), ',') : lab::profile_servers(invocation.text_or("--profile", "solo"));
    options.postgres_major = static_cast<int>(invocation.integer("--postgres").value_or(0));
    Report report;
    add_servers(report, lab_of(invocation).up(options, context.progress, context.stop));
    if (!report.checks.empty()) report.code = Code::partial;
    report.next = "ysdb lab env > ysdb.toml";
    return report;
}

Report start(const Invocation& invocation, Context& context, Operator&) {
    Report report;
    add_servers(report, {lab_of(invocation).start(server_name(invocation), context.progress, context.stop)});
    if (!report.checks.empty()) report.code = Code::partial;
    return report;
}

Report status(const Invocation& invocation, Context&, Operator&) {
    Report report;
    add_servers(report, lab_of(invocation).status());
    if (!report.checks.empty()) report.code = Code::differences;
    return report;
}

Report env(const Invocation& invocation, Context&, Operator&) {
    const auto stores = lab_of(invocation).stores();
    Report report;
    report.document = invocation.has("--shell") ? lab::env_shell(stores) : lab::env_toml(stores);
    Table& table = report.add_table("stores", "", {{"name", Unit::none, ""}, {"url", Unit::none, ""}});
    table.keyed = true;
    for (const lab::LabStore& store : stores) table.rows.push_back({store.name, lab::url_with_password(store)});
    return report;
}

std::string last_lines(const std::string& text, std::int64_t count) {
    std::size_t at = text.size();
    while (at > 0 && (text[at - 1] != '\n' || at == text.size() || --count > 0)) --at;
    return text.substr(at);
}

Report fetch(const Invocation& invocation, Context& context, Operator&) {
    const std::string cache = invocation.text_or("--cache", default_cache_dir());
    std::vector<const lab::Pin*> wanted;
    for (const std::string& name : invocation.arguments) wanted.push_back(&lab::pin(name));
    if (wanted.empty()) {
        for (const lab::Pin& each : lab::pins()) {
            if (each.basic || invocation.has("--list")) wanted.push_back(&each);
        }
    }
    Report report;
    Table& table = report.add_table("downloads", "", {{"name", Unit::none, ""}, {"version", Unit::none, ""}, {"state", Unit::none, ""}, {"download", Unit::bytes, ""},
                                                      {"took", Unit::seconds, ""}, {"what", Unit::none, ""}});
    for (const lab::Pin* pin : wanted) {
        std::string state = lab::find_fetched(pin->name, cache) ? "present" : "absent";
        Value took;
        if (!invocation.has("--list")) try {
            const lab::FetchResult result = lab::fetch(*pin, cache, context.progress, context.stop);
            state = result.downloaded ? "fetched" : "present";
            if (result.downloaded) took = result.seconds;
        } catch (const Error& error) {
            if (wanted.size() == 1 || error.code() == Code::interrupted) throw;
            state = "failed";  // the others may be reachable
            report.checks.push_back({pin->name, CheckState::fail, error.message(), error.hint()});
            report.code = Code::partial;
        }
        table.rows.push_back({pin->name, pin->version, state, static_cast<std::int64_t>(pin->bytes), took, pin->title});
    }
    report.next = invocation.has("--list") ? "ysdb lab fetch NAME" : "ysdb lab up";
    return report;
}

Report logs(const Invocation& invocation, Context& context, Operator&) {
    std::ifstream file(lab_of(invocation).log_file(server_name(invocation)));
    const auto rest = [&file] {
        file.clear();
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    Report report;
    report.document = last_lines(rest(), invocation.integer("--lines").value_or(100));
    if (!invocation.has("--follow")) return report;
    for (std::string text = *report.document;; text = rest()) {
        write_out(STDOUT_FILENO, text);
        if (!pause_for(Millis(200), context.stop)) break;
    }
    report.document = "";
    return report;
}

Report kill(const Invocation& invocation, Context&, Operator&) {
    const std::string name = server_name(invocation);
    const std::map<std::string, int> signals{{"KILL", SIGKILL}, {"TERM", SIGTERM}, {"INT", SIGINT}, {"STOP", SIGSTOP}, {"CONT", SIGCONT}, {"HUP", SIGHUP}, {"QUIT", SIGQUIT}};
    const std::string signal = invocation.text_or("--signal", "KILL");
    const pid_t pid = lab_of(invocation).kill(name, signals.at(signal));
    Report report;
    report.title = fmt::format("sent SIG{} to {} (pid {})", signal, name, pid);
    report.add_figure("server", name);
    report.add_figure("pid", std::int64_t{pid});
    report.add_figure("signal", signal);
    report.next = "ysdb lab start " + name;
    return report;
}

Report down(const Invocation& invocation, Context& context, Operator& person) {
    Lab lab = lab_of(invocation);
    const bool destroy = invocation.has("--destroy");
    if (destroy && !context.dry_run && lab.remove_remains()) {
        Report report;
        report.title = "the lab is gone";
        return report;
    }
    Report preview;
    preview.title = fmt::format("{} the lab in {}", destroy ? "stop and remove" : "stop", lab.dir().string());
    add_servers(preview, lab.status());
    preview.checks.clear();  // whether a server that is about to be stopped has died does not matter
    if (context.dry_run) return preview;
    if (destroy && !person.confirm(preview, "Remove every server of this lab with its data?")) {
        throw Error(Code::refused, "not confirmed, nothing was changed");
    }
    Report report;
    add_servers(report, lab.down(destroy, context.progress));
    report.checks.clear();
    report.title = destroy ? "the lab is gone" : "the lab is stopped";
    if (!destroy) report.next = "ysdb lab up";
    return report;
}

std::vector<FlagSpec> with_place(std::vector<FlagSpec> flags) {
    flags.push_back({"--dir", "DIR", "the lab's directory", std::string(default_lab_dir()), {}, false});
    flags.push_back({"--cache", "DIR", "where downloads are kept, instead of $XDG_CACHE_HOME/ysdb", "", {}, false});
    return flags;
}

CommandSpec fetch_verb() {
    CommandSpec spec;
    spec.name = "fetch";
    spec.summary = "download pinned servers and data through their registries' own clients";
    spec.description = "Everything is pinned by version and checksum. Without a name: the ClickHouse engine, Kafka and the token lists. "
                       "Downloads are kept in the cache and shared by all labs.";
    spec.flags = {{"--list", "", "show what can be fetched, and fetch nothing", "", {}, false},
                  {"--cache", "DIR", "where downloads are kept, instead of $XDG_CACHE_HOME/ysdb", "", {}, false}};
    spec.arguments = {{"NAME", "what to fetch", false, true}};
    spec.examples = {{"ysdb lab fetch", "what the usual lab needs"}, {"ysdb lab fetch postgres-18 questdb", "more servers"}, {"ysdb lab fetch --list", "what there is"}};
    spec.needs_config = false;
    spec.run = fetch;
    return spec;
}

ArgumentSpec server_argument() { return {"NAME", "the server", true, false}; }

CommandSpec verb(std::string name, std::string summary, std::vector<FlagSpec> flags, std::function<Report(const Invocation&, Context&, Operator&)> run) {
    CommandSpec spec;
    spec.name = std::move(name);
    spec.summary = std::move(summary);
    spec.flags = with_place(std::move(flags));
    spec.needs_config = false;
    spec.run = std::move(run);
    return spec;
}

CommandSpec up_verb() {
    CommandSpec spec = verb("up", "start real servers in one directory, without root and without Docker",
                            {{"--profile", "NAME", "which servers", "solo", {"solo", "full"}, false},
                             {"--only", "NAMES", "just these, separated by commas", "", {}, false},
                             {"--postgres", "MAJOR", "which PostgreSQL", "", {"15", "16", "17", "18"}, false}},
                            up);
    spec.description = "Servers listen on free ports of 127.0.0.1 and keep everything in the lab's directory. Run it again to start what is missing. "
                       "A server that is not on this machine is named with the way to get it; the others start, and the exit code is 8.\n\n"
                       "solo is PostgreSQL, ClickHouse and Redis; full is every server the lab knows.";
    spec.examples = {{"ysdb lab up", "PostgreSQL, ClickHouse and Redis in ./.ysdb-lab"},
                     {"ysdb lab up --only postgres,kafka", "just these two"},
                     {"ysdb lab up --postgres 18 --dir /tmp/pg18", "PostgreSQL 18, after `ysdb lab fetch postgres-18`"}};
    return spec;
}

CommandSpec down_verb() {
    CommandSpec spec = verb("down", "stop the servers", {{"--destroy", "", "remove the directory with all data too", "", {}, false}}, down);
    spec.changes = true;
    spec.examples = {{"ysdb lab down", "stop; `ysdb lab up` goes on with the same data"}, {"ysdb lab down --destroy --yes", "leave nothing behind"}};
    return spec;
}

}  // namespace

CommandSpec lab_command() {
    CommandSpec status_verb = verb("status", "list the servers of the lab", {}, status);
    CommandSpec env_verb = verb("env", "print how to reach the running servers: a complete ysdb.toml",
                                {{"--shell", "", "as shell exports, passwords included", "", {}, false}}, env);
    env_verb.description = "The file names password files instead of holding passwords. With --output json the URLs hold the passwords and work as they are.";
    env_verb.examples = {{"ysdb lab env > ysdb.toml", "use the lab from this directory"}, {"eval \"$(ysdb lab env --shell)\"", "use it from this shell, psql included"}};
    CommandSpec logs_verb = verb("logs", "print what a server has logged",
                                 {{"--lines", "N", "the last N lines", "100", {}, false}, {"--follow", "", "go on until Ctrl-C", "", {}, false}}, logs);
    logs_verb.arguments = {server_argument()};
    CommandSpec kill_verb = verb("kill", "send a signal to a server",
                                 {{"--signal", "NAME", "which", "KILL", {"KILL", "TERM", "INT", "STOP", "CONT", "HUP", "QUIT"}, false}}, kill);
    kill_verb.arguments = {server_argument()};
    kill_verb.examples = {{"ysdb lab kill postgres", "as a power cut would"}, {"ysdb lab kill redis --signal STOP", "a server that accepts and never answers"}};
    CommandSpec start_verb = verb("start", "start one server again", {}, start);
    start_verb.arguments = {server_argument()};

    CommandSpec command;
    command.name = "lab";
    command.summary = "run real servers on this machine";
    command.verbs = {fetch_verb(), up_verb(), status_verb, env_verb, logs_verb, kill_verb, start_verb, down_verb(), lab_load_command(), lab_serve_clickhouse_command()};
    return command;
}

}  // namespace ysdb
