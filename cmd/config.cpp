#include <fmt/core.h>

#include "cmd/commands.h"
#include "core/store/store.h"

namespace ysdb {

namespace {

Report show(const Invocation&, Context& context, Operator&) {
    const Config& config = context.config;
    Report report;
    Table& table = report.add_table("settings", "", {{"name"}, {"value"}, {"layer"}});
    for (const ConfigValue& value : config.values) table.rows.push_back({value.name, value.value, value.layer});
    for (const ConfigProblem& problem : config.problems) report.warnings.push_back(problem.message);
    if (!config.problems.empty()) report.next = "ysdb config check";
    return report;
}

Report check(const Invocation&, Context& context, Operator&) {
    const Config& config = context.config;
    Report report;
    for (const std::string& file : config.files) report.checks.push_back({"file", CheckState::ok, file, ""});
    if (config.files.empty()) {
        report.checks.push_back({"file", config.stores.empty() ? CheckState::warn : CheckState::ok,
                                 "no configuration file; defaults and the environment",
                                 config.stores.empty() ? "write one with: ysdb init" : ""});
    }
    for (const auto& [name, store] : config.stores) {
        try {
            report.checks.push_back({"stores." + name, CheckState::ok, open_store(store)->redacted_url(), ""});
        } catch (const Error& error) {
            report.checks.push_back({"stores." + name, CheckState::fail, error.message(), error.hint()});
        }
    }
    for (const ConfigProblem& problem : config.problems)
        report.checks.push_back({"problem", CheckState::fail, problem.message, problem.hint});
    for (const Check& item : report.checks) {
        if (item.state == CheckState::fail) report.code = Code::config;
    }
    if (report.code == Code::ok) report.next = "ysdb doctor";
    return report;
}

}  // namespace

CommandSpec config_command() {
    CommandSpec show_verb;
    show_verb.name = "show";
    show_verb.summary = "print every setting in force and the layer it comes from";
    show_verb.description =
        "Passwords are never printed. Layers, least important first: built-in, /etc/ysdb/ysdb.toml, "
        "$XDG_CONFIG_HOME/ysdb/ysdb.toml, ./ysdb.toml, environment, flags.";
    show_verb.examples = {{"ysdb config show", "every setting"}, {"ysdb config show --output json", "the same, for programs"}};
    show_verb.reads_bad_config = true;
    show_verb.run = show;

    CommandSpec check_verb;
    check_verb.name = "check";
    check_verb.summary = "read the configuration and list everything wrong with it";
    check_verb.description = "Connects to nothing; `ysdb doctor` does.";
    check_verb.examples = {{"ysdb config check", "before a deployment"}};
    check_verb.reads_bad_config = true;
    check_verb.run = check;

    CommandSpec command;
    command.name = "config";
    command.summary = "show and check the configuration";
    command.verbs = {show_verb, check_verb};
    return command;
}

}  // namespace ysdb
