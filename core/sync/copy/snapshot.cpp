#include "core/sync/copy/snapshot.h"

#include <fmt/core.h>

#include <algorithm>
#include <mutex>

#include "core/base/fault.h"
#include "core/plan/runner_lock.h"
#include "core/sync/copy/snapshot_state.h"
#include "core/sync/copy/table_copy.h"
#include "core/sync/selection.h"
#include "core/sync/state.h"

namespace ysdb::sync {

namespace {

constexpr std::size_t rejected_shown = 50;

// One table's way from the source into one sink.
struct Job {
    Route route;
    TableInfo source;
    std::vector<ReadRange> ranges;
};

struct Outcome {
    std::string state = "not started";
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    std::uint64_t rejected = 0;
    double seconds = 0;
    std::string position;
};

// Rows that could not be copied, counted in full, shown in part. Thread-safe.
class Rejections {
public:
    void add(const std::string& table, const RejectedRow& row) {
        const std::lock_guard lock(mutex_);
        ++count_;
        if (shown_.size() < rejected_shown) shown_.push_back({table, row.key, row.column, row.reason});
    }
    std::uint64_t count() const {
        const std::lock_guard lock(mutex_);
        return count_;
    }
    void into(Report& report) const {
        if (count_ == 0) return;
        Table& table = report.add_table("rejected", fmt::format("{} rows left out{}", count_, count_ > shown_.size() ? ", the first of them" : ""),
                                        {{"table"}, {"key"}, {"column"}, {"reason"}});
        table.rows = shown_;
    }

private:
    mutable std::mutex mutex_;
    std::uint64_t count_ = 0;
    std::vector<std::vector<Value>> shown_;
};

RowSink& sink_of(Store& store) {
    if (store.sink() == nullptr) throw Error(Code::refused, "store '" + store.name() + "' takes no copies of tables");
    return *store.sink();
}

RowSource& source_of(Store& store) {
    if (store.rows() == nullptr) throw Error(Code::refused, "store '" + store.name() + "' has no tables to copy from");
    return *store.rows();
}

// The source's key is what tells two rows apart in the sink: without one a copy could not be followed by changes.
void require_key(const Route& route, const TableInfo& table) {
    if (!table.key.empty()) return;
    throw Error(Code::refused, route.source + "." + table.ref.text() + " has no primary key", "add one, or leave the table out of the sync set '" + route.set + "'");
}

// Routes that end in a store which takes copies; the others are told, not forgotten.
std::vector<Route> copying_routes(Context& context, const RouteFilter& filter, Report& report) {
    std::vector<Route> routes;
    for (const Route& route : find_routes(context.config, filter)) {
        if (context.stores.get(route.sink).sink() != nullptr) {
            routes.push_back(route);
        } else {
            report.warnings.push_back(fmt::format("{} -> {}: not copied; this store follows changes and takes no copy of the table", route.table.text(), route.sink));
        }
    }
    if (routes.empty()) throw Error(Code::refused, "none of the chosen tables goes to a store that takes copies", "add a ClickHouse store to [[sync.to]]");
    return routes;
}

void copy_table(Context& context, const SnapshotOptions& options, Job& job, SourceSnapshot& snapshot, const std::string& run, SnapshotState& state,
                Rejections& rejections, Outcome& outcome) {
    const auto start = SteadyClock::now();
    const std::string name = job.source.ref.text();
    RowSink& sink = sink_of(context.stores.get(job.route.sink));
    outcome.position = snapshot.describe();
    outcome.state = "copying";
    fault::point("snapshot.begin.before");
    const auto writer = sink.begin_replace(job.source, job.route.target, run, context.deadline());
    fault::point("snapshot.begin.after");
    auto progress = context.progress.begin(name + " -> " + job.route.sink, ProgressUnit::rows, job.source.estimated_rows);
    CopyCount count;
    const auto reject = [&](const RejectedRow& row) { rejections.add(name, row); };
    const auto tell = [&] {
        outcome.rows = count.rows;
        outcome.bytes = count.bytes;
        outcome.rejected = count.rejected;
        outcome.seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
    };
    try {
        copy_rows(context,
                  {*context.stores.get(job.route.source).rows(), job.source, job.ranges, snapshot, *writer, run, Version{1, snapshot.position(), 0}, options.workers, options.batch_bytes, reject, *progress},
                  count, context.stop);
        writer->flush(context.deadline());
    } catch (...) {
        tell();
        throw;
    }
    fault::point("snapshot.swap.before");
    sink.finish_replace(job.source, job.route.target, run, context.deadline());
    fault::point("snapshot.swap.after");
    state.finish_table(run, name, snapshot.position(), count.rows, count.rejected, context.deadline());
    fault::point("snapshot.state.after");
    tell();
    outcome.state = outcome.rejected == 0 ? "complete" : "complete but for rows left out";
}

// All tables of one set that go from one source to one sink, through one snapshot.
struct Group {
    std::string set, source, sink;
    std::vector<Route> routes;
};

std::vector<Group> grouped(const std::vector<Route>& routes) {
    std::vector<Group> groups;
    for (const Route& route : routes) {
        const auto same = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.set == route.set && g.source == route.source && g.sink == route.sink; });
        if (same != groups.end()) same->routes.push_back(route);
        else groups.push_back({route.set, route.source, route.sink, {route}});
    }
    return groups;
}

