#include "core/migrate/migrate.h"

#include "cmd/commands.h"
#include "cmd/migrate_verbs.h"

namespace ysdb {

namespace {

std::vector<FlagSpec> choice_flags() {
    return {{"--to", "V", "the last version to apply", "all that is pending"},
            {"--steps", "N", "at most so many migrations", "all that is pending"},
            {"--out-of-order", "", "also apply versions below one that is applied"},
            migrate_env_flag(),
            {"--guard", "MODE", "what a server in trouble means for statements on large tables; otherwise guard of [migrate]", "", {"off", "warn", "refuse"}},
            {"--guard-above", "SIZE", "from which size on a table is large", "1GiB"}};
}

migrate::UpOptions up_options(const Invocation& line) {
    migrate::UpOptions options;
    if (line.has("--to")) options.to = line.text("--to");
    if (line.has("--steps")) options.steps = line.integer_between("--steps", 1, 1'000'000);
    options.out_of_order = line.has("--out-of-order");
    if (line.has("--env")) options.environment = line.text("--env");
    if (line.has("--guard")) options.guard = line.text("--guard");
    options.guard_above = *line.size("--guard-above");
    if (const auto wait = line.duration("--lock-wait")) options.lock_wait = *wait;
    if (const auto timeout = line.duration("--lock-timeout")) options.lock_timeout = *timeout;
    return options;
}

CommandSpec up_verb() {
    CommandSpec verb;
    verb.name = "up";
    verb.summary = "apply what is pending, in the order of versions";
    verb.description =
        "Applies each pending file of the directory of migrations to its store and records it. On PostgreSQL a file is one transaction, and its "
        "record is part of it. Files with transaction:false and all ClickHouse files are applied statement by statement; what was about to be "
        "done is written down before, and what became of it after, so that a run that was killed is taken up where it was.\n\n"
        "One run at a time: a second one waits, and says for whom. A file that was edited after it was applied is refused. A statement that "
        "finds no lock within --lock-timeout gives way to the readers and writers it would have blocked, and is tried again.";
    verb.flags = choice_flags();
    verb.flags.push_back(migrate_lock_wait_flag());
    verb.flags.push_back({"--lock-timeout", "DURATION", "how long a PostgreSQL statement waits for a lock before it gives way; a file may say its own", "5s"});
    verb.examples = {{"ysdb migrate up", "apply everything that is pending"},
                     {"ysdb migrate up --dry-run", "see which statements, where, and which locks they take"},
                     {"ysdb migrate up --to 20260131120000", "stop behind this version"}};
    verb.changes = true;
    verb.run = [](const Invocation& line, Context& context, Operator&) { return migrate::up(context, up_options(line)); };
    return verb;
}

CommandSpec plan_verb() {
    CommandSpec verb;
    verb.name = "plan";
    verb.summary = "show what up would do: statements, locks, sizes";
    verb.description =
        "Reads files, history and catalogs and changes nothing: the same as ysdb migrate up --dry-run.\n\n"
        "--rehearse runs it all on a scratch server and says what was seen there: the locks that each statement really took and for how long they were held, the tables "
        "that it really rewrote or read as a whole, rows, time. The scratch server gets its schema by the migrations that are applied, and has no other rows than theirs: "
        "locks, rewrites and reads are what they will be on the live server, times are not. It is a lab in a temporary directory, or a database of its own on --scratch; never the live server.\n\n"
        "--back also takes it back there, and ends with exit code 1 when the schema is not what it was. --copy runs it on a database that was restored from a backup of the live one: with the same "
        "history and all rows. What is pending is applied there for good; the live server is refused.";
    verb.flags = choice_flags();
    verb.flags.push_back({"--rehearse", "", "run it on a scratch server and say what it really did there"});
    verb.flags.push_back(migrate_scratch_flag());
    verb.flags.push_back({"--back", "", "with --rehearse: then take it back there, and say whether the schema is what it was"});
    verb.flags.push_back({"--copy", "STORE", "with --rehearse: run it on this restored copy of the live database instead, for good: with its rows, so that times count", "", {}, true});
    verb.examples = {{"ysdb migrate plan", "every pending statement with the locks it takes"}, {"ysdb migrate plan --rehearse --back", "the same, as it was seen on a scratch server, there and back"},
                     {"ysdb migrate plan --rehearse --copy restored", "how long it takes, on a restored backup"}};
    verb.run = [](const Invocation& line, Context& context, Operator&) {
        if (line.has("--rehearse")) return migrate::rehearse(context, up_options(line), {migrate_scratch_options(line), line.all("--copy"), line.has("--back")});
        for (const char* flag : {"--scratch", "--back", "--copy"}) {
            if (line.has(flag)) throw Error(Code::usage, std::string(flag) + " is for --rehearse");
        }
        return migrate::plan_report(context, up_options(line));
    };
    return verb;
}

CommandSpec status_verb() {
    CommandSpec verb;
    verb.name = "status";
    verb.summary = "list the migrations and what became of each";
    verb.description =
        "States: applied; pending; partial (a run stopped in the middle, up goes on there); unknown (of one statement nothing tells whether it "
        "took effect, repair says so); changed (edited after it was applied); missing (applied, and its file is gone); skipped (for another environment). A repeatable one that was edited is pending again.";
    verb.flags = {migrate_env_flag()};
    verb.examples = {{"ysdb migrate status --output json", "for scripts"}};
    verb.run = [](const Invocation& line, Context& context, Operator&) {
        return migrate::status(context, line.has("--env") ? line.text("--env") : std::nullopt);
    };
    return verb;
}

CommandSpec verify_verb() {
    CommandSpec verb;
    verb.name = "verify";
    verb.summary = "compare files with what was applied, and run their verify sections";
    verb.description =
        "Checksums are over the statements' words: blanks and comments do not count. The statements of a '-- migrate:verify' section must run, "
        "and none may answer false; nothing they change is kept. Ends with exit code 1 when a check fails.";
    verb.examples = {{"ysdb migrate verify", "after a restore, or in CI"}};
    verb.run = [](const Invocation&, Context& context, Operator&) { return migrate::verify(context); };
    return verb;
}

CommandSpec repair_verb() {
    CommandSpec verb;
    verb.name = "repair";
    verb.summary = "say what became of a statement that nothing can tell about";
    verb.description =
        "A run that is killed over a statement outside a transaction leaves a doubt. Most are settled by a look at the catalog; of others (INSERT ... SELECT "
        "on ClickHouse, CALL) only you can find out. up then ends with exit code 8 and prints this command to type.\n\n"
        "A mutation on ClickHouse goes on without the run that began it, and up waits for it. One that fails again and again is ended by --kill-mutation; the rows "
        "it has changed stay changed.";
    verb.arguments = {{"V", "the version of the migration"}};
    verb.flags = {{"--step", "N", "its statement, counted from 1"},
                  {"--applied", "", "it took effect: go on behind it"},
                  {"--again", "", "it did not, or was cleaned up: run it again"},
                  {"--kill-mutation", "", "ClickHouse: end the mutation that it left at work; it counts as not applied"},
                  migrate_lock_wait_flag()};
    verb.examples = {{"ysdb migrate repair 0012 --step 2 --applied", "statement 2 of 0012 is done"},
                     {"ysdb migrate repair 0012 --step 2 --kill-mutation", "its mutation on ClickHouse fails again and again: end it"}};
    verb.changes = true;
    verb.run = [](const Invocation& line, Context& context, Operator&) {
        if (!line.has("--step") || line.has("--applied") + line.has("--again") + line.has("--kill-mutation") != 1) {
            throw Error(Code::usage, "repair needs --step and one of --applied, --again and --kill-mutation", "up and status say which statement is in doubt");
        }
        return migrate::repair(context, {line.arguments.at(0), line.integer_between("--step", 0, 1'000'000), line.has("--applied"), line.has("--kill-mutation")}, *line.duration("--lock-wait"));
    };
    return verb;
}

CommandSpec baseline_verb() {
    CommandSpec verb;
    verb.name = "baseline";
    verb.summary = "take migrations for applied without running them";
    verb.description = "For a database that had its schema before: everything pending up to this version is recorded as applied, and nothing is run.";
    verb.arguments = {{"V", "the last version that the database already holds"}};
    verb.flags = {migrate_lock_wait_flag()};
    verb.examples = {{"ysdb migrate baseline 0042", "the database is at 0042"}};
    verb.changes = true;
    verb.run = [](const Invocation& line, Context& context, Operator&) { return migrate::baseline(context, line.arguments.at(0), *line.duration("--lock-wait")); };
    return verb;
}

}  // namespace

FlagSpec migrate_env_flag() { return {"--env", "NAME", "where this is: files with env:NAME run only there", "environment of [migrate]"}; }
FlagSpec migrate_lock_wait_flag() { return {"--lock-wait", "DURATION", "how long to wait for another run", "1m"}; }

CommandSpec migrate_command() {
    CommandSpec command;
    command.name = "migrate";
    command.summary = "apply schema changes to all stores, in one ordered history";
    command.description =
        "Migrations are files <version>_<name>.sql with a '-- migrate:up' section, and where there is a way back a '-- migrate:down' one. Options on the "
        "first section line: store:NAME, transaction:false, lock-timeout:5s, env:NAME, variables:false. R__<name>.sql runs whenever it changes. The history of all stores is one table, ysdb.migrations, in the store that "
        "[migrate] names.";
    command.verbs = {migrate_new_verb(), up_verb(), migrate_down_verb(), migrate_redo_verb(), status_verb(), plan_verb(), verify_verb(), migrate_lint_verb(), repair_verb(), baseline_verb(), migrate_dump_verb(), migrate_drift_verb(), migrate_adopt_verb()};
    return command;
}

}  // namespace ysdb
