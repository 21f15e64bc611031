// The verbs of migrate that look at schemas as a whole: dump, drift.
#include <filesystem>

#include "cmd/lab_places.h"
#include "cmd/migrate_verbs.h"
#include "core/base/file.h"
#include "core/migrate/migrate.h"
#include "core/schema/model.h"

namespace ysdb {

namespace {

Report dump(const Invocation& line, Context& context) {
    Store& store = context.stores.get(line.has("--store") ? *line.text("--store") : context.config.migrate.store);
    const schema::Schema found = schema::read(store, {line.has("--grants")}, context.deadline());
    const std::string text = schema::dump(found);
    Report report;
    for (const std::string& name : found.left_out) report.warnings.push_back("not in the dump: " + name);
    if (!line.has("--file")) {
        report.document = text;
        return report;
    }
    const std::string file = *line.text("--file");
    write_file_atomically(file, text);
    report.add_figure("file", file);
    report.add_figure("objects", static_cast<std::int64_t>(found.objects.size()), Unit::count);
    return report;
}

}  // namespace

CommandSpec migrate_dump_verb() {
    CommandSpec verb;
    verb.name = "dump";
    verb.summary = "write the live schema as SQL, the same for the same schema";
    verb.description =
        "What makes this schema in an empty database, one object after another, each with its comment. It depends on the schema alone: not on the order in which "
        "things were made, on OIDs, dates or versions. So a diff of two files is a diff of two schemas, and a file kept in version control shows what a migration "
        "changed. ysdb's own schema and what extensions brought are left out; what has no SQL here (operator classes, foreign tables) is named in a warning.";
    verb.flags = {{"--store", "NAME", "the store to read", "store of [migrate]"},
                  {"--file", "FILE", "write it there instead of to the terminal", ""},
                  {"--grants", "", "PostgreSQL: owners and privileges too", ""}};
    verb.examples = {{"ysdb migrate dump > schema.sql", "the schema of the default store"},
                     {"ysdb migrate dump --store analytics --file analytics.sql", "of another one, replaced in one step"}};
    verb.run = [](const Invocation& line, Context& context, Operator&) { return dump(line, context); };
    return verb;
}

FlagSpec migrate_scratch_flag() {
    return {"--scratch", "URL", "apply to a database of its own on this server, a URL without a password or the name of a store; once for PostgreSQL, once for ClickHouse", "a lab", {}, true};
}

migrate::ScratchOptions migrate_scratch_options(const Invocation& line) {
    return {line.all("--scratch"), std::filesystem::temp_directory_path(), default_cache_dir(), own_program()};
}

CommandSpec migrate_drift_verb() {
    CommandSpec verb;
    verb.name = "drift";
    verb.summary = "compare the live schema with what the migrations make";
    verb.description =
        "Applies the migrations that are recorded as applied to a scratch server and compares what came of it with the live schemas, object by object; what differs is "
        "shown as DDL. The scratch server is a lab in a temporary directory, of the live server's version where that is at hand, and is gone at the end; what a run that was "
        "killed left, the next one removes. The live server is only read: --scratch refuses it.\n\n"
        "Roles that a migration names and nobody makes are made up in the lab; owners and privileges are not compared. Not compared either: ysdb's own schema, what "
        "extensions brought, partitions of tables in [[partition]]. Ends with exit code 1 when something differs.";
    verb.flags = {migrate_scratch_flag(),
                  migrate_env_flag(),
                  {"--lock-wait", "DURATION", "how long to wait for another run on the scratch server", "1m"}};
    verb.examples = {{"ysdb migrate drift", "did somebody change the live schema by hand?"}, {"ysdb migrate drift --output json", "for a monitor: \"differences\" is 0 or more"}};
    verb.run = [](const Invocation& line, Context& context, Operator&) {
        migrate::DriftOptions options;
        options.scratch = migrate_scratch_options(line);
        if (line.has("--env")) options.environment = line.text("--env");
        options.lock_wait = *line.duration("--lock-wait");
        return migrate::drift(context, options);
    };
    return verb;
}

}  // namespace ysdb