class Runner {
public:
    Runner(Context& context, const SnapshotOptions& options) : context_(context), options_(options) {}

    Report run() {
        const auto start = SteadyClock::now();
        Report report;
        report.title = "snapshot";
        for (const Group& group : grouped(copying_routes(context_, options_.filter, report))) copy_group(group);
        const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
        fill(report, seconds);
        return report;
    }

private:
    void copy_group(const Group& group) {
        RowSource& source = source_of(context_.stores.get(group.source));
        // Two runs of one set would take each other's staging tables for leftovers.
        SqlStore* sql = context_.stores.get(group.source).sql();
        if (sql == nullptr) throw Error(Code::refused, "store '" + group.source + "' cannot be locked against a second run");
        const auto session = sql->open_session("ysdb sync snapshot " + context_.run_id, context_.deadline());
        const auto lock = plan::RunnerLock::acquire(context_, *sql, *session, "sync " + group.set, options_.lock_wait);
        // A copy without a position of the stream could be older than a change that the stream has told already.
        SyncState followed(context_.stores.get(group.source), group.set);
        if (followed.prepared(context_.deadline()) && followed.set(context_.deadline())) {
            throw Error(Code::refused, "sync " + group.set + " follows its tables already", "ysdb sync reset TABLE has one copied anew by the next ysdb sync run; ysdb sync remove ends following");
        }
        SnapshotState state(context_.stores.get(group.sink), group.set, context_.deadline());
        const auto unfinished = options_.restart ? std::nullopt : state.unfinished_run(context_.deadline());
        const std::string run = unfinished.value_or(context_.run_id);
        const std::set<std::string> finished = unfinished ? state.finished_tables(run, context_.deadline()) : std::set<std::string>();
        if (!unfinished) {
            fault::point("snapshot.run.before");
            state.begin_run(run, context_.deadline());
            fault::point("snapshot.run.after");
        }
        std::vector<Route> open;
        for (const Route& route : group.routes) {
            if (!finished.contains(route.table.text())) open.push_back(route);
            else outcomes_.push_back({route, {.state = "complete since the interrupted run", .rows = 0, .bytes = 0, .rejected = 0, .seconds = 0, .position = ""}});
        }
        bool all = true;
        if (!open.empty() && !failed()) all = copy_open(source, group, open, run, state);
        // With a filter other tables of the set may still be missing from the run.
        if (all && !failed() && options_.filter.tables.empty()) {
            fault::point("snapshot.finish.before");
            state.finish_run(run, context_.deadline());
            fault::point("snapshot.finish.after");
        }
    }

