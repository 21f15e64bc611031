#include "core/reconcile/validate.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/reconcile/compare.h"
#include "core/sync/follow/reached.h"
#include "core/sync/poll/poll_capture.h"
#include "core/sync/selection.h"
#include "core/value/columns.h"

namespace ysdb::reconcile {

namespace {

constexpr std::uint64_t rows_per_range = 500'000;
constexpr std::string_view version_column = "_version";  // ysdb's own in sync targets

RowSource& rows_of(Store& store) {
    if (store.rows() == nullptr) throw Error(Code::refused, "store '" + store.name() + "' has no tables to compare");
    return *store.rows();
}

// The stream of changes leaves generated columns out: where the sink has none of that name, there is nothing to compare.
TableInfo without_generated(const TableInfo& source, const TableInfo& sink) {
    return without_columns(source, [&](const ColumnInfo& column) {
        return column.generated && find_column(sink.columns, column.name) == nullptr;
    });
}

// The source's table as its set tells it.
TableInfo as_told(Context& context, const Route& route, Store& source, const TableInfo& sink) {
    for (const SyncConfig& set : context.config.syncs) {
        if (set.name != route.set) continue;
        if (set.capture == "poll") return sync::polled_table(set, source, route.table, context.deadline());
        return sync::selected(set, without_generated(rows_of(source).describe(route.table, context.deadline()), sink));
    }
    return without_generated(rows_of(source).describe(route.table, context.deadline()), sink);
}

// The sink's table, read as the source's columns in the source's types, and the version where the sink keeps one.
TableInfo as_source(const TableInfo& source, const TableInfo& sink, std::vector<std::string>& missing) {
    TableInfo table = source;
    table.ref = sink.ref;
    for (const ColumnInfo& column : source.columns) {
        if (find_column(sink.columns, column.name) == nullptr) missing.push_back(column.name);
    }
    if (find_column(sink.columns, version_column) != nullptr) {
        ColumnInfo version;
        version.name = version_column;
        version.type.kind = TypeKind::uint128;
        version.type.nullable = false;
        table.columns.push_back(version);
    }
    return table;
}

// Opens both sides of a comparison. Beside a stream the source's end is read before its view, so that rows the sink has beyond it are known, and
// the sink is opened once it has all of that view.
class Views {
public:
    Views(Context& context, const ValidateOptions& options, const Route& route) : context_(context), options_(options), route_(route) {
        const auto set = std::find_if(context.config.syncs.begin(), context.config.syncs.end(), [&](const SyncConfig& each) { return each.name == route.set; });
        Store& source = context.stores.get(route.source);
        const bool keeps_state = set != context.config.syncs.end() && set->capture != "poll" && source.sql() != nullptr && source.sql()->dialect() == Dialect::postgres;
        if (!keeps_state) {
            if (!options.at_watermark) return;
            throw Error(Code::refused, "sync " + route.set + " has no log to tell how far a sink is", "compare it at rest, once nobody writes: --at now");
        }
        state_.emplace(source, route.set);
        if (options.at_watermark) sync::check_followed(context, *set, *state_, route);
        if (const auto saved = state_->prepared(context.deadline()) ? state_->set(context.deadline()) : std::nullopt) {
            set_ = &*set;
            capture_ = source.capture(set->capture);
            epoch_ = saved->epoch;
        }
    }

    void open(Side& source, Side& sink) {
        source.snapshot.reset();
        sink.snapshot.reset();
        std::optional<std::uint64_t> position;
        if (set_ != nullptr) position = capture_->look(set_->name, context_.deadline()).position;
        open_side(source);
        beyond_ = Version{epoch_, position.value_or(source.snapshot->position()), 0xffffffffu}.packed();
        if (options_.at_watermark) sync::wait_until_reached(context_, *set_, *capture_, *state_, route_.sink, options_.wait);
        open_side(sink);
    }
    UInt128 beyond() const { return beyond_; }

private:
    void open_side(Side& side) const {
        const std::vector<TableRef> tables{side.table.ref};
        side.snapshot = rows_of(*side.store).open_snapshot(tables, context_.deadline());
        side.ranges = rows_of(*side.store).ranges(side.table, *side.snapshot, rows_per_range, context_.deadline());
    }

