#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "cmd/commands.h"
#include "cmd/console.h"
#include "core/sync/copy/snapshot.h"
#include "core/sync/manage.h"
#include "core/sync/member.h"
#include "core/sync/run.h"

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
    verb.flags.push_back({"--lock-wait", "DURATION", "wait this long for another run of the same set; one that was killed may hold its lock for a moment", "2s"});
    verb.flags.push_back({"--restart", "", "forget an unfinished run and copy every table again"});
    verb.arguments = {{"TABLE", "schema.table of the source; all of the set when none is named", false, true}};
    verb.examples = {{"ysdb sync snapshot --dry-run", "what would be copied, how big it is, which locks it takes"},
                     {"ysdb sync snapshot public.transaction_history", "copy one table"}};
    verb.changes = true;
    verb.run = snapshot;
    return verb;
}

FlagSpec set_flag() { return {"--set", "NAME", "the sync set; needed when there are several"}; }

// Whoever started this as a service of Type=notify.
ServiceManager service_manager() {
    const Environment environment = read_environment();
    const auto number = [&](const char* name) {
        const auto found = environment.find(name);
        return found == environment.end() ? 0 : std::atoll(found->second.c_str());
    };
    ServiceManager manager;
    if (const auto socket = environment.find("NOTIFY_SOCKET"); socket != environment.end()) manager.socket = socket->second;
    const bool ours = number("WATCHDOG_PID") == 0 || number("WATCHDOG_PID") == getpid();
    if (ours && number("WATCHDOG_USEC") > 0) manager.watchdog = Millis(std::max(1ll, number("WATCHDOG_USEC") / 1000));
    return manager;
}

sync::VitalOptions vital_options(const Invocation& line) { return {line.text_or("--metrics-file", ""), line.text_or("--metrics-listen", ""), service_manager()}; }