    bool copy_open(RowSource& source, const Group&, const std::vector<Route>& open, const std::string& run, SnapshotState& state) {
        std::vector<Job> jobs;
        std::vector<TableRef> tables;
        for (const Route& route : open) {
            jobs.push_back({route, selected(context_.config, route.set, source.describe(route.table, context_.deadline())), {}});
            require_key(route, jobs.back().source);
            tables.push_back(route.table);
        }
        const auto snapshot = source.open_snapshot(tables, context_.deadline());
        for (Job& job : jobs) {
            outcomes_.push_back({job.route, {}});
            if (failed()) continue;
            try {
                job.ranges = source.ranges(job.source, *snapshot, options_.rows_per_range, context_.deadline());
                copy_table(context_, options_, job, *snapshot, run, state, rejections_, outcomes_.back().second);
            } catch (const Error& error) {
                outcomes_.back().second.state = "not finished: " + error.message();
                error_ = error;
            }
        }
        return !failed();
    }

    bool failed() const { return error_.has_value(); }

    void fill(Report& report, double seconds) {
        Table& table = report.add_table("tables", "", {{"table"}, {"sink"}, {"state"}, {"rows", Unit::count}, {"bytes", Unit::bytes}, {"rejected", Unit::count},
                                                       {"seconds", Unit::seconds, "time"}, {"rate", Unit::rows_per_s}, {"position"}});
        std::uint64_t rows = 0;
        for (const auto& [route, outcome] : outcomes_) {
            rows += outcome.rows;
            table.rows.push_back({route.table.text(), route.sink, outcome.state, static_cast<std::int64_t>(outcome.rows), static_cast<std::int64_t>(outcome.bytes),
                                  static_cast<std::int64_t>(outcome.rejected), outcome.seconds, outcome.seconds > 0 ? static_cast<double>(outcome.rows) / outcome.seconds : 0.0, outcome.position});
        }
        report.add_figure("rows", static_cast<std::int64_t>(rows), Unit::count);
        report.add_figure("seconds", seconds, Unit::seconds, "time");
        rejections_.into(report);
        report.next = "ysdb validate";
        if (error_) {
            // Interrupted keeps its own code; everything else is resumable by the same command.
            report.code = error_->code() == Code::interrupted ? Code::interrupted : Code::partial;
            report.warnings.push_back(error_->message() + (error_->hint().empty() ? "" : "; " + error_->hint()));
            report.next = "ysdb sync snapshot   (goes on: finished tables stay, the unfinished one starts over)";
        } else if (rejections_.count() > 0) {
            report.code = Code::partial;
        }
    }

    Context& context_;
    const SnapshotOptions& options_;
    Rejections rejections_;
    std::vector<std::pair<Route, Outcome>> outcomes_;
    std::optional<Error> error_;
};

}  // namespace

Report plan_snapshot(Context& context, const SnapshotOptions& options) {
    Report report;
    report.title = "snapshot plan: nothing is changed";
    const auto routes = copying_routes(context, options.filter, report);
    Table table{"tables", "", {{"table"}, {"from"}, {"to"}, {"rows", Unit::count, "rows (estimate)"}, {"bytes", Unit::bytes}, {"key"}, {"locks"}}, {}, false};
    for (const Route& route : routes) {
        const TableInfo info = selected(context.config, route.set, source_of(context.stores.get(route.source)).describe(route.table, context.deadline()));
        require_key(route, info);
        std::string key;
        for (const std::uint32_t column : info.key) key += (key.empty() ? "" : ", ") + info.columns[column].name;
        table.rows.push_back({route.table.text(), route.source, route.sink + "." + route.target.table, static_cast<std::int64_t>(info.estimated_rows),
                              static_cast<std::int64_t>(info.bytes), key, "ACCESS SHARE for the length of the copy"});
    }
    report.tables.push_back(std::move(table));
    report.next = "ysdb sync snapshot";
    return report;
}

Report run_snapshot(Context& context, const SnapshotOptions& options) { return Runner(context, options).run(); }

}  // namespace ysdb::sync
