#include <algorithm>

#include "cmd/commands.h"
#include "core/sync/snapshot.h"

namespace ysdb {

namespace {

std::vector<FlagSpec> route_flags() {
    return {{"--set", "NAME", "only this sync set", "", {}, true}, {"--to", "STORE", "only this target store", "", {}, true}};
}

RouteFilter route_filter(const Invocation& line) { return {line.all("--set"), line.arguments, line.all("--to")}; }

Report snapshot(const Invocation& line, Context& context, Operator&) {
    sync::SnapshotOptions options;
    options.filter = route_filter(line);
    options.workers = static_cast<int>(line.integer_between("--workers", 1, 64));
    options.batch_bytes = std::clamp<std::uint64_t>(*line.size("--batch"), 64u << 10, 256u << 20);
    options.lock_wait = *line.duration("--lock-wait");
    options.restart = line.has("--restart");
    return context.dry_run ? sync::plan_snapshot(context, options) : sync::run_snapshot(context, options);
}

CommandSpec snapshot_verb() {
    CommandSpec verb;
    verb.name = "snapshot";
    verb.summary = "copy whole tables into the stores that follow them";
    verb.description =
        "Copies the tables of the [[sync]] sets from PostgreSQL into their ClickHouse stores: each table in ranges, by several workers, "
        "through one exported snapshot, into a staging table beside the live one. When all of it is there the two are swapped in one step, "
        "so readers see the old table or the new one, whole.\n\n"
        "A run that was interrupted is taken up by the same command: tables that were swapped stay, the one in the middle starts over. "
        "Rows that the target's types cannot hold (an infinite timestamp, a NaN in a decimal) are left out, listed with their key, and the "
        "command ends with exit code 8; nothing is changed silently.";
    verb.flags = route_flags();
    verb.flags.push_back({"--workers", "N", "readers and writers that take turns", "3"});
    verb.flags.push_back({"--batch", "SIZE", "bytes of one insert", "8MiB"});
    verb.flags.push_back({"--lock-wait", "DURATION", "wait this long for another run of the same set", "0s"});
    verb.flags.push_back({"--restart", "", "forget an unfinished run and copy every table again"});
    verb.arguments = {{"TABLE", "schema.table of the source; all of the set when none is named", false, true}};
    verb.examples = {{"ysdb sync snapshot --dry-run", "what would be copied, how big it is, which locks it takes"},
                     {"ysdb sync snapshot public.transaction_history", "copy one table"}};
    verb.changes = true;
    verb.run = snapshot;
    return verb;
}

}  // namespace

CommandSpec sync_command() {
    CommandSpec command;
    command.name = "sync";
    command.summary = "bring the other stores to what PostgreSQL holds";
    command.description = "Moves the tables of the [[sync]] sets from their source into the stores that follow it.";
    command.verbs = {snapshot_verb()};
    return command;
}

}  // namespace ysdb
