#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/fault.h"
#include "core/migrate/adopt.h"
#include "core/migrate/migrate.h"
#include "core/migrate/replay.h"
#include "core/migrate/scratch.h"
#include "core/migrate/workspace.h"
#include "core/plan/refusals.h"
#include "core/schema/model.h"

namespace ysdb::migrate {

namespace {

// The tables of tools that migrations were adopted from: they are no migration's.
class Adopted {
public:
    Adopted() = default;
    explicit Adopted(Workspace& work) {
        if (work.store->dialect() == Dialect::questdb) return;
        try {
            const SqlResult tools = work.session->query("SELECT DISTINCT tool FROM ysdb.migrations WHERE tool LIKE '%adopted from%'", work.context.deadline());
            any_ = tools.rows() > 0;
            for (std::size_t i = 0; i < tools.rows(); ++i) {
                const std::string tool = tools.row(i).text(0);
                const auto named = tool.find(whose_history_is);
                if (named == std::string::npos) continue;
                elsewhere_.push_back(tool.substr(named + whose_history_is.size()));
            }
        } catch (const Error& error) {
            if (!plan::is_missing_table(error)) throw;
        }
    }

    bool has(const schema::Object& object) const {
        if (!any_) return false;
        for (const char* table : {"schema_migrations", "goose_db_version", "goose_lock", "flyway_schema_history"}) {
            if (object.name.find(table) != std::string::npos || object.table.ends_with(table)) return true;
        }
        const auto its = [&](const std::string& table) { return object.table == table || object.name == table || bare(object.name).starts_with(bare(table) + "_"); };  // and its sequence
        if (std::any_of(elsewhere_.begin(), elsewhere_.end(), its)) return true;
        return object.name == "sqitch" || object.name.starts_with("sqitch.") || object.table.starts_with("sqitch.");
    }

private:
    static std::string bare(std::string name) {
        std::erase(name, '"');
        return name;
    }

    bool any_ = false;
    std::vector<std::string> elsewhere_;    // as schemas name them
};

// Partitions that `ysdb partition` makes and drops.
std::function<bool(const schema::Object&)> ignored(Context& context, const std::string& store, const schema::Schema& live, const Adopted& theirs) {
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
    return [partitions, theirs](const schema::Object& object) { return partitions.contains(object.table) || theirs.has(object); };
}

}  // namespace

Report drift(Context& context, const DriftOptions& options) {
    Workspace work(context, options.environment);
    work.read();
    const Replay applied = applied_files(work);
    Scratch scratch(context, options.scratch);
    const Config config = scratch_config(work, applied.stores, [&](Store& live) { return scratch.stand_in(live); });
    Stores stores(config);
    Context there{config, stores, context.log, context.progress, context.stop, context.timeout, context.run_id, false};
    if (!applied.versions.empty()) {
        UpOptions up;
        up.environment = options.environment;
        up.lock_wait = options.lock_wait;
        replay(there, applied.versions, scratch, up);
    }
    fault::point("drift.apply.after");

    const Adopted theirs(work);
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
        for (const schema::Difference& difference : compare(live, expected, ignored(context, store, live, store == work.home ? theirs : Adopted()))) {
            ++count;
            const std::string side(side_name(difference.side));
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
