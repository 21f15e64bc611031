#include "cmd/commands.h"
#include "core/health/health.h"

namespace ysdb {

CommandSpec status_command() {
    CommandSpec command;
    command.name = "status";
    command.summary = "ask every store: reachable, version, role, lag, latency";
    command.description =
        "The stores are asked all at once, each within --timeout. Exit code 0 when all answer, 1 when some do not, 4 when none does.";
    command.flags = {watch_flag()};
    command.arguments = {{"STORE", "a store of the configuration; all of them when none is named", false, true}};
    command.examples = {{"ysdb status", "every store"}, {"ysdb status main --timeout 2s --output json", "one store, for a health check"}};
    command.run = [](const Invocation& line, Context& context, Operator&) { return status_report(context, line.arguments); };
    return command;
}

CommandSpec doctor_command() {
    CommandSpec command;
    command.name = "doctor";
    command.summary = "check everything the configuration needs, and say how to mend it";
    command.description =
        "Reads only. Checks the configuration itself, that stores answer and are recent enough, the settings and privileges that "
        "its syncs, their targets, partitions and migrations need, directories, and who may read password files. Exit code 1 when "
        "a check fails.";
    command.examples = {{"ysdb doctor", "after a change of ysdb.toml, or when something fails"}};
    command.reads_bad_config = true;
    command.run = [](const Invocation&, Context& context, Operator&) { return doctor_report(context); };
    return command;
}

}  // namespace ysdb
