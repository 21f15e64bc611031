#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/help.h"
#include "core/base/text.h"

namespace ysdb {

namespace {

Report help(const Invocation& invocation, Context&, Operator&) {
    const CommandSpec program = program_spec();
    std::vector<const CommandSpec*> path{&program};
    for (const std::string& word : invocation.arguments) {
        std::vector<std::string> names;
        const CommandSpec* found = nullptr;
        for (const CommandSpec& verb : path.back()->verbs) {
            names.push_back(verb.name);
            if (verb.name == word) found = &verb;
        }
        if (found == nullptr)
            throw Error(Code::usage, "there is no command '" + word + "'" + did_you_mean(word, names),
                        "type 'ysdb help' for the list");
        path.push_back(found);
    }
    return help_report(path);
}

}  // namespace

CommandSpec help_command() {
    CommandSpec command;
    command.name = "help";
    command.summary = "print help for a command";
    command.description = "With --output json: every command, flag, argument, example and exit code, as tables.";
    command.arguments = {{"COMMAND", "the command, and its verb", false, true}};
    command.examples = {{"ysdb help config show", "help for one verb"},
                        {"ysdb help --output json", "the whole command tree, for programs"}};
    command.needs_config = false;
    command.run = help;
    return command;
}

CommandSpec program_spec() {
    CommandSpec program;
    program.name = "ysdb";
    program.summary = "moves and guards data between PostgreSQL and the stores around it";
    program.description =
        "Every change is planned before it is made, recorded while it is made, and proven after. Commands that change something "
        "take "
        "--dry-run, which prints the plan; every result is printed as text, JSON, CSV or HTML.";
    program.examples = {{"ysdb config check", "is the configuration right?"}};
    program.verbs = command_table();
    return program;
}

}  // namespace ysdb
