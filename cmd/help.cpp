#include "cmd/help.h"

#include <algorithm>

#include "cmd/cli.h"
#include "core/base/error_name.h"
#include "core/base/text.h"
#include "core/report/text_layout.h"

namespace ysdb {

namespace {

constexpr std::size_t page_width = 100;

struct Entry {
    std::string left;
    std::string right;
};

std::string entries(const std::vector<Entry>& list) {
    std::size_t width = 0;
    for (const Entry& entry : list) width = std::max(width, display_width(entry.left));
    const std::size_t indent = 2 + width + 3;
    std::string out;
    for (const Entry& entry : list) {
        const auto lines = wrap(entry.right, page_width - indent);
        out += "  " + pad_right(entry.left, width + 3) + lines[0] + "\n";
        for (std::size_t i = 1; i < lines.size(); ++i) out += std::string(indent, ' ') + lines[i] + "\n";
    }
    return out;
}

std::string flag_usage(const FlagSpec& flag) { return flag.value.empty() ? flag.name : flag.name + " " + flag.value; }

std::string section(const std::string& title, const std::vector<Entry>& list) {
    return list.empty() ? "" : "\n" + title + ":\n" + entries(list);
}

std::vector<Entry> flag_entries(const std::vector<FlagSpec>& flags) {
    std::vector<Entry> list;
    for (const FlagSpec& flag : flags) list.push_back({flag_usage(flag), flag.help + flag_note(flag)});
    return list;
}

std::string argument_usage(const ArgumentSpec& argument) {
    const std::string name = argument.name + (argument.repeatable ? "..." : "");
    return argument.required ? name : "[" + name + "]";
}

void add_rows(std::vector<const CommandSpec*> path, Table& commands, Table& flags, Table& arguments, Table& examples) {
    const CommandSpec& command = *path.back();
    const std::string name = command_name(path);
    commands.rows.push_back({name, command.summary, command.description, usage_line(path), command.changes});
    for (const FlagSpec& flag : flags_of(command)) {
        flags.rows.push_back({name, flag.name, flag.value, flag.help, flag.fallback, join(flag.choices, ","), flag.repeatable});
    }
    for (const ArgumentSpec& argument : command.arguments) {
        arguments.rows.push_back({name, argument.name, argument.help, argument.required, argument.repeatable});
    }
    for (const Example& example : command.examples) examples.rows.push_back({name, example.command, example.what});
    for (const CommandSpec& verb : command.verbs) {
        if (verb.hidden) continue;
        path.push_back(&verb);
        add_rows(path, commands, flags, arguments, examples);
        path.pop_back();
    }
}

}  // namespace

std::string flag_note(const FlagSpec& flag) {
    std::vector<std::string> notes;
    if (!flag.choices.empty()) notes.push_back(join(flag.choices, ", "));
    if (!flag.fallback.empty()) notes.push_back("default " + flag.fallback);
    if (flag.repeatable) notes.push_back("may be repeated");
    return notes.empty() ? "" : " [" + join(notes, "; ") + "]";
}

std::string usage_line(std::span<const CommandSpec* const> path) {
    const CommandSpec& command = *path.back();
    std::string line = command_name(path);
    if (!command.verbs.empty()) line += " COMMAND";
    line += " [flags]";
    for (const ArgumentSpec& argument : command.arguments) line += " " + argument_usage(argument);
    return line;
}

std::string help_text(std::span<const CommandSpec* const> path) {
    const CommandSpec& command = *path.back();
    std::string out = command_name(path) + " - " + command.summary + "\n\nUsage: " + usage_line(path) + "\n";
    if (!command.description.empty()) {
        out += "\n";
        for (const std::string& paragraph : split(command.description, '\n')) {
            for (const std::string& line : wrap(paragraph, page_width)) out += line + "\n";
        }
    }
    std::vector<Entry> verbs;
    for (const CommandSpec& verb : command.verbs) {
        if (!verb.hidden) verbs.push_back({verb.name, verb.summary});
    }
    out += section("Commands", verbs);
    std::vector<Entry> arguments;
    for (const ArgumentSpec& argument : command.arguments) arguments.push_back({argument_usage(argument), argument.help});
    out += section("Arguments", arguments);
    out += section("Flags", flag_entries(flags_of(command)));
    out += section("Global flags", flag_entries(global_flags()));
    if (!command.examples.empty()) {
        out += "\nExamples:\n";
        for (const Example& example : command.examples) out += "  # " + example.what + "\n  " + example.command + "\n";
    }
    if (path.size() == 1) {
        std::vector<Entry> codes;
        for (const CodeInfo& info : code_table())
            codes.push_back({std::to_string(static_cast<int>(info.code)), std::string(info.meaning)});
        out += section("Exit codes", codes);
    }
    return out;
}

Report help_report(std::span<const CommandSpec* const> path) {
    Table commands{"commands", "", {{"command"}, {"summary"}, {"description"}, {"usage"}, {"changes"}}, {}, false};
    Table flags{"flags", "", {{"command"}, {"flag"}, {"value"}, {"help"}, {"default"}, {"choices"}, {"repeatable"}}, {}, false};
    Table arguments{"arguments", "", {{"command"}, {"argument"}, {"help"}, {"required"}, {"repeatable"}}, {}, false};
    Table examples{"examples", "", {{"command"}, {"example"}, {"what"}}, {}, false};
    Table codes{"exit_codes", "", {{"exit_code"}, {"code"}, {"meaning"}}, {}, false};

    for (const FlagSpec& flag : global_flags()) {
        flags.rows.push_back(
            {std::string(), flag.name, flag.value, flag.help, flag.fallback, join(flag.choices, ","), flag.repeatable});
    }
    add_rows({path.begin(), path.end()}, commands, flags, arguments, examples);
    for (const CodeInfo& info : code_table()) {
        codes.rows.push_back({static_cast<std::int64_t>(info.code), std::string(info.name), std::string(info.meaning)});
    }
    Report report;
    report.document = help_text(path);
    report.tables = {std::move(commands), std::move(flags), std::move(arguments), std::move(examples), std::move(codes)};
    return report;
}

}  // namespace ysdb