Report run_from(const Invocation& line, Context& context) {
    sync::MemberOptions options;
    options.set = line.text_or("--set", "");
    options.from = *line.text("--from");
    options.group = line.text_or("--group", "");
    options.format = line.text_or("--format", "");
    options.topic = line.text_or("--topic", "");
    if (options.format.empty() != options.topic.empty()) throw Error(Code::usage, "--format and --topic belong together", "ysdb sync run --from events --format debezium --topic 'server.{schema}.{table}'");
    if (!options.format.empty() && options.format != "debezium") throw Error(Code::usage, "--format cannot be '" + options.format + "'", "one of: debezium");
    options.until_caught_up = line.has("--until-caught-up");
    options.policy.buffer_bytes = std::clamp<std::uint64_t>(*line.size("--buffer"), 1u << 20, 16ull << 30);
    options.policy.batch_age = std::clamp(*line.duration("--batch-age"), Millis(0), Millis(5'000));
    options.policy.tries = static_cast<int>(line.integer_between("--tries", 1, 100));
    options.vitals = vital_options(line);
    return context.dry_run ? sync::plan_member(context, options) : sync::run_member(context, options);
}

Report run(const Invocation& line, Context& context, Operator&) {
    if (line.has("--from") && line.has("--to")) throw Error(Code::usage, "--from and --to are two commands", "ysdb sync run --to STORE once, ysdb sync run --from STORE on as many machines as wanted");
    if (line.has("--from")) return run_from(line, context);
    sync::RunOptions options;
    options.set = line.text_or("--set", "");
    options.to = line.text_or("--to", "");
    options.partitions = static_cast<int>(line.integer_between("--partitions", 1, 10'000));
    options.until_caught_up = line.has("--until-caught-up");
    options.copy.workers = static_cast<int>(line.integer_between("--workers", 1, 64));
    options.copy.rows_per_range = static_cast<std::uint64_t>(line.integer_between("--range-rows", 1'000, 100'000'000));
    options.copy.view_age = std::max(*line.duration("--view-age"), Millis(1));
    options.policy.buffer_bytes = std::clamp<std::uint64_t>(*line.size("--buffer"), 1u << 20, 16ull << 30);
    options.policy.batch_age = std::clamp(*line.duration("--batch-age"), Millis(0), Millis(5'000));
    options.policy.tries = static_cast<int>(line.integer_between("--tries", 1, 100));
    options.lock_wait = *line.duration("--lock-wait");
    options.spool_directory = *line.text("--spool-dir");
    options.vitals = vital_options(line);
    return context.dry_run ? sync::plan_run(context, options) : sync::run(context, options);
}

CommandSpec run_verb() {
    CommandSpec verb;
    verb.name = "run";
    verb.summary = "follow every committed change into the stores of a set";
    verb.description =
        "Copies tables that are new, then follows the source's changes: every committed change, in order, into every store of the set. What is "
        "missing in the source (publication, slot, the tables that remember) is made first; --dry-run shows it. Runs until SIGTERM or Ctrl-C, then "
        "writes what it has read and says where it stopped; the same command goes on there, also after a kill -9: what is told again is recognised "
        "by its version.\n\n"
        "A store that cannot be reached is tried again until it can; what waits for it is kept in memory (--buffer), then on disk (spill in [[sync]]), and then when_full says what happens: reading waits, the store is given up, or the run ends. A row that a store cannot "
        "hold becomes a dead letter; a table whose definition changed in a way that changes tell nothing of is halted until `ysdb sync reset TABLE`, or copied anew where the set has when_halted = \"copy\". "
        "Both show in `ysdb sync status` and make the exit code 8.\n\n"
        "On several machines: `ysdb sync run --to STORE` once, which reads the source and writes to Kafka, and `ysdb sync run --from STORE` on as many as "
        "wanted, which share the work of writing the set's stores.";
    verb.flags = {set_flag(),
                  {"--to", "STORE", "only tell the changes, and copies of new tables, to a bus on this Kafka store"},
                  {"--partitions", "N", "of the bus's topic, when --to makes it", "12"},
                  {"--from", "STORE", "take the changes from the bus on this store, as a member of --group"},
                  {"--group", "NAME", "with --from: the members that share the work; ysdb.<set> without it"},
                  {"--format", "NAME", "with --from: debezium, for topics that Debezium's connector for PostgreSQL writes"},
                  {"--topic", "TOPIC", "of these: server.{schema}.{table}"},
                  {"--until-caught-up", "", "end when everything committed before is in every store"},
                  {"--workers", "N", "readers and writers of a copy that take turns", "3"},
                  {"--range-rows", "N", "rows that a worker of a copy reads at once, and again when it was killed meanwhile", "200000"},
                  {"--view-age", "DURATION", "a copy that takes longer looks at the source anew after this, so that it does not hold up vacuum", "15m"},
                  {"--batch-age", "DURATION", "a change waits no longer than this for others to be sent with; 5s at most", "500ms"},
                  {"--buffer", "SIZE", "what may wait for a store in memory; behind it comes the set's spill, on disk", "64MiB"},
                  {"--tries", "N", "tries of a batch that a store refuses, before its rows are tried one by one", "3"},
                  {"--spool-dir", "DIR", "where large transactions wait for their commit, and changes for a store that is down", "/var/tmp"},
                  {"--metrics-listen", "ADDRESS", "serve Prometheus metrics at http://ADDRESS/metrics, like 127.0.0.1:9188"},
                  {"--metrics-file", "FILE", "keep Prometheus metrics in this file, for a node exporter's textfile collector"},
                  {"--lock-wait", "DURATION", "wait this long for another run of the same set; one that was killed may hold its lock for a moment", "2s"}};
    verb.examples = {{"ysdb sync run --dry-run", "what would be made in the source, which tables would be copied"},
                     {"ysdb sync run --until-caught-up", "bring every store up to now, then end"},
                     {"ysdb sync run --to events", "over Kafka: read the source, once"},
                     {"ysdb sync run --from events", "over Kafka: write the stores, on as many machines as wanted"}};
    verb.changes = true;
    verb.run = run;
    return verb;
}

CommandSpec install_verb() {
    CommandSpec verb;
    verb.name = "install";
    verb.summary = "make what following needs in the source";
    verb.description = "Makes the publication and the replication slot of a set, and the tables in schema ysdb that remember how far it is. `ysdb sync run` does the same; "
                       "this is for whoever has the rights. From then on the server keeps its log until the set has read it.";
    verb.flags = {set_flag()};
    verb.examples = {{"ysdb sync install --dry-run", "the statements"}};
    verb.changes = true;
    verb.run = [](const Invocation& line, Context& context, Operator&) { return sync::install(context, line.text_or("--set", "")); };
    return verb;
}

CommandSpec status_verb() {
    CommandSpec verb;
    verb.name = "status";
    verb.summary = "how far each store of a set is";
    verb.description = "Shows, from the source, what the server keeps for each set, how far each store is behind, the state of each table and its dead letters. Exit code 1 when a table is "
                       "halted, a slot is lost or there are dead letters.";
    verb.flags = {{"--set", "NAME", "only this sync set"}, {"--dead-letters", "", "list the changes that a store could not take"}, watch_flag()};
    verb.examples = {{"ysdb sync status", "all sets"}, {"ysdb sync status --watch 2s", "a live view"}, {"ysdb sync status --dead-letters --output json", "for programs"}};
    verb.run = [](const Invocation& line, Context& context, Operator&) { return sync::status(context, {line.text_or("--set", ""), line.has("--dead-letters")}); };
    return verb;
}

CommandSpec retry_verb() {
    CommandSpec verb;
    verb.name = "retry";
    verb.summary = "tell rows with dead letters to their store again";
    verb.description = "For each row with a dead letter: the row as the source has it now is told to the store again, after its column, or the row itself, was mended. Letters of rows that arrive, or that the "
                       "source no longer has, are dropped; what is refused again stays, with one more try. Reads each table that has dead letters once. Not while the set runs.";
    verb.flags = {set_flag()};
    verb.examples = {{"ysdb sync retry --dry-run", "how many rows of which tables"}};
    verb.changes = true;
    verb.run = [](const Invocation& line, Context& context, Operator&) { return sync::retry_dead_letters(context, line.text_or("--set", "")); };
    return verb;
}

CommandSpec reset_verb() {
    CommandSpec verb;
    verb.name = "reset";
    verb.summary = "have tables copied anew by the next run";
    verb.description = "The next `ysdb sync run` copies the table again, beside the one that readers see, and puts it in its place when it is whole; changes are followed meanwhile. Without TABLE all "
                       "of the set's: then the slot is made anew, too, which mends one that was lost, and the epoch of the row versions rises.";
    verb.flags = {set_flag()};
    verb.arguments = {{"TABLE", "schema.table of the source", false}};
    verb.examples = {{"ysdb sync reset public.users", "copy one table anew"}};
    verb.changes = true;
    verb.run = [](const Invocation& line, Context& context, Operator& person) {
        const std::string set = line.text_or("--set", "");
        if (!context.dry_run && !line.argument(0)) {
            context.dry_run = true;
            const Report preview = sync::reset(context, set, std::nullopt);
            context.dry_run = false;
            if (!person.confirm(preview, "Copy every table of the set anew?")) throw Error(Code::refused, "not confirmed, nothing was changed");
        }
        return sync::reset(context, set, line.argument(0));
    };
    return verb;
}

CommandSpec remove_verb() {
    CommandSpec verb;
    verb.name = "remove";
    verb.summary = "take a set's slot and publication away";
    verb.description = "Drops the replication slot and the publication, so that the server keeps nothing for the set any more, and forgets how far it was. What was written to the stores stays.";
    verb.flags = {set_flag()};
    verb.examples = {{"ysdb sync remove --set yield --yes", "no more following"}};
    verb.changes = true;
    verb.run = [](const Invocation& line, Context& context, Operator& person) {
        const std::string set = line.text_or("--set", "");
        if (!context.dry_run) {
            context.dry_run = true;
            const Report preview = sync::remove(context, set);
            context.dry_run = false;
            if (!person.confirm(preview, "Remove the set's slot? Following it again means copying its tables again.")) throw Error(Code::refused, "not confirmed, nothing was changed");
        }
        return sync::remove(context, set);
    };
    return verb;
}

}  // namespace

CommandSpec sync_command() {
    CommandSpec command;
    command.name = "sync";
    command.summary = "bring the other stores to what PostgreSQL holds";
    command.description = "Moves the tables of the [[sync]] sets from their source into the stores that follow it.";
    command.verbs = {snapshot_verb(), run_verb(), status_verb(), install_verb(), retry_verb(), reset_verb(), remove_verb()};
    return command;
}

}  // namespace ysdb