    Context& context_;
    const ValidateOptions& options_;
    const Route& route_;
    const SyncConfig* set_ = nullptr;       // of a table that was ever followed
    ChangeCapture* capture_ = nullptr;
    std::optional<sync::SyncState> state_;
    std::uint32_t epoch_ = 1;
    UInt128 beyond_ = 0;
};

struct Tables {
    Table summary{"tables", "", {{"table"}, {"sink"}, {"verdict"}, {"rows_source", Unit::count, "source rows"}, {"rows_sink", Unit::count, "sink rows"}, {"missing", Unit::count},
                                 {"extra", Unit::count}, {"different", Unit::count}, {"unsettled", Unit::count}, {"seconds", Unit::seconds, "time"}, {"rate", Unit::rows_per_s}}, {}, false};
    Table differences{"differences", "rows that differ", {{"table"}, {"sink"}, {"key"}, {"verdict"}, {"columns"}}, {}, false};
    std::int64_t unequal = 0;
};

void compare_rows(Context& context, const ValidateOptions& options, const Route& route, Tables& tables) {
    const auto start = SteadyClock::now();
    Views views(context, options, route);
    Store& source_store = context.stores.get(route.source);
    Store& sink_store = context.stores.get(route.sink);
    const TableInfo in_sink = rows_of(sink_store).describe(route.target, context.deadline());
    const TableInfo source_table = as_told(context, route, source_store, in_sink);
    std::vector<std::string> missing;
    TableInfo sink_table = as_source(source_table, in_sink, missing);
    // PostgreSQL's rows come as they are declared there: the canonical cells of what may be assigned are the same.
    if (sink_store.sql() != nullptr && sink_store.sql()->dialect() == Dialect::postgres && missing.empty()) {
        for (ColumnInfo& column : sink_table.columns) column = *find_column(in_sink.columns, column.name);
    }
    if (!missing.empty()) {
        for (const std::string& column : missing) tables.differences.rows.push_back({route.table.text(), route.sink, "", "the sink has no such column", column});
        tables.summary.rows.push_back({route.table.text(), route.sink, "different structure", {}, {}, {}, {}, {}, {}, {}, {}});
        ++tables.unequal;
        return;
    }
    Side source{.store = &source_store, .table = source_table, .snapshot = {}, .ranges = {}, .workers = options.source_workers};
    Side sink{.store = &sink_store, .table = sink_table, .snapshot = {}, .ranges = {}, .workers = options.sink_workers};
    views.open(source, sink);
    CompareOptions how{.limit = options.limit, .beyond = views.beyond()};
    if (options.at_watermark) how.look_again = [&](Side& left, Side& right) { views.open(left, right); };
    const Comparison result = compare(context, source, sink, how);
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
    std::string verdict = result.equal() ? "equal" : result.missing + result.extra + result.different == 0 && result.unreadable.empty() ? "unsettled" : "different";
    if (result.at_least) verdict += " (counts are lower bounds)";
    const auto count = [](std::uint64_t n) { return Value(static_cast<std::int64_t>(n)); };
    tables.summary.rows.push_back({route.table.text(), route.sink, verdict, count(result.source_rows), count(result.sink_rows), count(result.missing), count(result.extra),
                                   count(result.different), count(result.unsettled), seconds, static_cast<double>(result.source_rows) / std::max(seconds, 1e-9)});
    for (const Difference& difference : result.differences) {
        tables.differences.rows.push_back({route.table.text(), route.sink, difference.key, verdict_text(difference.verdict), difference.columns});
    }
    for (const RejectedRow& row : result.unreadable) tables.differences.rows.push_back({route.table.text(), route.sink, row.key, "cannot be compared: " + row.reason, row.column});
    if (!result.equal()) ++tables.unequal;
}

std::int64_t count_rows(Context& context, Store& store, const TableInfo& table) {
    SqlStore* sql = store.sql();
    if (sql == nullptr) throw Error(Code::refused, "store '" + store.name() + "' cannot count rows");
    const std::string name = (table.ref.schema.empty() ? "" : sql->quote_identifier(table.ref.schema) + ".") + sql->quote_identifier(table.ref.table);
    // Synced ClickHouse tables keep versions until they are merged: only FINAL tells how many rows there are.
    const bool versions = find_column(table.columns, version_column) != nullptr;
    return sql->query("SELECT count(*) FROM " + name + (versions ? " FINAL WHERE _is_deleted = 0" : ""), context.deadline()).row(0).integer(0);
}

void compare_counts(Context& context, const ValidateOptions& options, const Route& route, Tables& tables) {
    const auto start = SteadyClock::now();
    Store& source = context.stores.get(route.source);
    Store& sink = context.stores.get(route.sink);
    const std::int64_t in_source = count_rows(context, source, rows_of(source).describe(route.table, context.deadline()));
    const std::int64_t in_sink = count_rows(context, sink, rows_of(sink).describe(route.target, context.deadline()));
    const double share = static_cast<double>(std::abs(in_source - in_sink)) / static_cast<double>(std::max<std::int64_t>(1, std::max(in_source, in_sink)));
    const double allowed = options.mode == ValidateMode::tolerance ? options.tolerance : 0;
    const bool good = share <= allowed;
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
    tables.summary.rows.push_back({route.table.text(), route.sink, std::string(good ? "counts agree" : "counts differ") + fmt::format(" ({:.3g} %)", share * 100), in_source, in_sink,
                                   std::max<std::int64_t>(0, in_source - in_sink), std::max<std::int64_t>(0, in_sink - in_source), {}, {}, seconds, {}});
    if (!good) ++tables.unequal;
}

}  // namespace

Report validate(Context& context, const ValidateOptions& options) {
    Report report;
    report.title = "validate";
    Tables tables;
    std::int64_t compared = 0;
    for (const Route& route : find_routes(context.config, options.filter)) {
        if (context.stores.get(route.sink).rows() == nullptr) {
            report.warnings.push_back(route.table.text() + " -> " + route.sink + ": not compared; this store holds no tables");
            continue;
        }
        ++compared;
        if (options.mode == ValidateMode::exact) compare_rows(context, options, route, tables);
        else compare_counts(context, options, route, tables);
    }
    if (compared == 0) throw Error(Code::refused, "none of the chosen tables goes to a store that can be compared");
    report.add_figure("compared", compared, Unit::count, "tables compared");
    report.add_figure("unequal", tables.unequal, Unit::count, "tables that differ");
    report.tables.push_back(std::move(tables.summary));
    if (!tables.differences.rows.empty()) report.tables.push_back(std::move(tables.differences));
    if (tables.unequal > 0) {
        report.code = Code::differences;
        report.next = "ysdb sync snapshot   (copies the tables anew; those of a set that sync run follows: ysdb sync reset)";
    }
    return report;
}

}  // namespace ysdb::reconcile
