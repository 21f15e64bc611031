#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/fault.h"
#include "core/migrate/migrate.h"
#include "core/migrate/scratch.h"
#include "core/migrate/workspace.h"
#include "core/plan/refusals.h"
#include "core/schema/model.h"

namespace ysdb::migrate {

namespace {

struct Applied {
    std::set<std::string> versions;
    std::set<std::string> stores;            // that were compared: those of applied files, and the one with the history
    std::vector<std::string> warnings;
};

bool comparable(Context& context, const std::string& store) {
    const SqlStore* sql = context.stores.get(store).sql();
    return sql != nullptr && sql->dialect() != Dialect::questdb;
}

Applied applied_files(Workspace& work) {
    Applied applied;
    applied.stores.insert(work.home);
    for (const Standing& standing : work.standings) {
        if (standing.row == nullptr) {
            if (standing.state == State::partial || standing.state == State::unknown) applied.warnings.push_back("migration " + standing.file->title() + " is applied in part; what it did counts as a difference");
            continue;
        }
        if (standing.file == nullptr) {
            throw Error(Code::refused, "migration " + standing.row->title() + " was applied, and its file is gone: what the schema should be cannot be known", "bring it back from version control");
        }
        if (!comparable(work.context, standing.file->store)) {
            applied.warnings.push_back("store '" + standing.file->store + "' is not compared: neither PostgreSQL nor ClickHouse");
            continue;
        }
        if (standing.state == State::changed || (standing.repeatable() && standing.state != State::applied)) applied.warnings.push_back("migration " + standing.file->title() + " was edited after it was applied: compared with what it says now");
        applied.versions.insert(standing.file->version);
        applied.stores.insert(standing.file->store);
    }
    std::sort(applied.warnings.begin(), applied.warnings.end());
    applied.warnings.erase(std::unique(applied.warnings.begin(), applied.warnings.end()), applied.warnings.end());
    return applied;
}

// The live configuration with every store that files name replaced: no migration can reach a live server from here.
Config scratch_config(const Workspace& work, const Applied& applied, Scratch& scratch) {
    Config config = work.context.config;
    config.stores.clear();
    std::set<std::string> named{work.home};
    for (const Migration& file : work.files) named.insert(file.store);
    for (const std::string& name : named) {
        if (applied.stores.contains(name)) {
            config.stores.emplace(name, scratch.stand_in(work.context.stores.get(name)));
            continue;
        }
        // Its files are read, and none is run.
        StoreConfig nowhere;
        nowhere.name = name;
        const std::string& url = work.context.stores.config(name).url;
        nowhere.url = url.substr(0, url.find("://")) + "://127.0.0.1:1/none";
        config.stores.emplace(name, nowhere);
    }
    return config;
}

// role "app" does not exist
std::optional<std::string> missing_role(const Error& error) {
    constexpr std::string_view before = "role \"", after = "\" does not exist";
    if (error.server_code() != "42704") return std::nullopt;
    const auto begin = error.message().find(before);
    const auto end = error.message().find(after);
    if (begin == std::string::npos || end == std::string::npos || end < begin) return std::nullopt;
    return error.message().substr(begin + before.size(), end - begin - before.size());
}

// Roles that a database administrator made and migrations name are made up on a server of our own; owners and privileges are not compared.
void apply(Context& context, const Applied& applied, const Scratch& scratch, Millis lock_wait) {
    UpOptions options;
    options.only = applied.versions;
    options.out_of_order = true;
    options.lock_wait = lock_wait;
    std::set<std::string> made;
    while (true) {
        try {
            up(context, options);
            return;
        } catch (const Error& error) {
            if (error.code() == Code::interrupted) throw Error(Code::interrupted, "stopped while the migrations were applied to the scratch server", "nothing was compared, and nothing stays");
            const auto role = missing_role(error);
            if (!role || !made.insert(*role).second) {
                throw Error(error.code(), "on the scratch server: " + error.message(), role ? "make the role there, or let a lab be started: without --scratch" : "the live server took this once; what does it have that the scratch server lacks? --scratch URL names another")
                    .with_excerpt(error.excerpt())
                    .with_server_code(error.server_code());
            }
            bool here = false;
            for (const auto& [name, config] : context.config.stores) {
                SqlStore* sql = context.stores.get(name).sql();
                if (!scratch.own_server(name) || sql->dialect() != Dialect::postgres) continue;
                const std::vector<std::optional<std::string>> params{*role};
                if (sql->query("SELECT count(*) FROM pg_roles WHERE rolname = $1", params, context.deadline()).row(0).text(0) != "0") continue;
                sql->query("CREATE ROLE " + sql->quote_identifier(*role), context.deadline());
                here = true;
            }
            if (!here) throw;
        }
    }
}

// Where the tables of tools stand that migrations were adopted from: they are no migration's.
bool of_another_tool(const schema::Object& object) {
    for (const char* table : {"schema_migrations", "goose_db_version", "flyway_schema_history"}) {
        if (object.name.find(table) != std::string::npos || object.table.ends_with(table)) return true;
    }
    return object.name == "sqitch" || object.name.starts_with("sqitch.") || object.table.starts_with("sqitch.");
}

// Whether the history was taken over from another tool.
bool adopted(Workspace& work) {
    try {
        return work.session->query("SELECT count(*) FROM ysdb.migrations WHERE tool LIKE '%adopted from%'", work.context.deadline()).row(0).text(0) != "0";
    } catch (const Error& error) {
        if (!plan::is_missing_table(error)) throw;
        return false;
    }
}

// Partitions that `ysdb partition` makes and drops.
std::function<bool(const schema::Object&)> ignored(Context& context, const std::string& store, const schema::Schema& live, bool theirs) {
    std::set<std::string> managed;  // parents, as the model names them
    for (const PartitionConfig& partition : context.config.partitions) {
        if (!partition.table.starts_with(store + ".") || live.dialect != Dialect::postgres) continue;
        const TableRef table = parse_table_ref(partition.table.substr(store.size() + 1), "table of [[partition]]");
        const std::vector<std::optional<std::string>> params{table.schema.empty() ? "public" : table.schema, table.table};
        managed.insert(context.stores.get(store).sql()->query("SELECT format('%I.%I', $1::text, $2::text)", params, context.deadline()).row(0).text(0));
    }
    std::set<std::string> partitions;
    for (const schema::Object& object : live.objects) {
        if (object.kind != "partition") continue;
        const auto of = object.name.find(" of ");
        if (managed.contains(object.name.substr(of + 4)) || partitions.contains(object.name.substr(of + 4))) partitions.insert(object.table);
    }
    return [partitions, theirs](const schema::Object& object) { return partitions.contains(object.table) || (theirs && of_another_tool(object)); };
}

constexpr std::string_view words(schema::Difference::Side side) {
    switch (side) {
        case schema::Difference::Side::both: return "differs";
        case schema::Difference::Side::live: return "unexpected";
        case schema::Difference::Side::expected: return "missing";
    }
    return "";
}

}  // namespace

Report drift(Context& context, const DriftOptions& options) {
    Workspace work(context);
    work.read();
    const Applied applied = applied_files(work);
    Scratch scratch(context, {options.scratch, options.temporary, options.cache, options.program});
    const Config config = scratch_config(work, applied, scratch);
    Stores stores(config);
    Context there{config, stores, context.log, context.progress, context.stop, context.timeout, context.run_id, false};
    if (!applied.versions.empty()) apply(there, applied, scratch, options.lock_wait);
    fault::point("drift.apply.after");

    const bool theirs = adopted(work);
    Report report;
    report.warnings = applied.warnings;
    std::string text;
    std::int64_t count = 0, objects = 0;
    std::vector<std::vector<Value>> rows;
    for (const std::string& store : applied.stores) {
        if (!comparable(context, store)) continue;
        const schema::Schema live = schema::read(context.stores.get(store), {}, context.deadline());
        const schema::Schema expected = schema::read(stores.get(store), {}, context.deadline());
        objects += static_cast<std::int64_t>(live.objects.size());
        for (const std::string& name : live.left_out) report.warnings.push_back("store '" + store + "': not compared: " + name);
        for (const schema::Difference& difference : compare(live, expected, ignored(context, store, live, store == work.home && theirs))) {
            ++count;
            const std::string side(words(difference.side));
            text += fmt::format("{}{}: {} {}: {}\n--- expected, by the migrations\n+++ live\n{}", text.empty() ? "" : "\n", store, difference.kind, difference.name, side, difference.diff);
            rows.push_back({store, difference.kind, difference.name, side, difference.diff});
        }
    }
    report.add_figure("differences", count, Unit::count);
    report.add_figure("objects", objects, Unit::count);
    if (count == 0) {
        report.title = "the live schema is what the migrations make";
        return report;
    }
    report.add_table("changes", "", {{"store"}, {"kind"}, {"name"}, {"state"}, {"diff"}}).rows = std::move(rows);
    report.document = text + fmt::format("\n{} difference{}\n", count, count == 1 ? "" : "s");
    report.code = Code::differences;
    return report;
}

}  // namespace ysdb::migrate
