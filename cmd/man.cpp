#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/help.h"
#include "core/base/error_name.h"
#include "core/base/text.h"

namespace ysdb {

namespace {

// Text that roff must not read as a request or an escape.
std::string roff(std::string_view text) {
    std::string out;
    bool line_start = true;
    for (const char c : text) {
        if (line_start && (c == '.' || c == '\'')) out += "\\&";
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else
            out += c;
        line_start = c == '\n';
    }
    return out;
}

std::string bold(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + roff(text) + "\\fR"; }

std::string paragraphs(const std::string& text) {
    std::string out;
    for (const std::string& paragraph : split(text, '\n')) {
        if (!trim(paragraph).empty()) out += ".PP\n" + roff(paragraph) + "\n";
    }
    return out;
}

std::string flags(const std::vector<FlagSpec>& list) {
    std::string out;
    for (const FlagSpec& flag : list) {
        out += ".TP\n" + bold(flag.name) + (flag.value.empty() ? "" : " " + italic(flag.value)) + "\n" +
               roff(flag.help + flag_note(flag)) + "\n";
    }
    return out;
}

std::string examples(const std::vector<Example>& list) {
    std::string out;
    for (const Example& example : list) out += ".TP\n" + bold(example.command) + "\n" + roff(example.what) + "\n";
    return out;
}

// One command and its verbs, each under a heading of its own.
std::string commands(std::vector<const CommandSpec*> path) {
    std::string out;
    for (const CommandSpec& command : path.back()->verbs) {
        if (command.hidden) continue;
        path.push_back(&command);
        out += ".SS \"" + roff(usage_line(path).substr(std::string_view("ysdb ").size())) + "\"\n" + roff(command.summary) + "\n";
        out += paragraphs(command.description);
        for (const ArgumentSpec& argument : command.arguments)
            out += ".TP\n" + italic(argument.name) + "\n" + roff(argument.help) + "\n";
        out += flags(flags_of(command)) + examples(command.examples) + commands(path);
        path.pop_back();
    }
    return out;
}

Report man(const Invocation&, Context&, Operator&) {
    Report report;
    report.document = man_page(program_spec());
    return report;
}

}  // namespace

std::string man_page(const CommandSpec& program) {
    std::string out = ".TH YSDB 1 \"\" \"ysdb\" \"User commands\"\n.SH NAME\nysdb \\- " + roff(program.summary) + "\n";
    out += ".SH SYNOPSIS\n" + bold("ysdb") + " " + italic("COMMAND") + " [flags]\n";
    out += ".SH DESCRIPTION\n" + paragraphs(program.description);
    out += ".SH COMMANDS\n" + commands({&program});
    out += ".SH \"GLOBAL FLAGS\"\nBefore or after the command.\n" + flags(global_flags());
    out += ".SH \"EXIT STATUS\"\n";
    for (const CodeInfo& info : code_table())
        out += ".TP\n" + bold(std::to_string(static_cast<int>(info.code))) + "\n" + roff(info.meaning) + "\n";
    out += ".SH FILES\n";
    for (const char* file : {"/etc/ysdb/ysdb.toml", "$XDG_CONFIG_HOME/ysdb/ysdb.toml", "./ysdb.toml"})
        out += ".TP\n" + italic(file) + "\n";
    out += "The configuration, least to most important; the environment and flags stand above them.\n";
    return out + ".SH EXAMPLES\n" + examples(program.examples);
}

CommandSpec man_command() {
    CommandSpec command;
    command.name = "man";
    command.summary = "print the manual page";
    command.examples = {{"ysdb man | man -l -", "read it"}};
    command.needs_config = false;
    command.run = man;
    return command;
}

}  // namespace ysdb
