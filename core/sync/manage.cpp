#include "core/sync/manage.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/embedded.h"
#include "core/base/fault.h"
#include "core/base/text.h"
#include "core/base/time.h"
#include "core/plan/runner_lock.h"
#include "core/sync/copy/copy_log.h"
#include "core/sync/poll/poll_state.h"
#include "core/sync/sets.h"
#include "core/sync/state.h"
#include "core/value/show.h"

namespace ysdb::sync {

namespace {

constexpr Millis just_died{2'000};   // a run that was killed may hold its lock for a moment
constexpr double stale_s = 15;   // a running sync writes every few seconds while anything changes

// Held while something about the set is changed, so that no run is at work.
struct Held {
    std::unique_ptr<SqlSession> session;
    plan::RunnerLock lock;
};
Held hold(Context& context, SyncSet& set) {
    auto session = set.home.sql()->open_session("ysdb sync " + set.name + " " + context.run_id, context.deadline());
    auto lock = plan::RunnerLock::acquire(context, *set.home.sql(), *session, "sync " + set.name, just_died);
    return {std::move(session), std::move(lock)};
}

// In bytes of the source's log, or in ticks of a set that counts these.
struct Behind {
    std::uint64_t distance;
    bool counts;
    Value bytes() const { return counts ? Value() : Value(static_cast<std::int64_t>(distance)); }
    Value ticks() const { return counts ? Value(static_cast<std::int64_t>(distance)) : Value(); }
};
Behind behind_of(const SyncSet& set, std::uint64_t end, std::uint64_t reached) { return {end - std::min(end, reached), counts_ticks(set.capture_kind)}; }

void add_slot(Report& report, const SyncSet& set, const CaptureState& state, const std::optional<SetState>& saved, Table& table) {
    const std::string health = !state.installed ? "not installed" : state.health;
    const Behind behind = behind_of(set, state.position, state.confirmed);
    table.rows.push_back({set.name, set.source.name(), set.capture_kind, health, state.active_pid != 0, position_text(set.capture_kind, state.confirmed), behind.bytes(), behind.ticks(),
                          static_cast<std::int64_t>(state.retained_bytes), saved ? static_cast<std::int64_t>(saved->epoch) : Value()});
    if (state.installed && state.health == "lost") {
        report.code = Code::differences;
        report.warnings.push_back("the server gave up the slot of sync " + set.name + ": ysdb sync reset copies its tables anew");
    } else if (state.installed && state.active_pid == 0) {
        report.warnings.push_back("sync " + set.name + " is not running" + (state.retained_bytes == 0 ? "" : "; the server keeps " + human_bytes(static_cast<double>(state.retained_bytes)) + " for it"));
    }
    if (state.running_out()) {
        report.warnings.push_back(fmt::format("the server gives up the slot of sync {} in {} more", set.name, human_bytes(static_cast<double>(*state.left_bytes))));
    }
}

// How often a table was taken up anew of late that its source had halted, and when that is tried next.
void add_renewals(std::vector<Value>& row, const TableState& table) {
    row.push_back(table.renewals == 0 ? Value() : Value(static_cast<std::int64_t>(table.renewals)));
    row.push_back(table.renew_in_s ? Value(std::max(0.0, *table.renew_in_s)) : Value());
}

// A transaction that was prepared and not ended since is in no list of sessions. It is told when it is committed; until then what is behind it stays.
void note_prepared(Context& context, const SyncSet& set, Report& report) {
    constexpr std::int64_t old_s = 15;
    SqlStore* sql = set.source.sql();
    const bool triggers = set.capture_kind == "trigger";
    if (sql == nullptr || sql->dialect() != Dialect::postgres || (!triggers && set.capture_kind != "wal")) return;
    const SqlResult open = sql->query(embedded_file("sql/ysdb/postgres/open_transactions.sql"), context.deadline());
    for (std::size_t i = 0; i < open.rows(); ++i) {
        const SqlRow row = open.row(i);
        if (!row.truth(0) || (triggers && !row.truth(1)) || row.integer(4) < old_s) continue;
        report.warnings.push_back(row.text(2) + " has been open for " + human_duration(static_cast<double>(row.integer(4))) + ", and " + (triggers ? "cdc.change_log" : "the server's log") + " is kept for it: " + row.text(3));
    }
}

}  // namespace

Report install(Context& context, const std::string& name) {
    SyncSet set = open_set(context, name);
    Report report;
    report.title = context.dry_run ? "sync install: nothing is changed" : "sync install";
    Table& table = report.add_table("statements", "", {{"statement"}});
    for (const std::string& statement : set.capture.plan_install(set.name, set.tables, context.deadline())) table.rows.push_back({statement});
    if (!context.dry_run) {
        const Held held = hold(context, set);
        SyncState(set.home, set.name).prepare(context.deadline());
        set.capture.install(set.name, set.tables, context.deadline());
    }
    report.next = "ysdb sync run";
    return report;
}

Report status(Context& context, const StatusOptions& options) {
    Report report;
    report.title = "sync";
    Table slots{"sets", "", {{"set"}, {"from"}, {"capture"}, {"state"}, {"running"}, {"confirmed"}, {"behind", Unit::bytes}, {"behind_ticks", Unit::count, "ticks"}, {"retained", Unit::bytes}, {"epoch", Unit::count}}, {}, false};
    Table sinks{"sinks", "", {{"set"}, {"sink"}, {"state"}, {"position"}, {"behind", Unit::bytes}, {"behind_ticks", Unit::count, "ticks"}, {"lag_ms", Unit::count, "lag (ms)"}, {"changes", Unit::count}, {"rate", Unit::rows_per_s}, {"eta_s", Unit::seconds, "ETA"}, {"seen_s", Unit::seconds, "said"}, {"error"}}, {}, false};
    Table tables{"tables", "", {{"set"}, {"table"}, {"sink"}, {"state"}, {"copied", Unit::count, "rows copied"}, {"dead_letters", Unit::count, "dead letters"}, {"reason"}, {"renewals", Unit::count}, {"renew_s", Unit::seconds, "new copy in"}}, {}, false};
    Table letters{"dead_letters", "changes that a sink could not take", {{"set"}, {"sink"}, {"table"}, {"key"}, {"column"}, {"reason"}, {"version"}, {"tries", Unit::count}, {"at"}}, {}, false};
    for (const std::string& name : options.set.empty() ? set_names(context.config) : std::vector{options.set}) {
        SyncSet set = open_set(context, name);
        SyncState state(set.home, set.name);
        const CaptureState now = set.capture.look(set.name, context.deadline());
        const bool prepared = state.prepared(context.deadline());
        add_slot(report, set, now, prepared ? state.set(context.deadline()) : std::nullopt, slots);
        note_prepared(context, set, report);
        for (const SinkState& sink : state.sinks(context.deadline())) {
            const bool quiet = sink.age_s > stale_s && now.active_pid == 0;
            const Behind behind = behind_of(set, now.position, sink.position);
            sinks.rows.push_back({set.name, sink.sink, quiet ? "not running" : sink.state, position_text(set.capture_kind, sink.position), behind.bytes(), behind.ticks(), sink.lag_ms,
                                  static_cast<std::int64_t>(sink.changes), quiet ? 0.0 : sink.changes_per_s, quiet || sink.log_per_s <= 0 || behind.distance == 0 ? Value() : Value(static_cast<double>(behind.distance) / sink.log_per_s),
                                  sink.age_s, sink.error});
        }
        const auto counts = state.dead_letter_counts(context.deadline());
        const std::vector<TableState> known = state.tables(context.deadline());
        for (const Route& route : set.routes) {
            const auto found = std::find_if(known.begin(), known.end(), [&](const TableState& t) { return t.table == route.table.text() && t.sink == route.sink; });
            const auto count = counts.find({route.sink, route.table.text()});
            const std::int64_t dead = count == counts.end() ? 0 : static_cast<std::int64_t>(count->second);
            const std::string now_state = found == known.end() ? "new" : found->state;
            Value rows = found == known.end() ? Value() : Value(static_cast<std::int64_t>(found->rows));
            std::string reason = found == known.end() ? "" : found->reason;
            if (now_state == "copying") {
                if (const auto copy = CopyLog(set.home, set.name).find(route.table.text(), route.sink, context.deadline())) {
                    rows = static_cast<std::int64_t>(copy->rows);
                    reason = fmt::format("{} of {} ranges", std::count(copy->done.begin(), copy->done.end(), true), copy->ranges.size());
                }
            }
            tables.rows.push_back({set.name, route.table.text(), route.sink, now_state, std::move(rows), dead, std::move(reason)});
            add_renewals(tables.rows.back(), found == known.end() ? TableState{} : *found);
            if (now_state == "halted" || dead > 0) report.code = Code::differences;
        }
        // What goes over a bus is copied, and halts, there as well.
        for (const TableState& table : known) {
            if (set.route_of(table.table, table.sink) != nullptr) continue;
            tables.rows.push_back({set.name, table.table, table.sink, table.state, static_cast<std::int64_t>(table.rows), std::int64_t{0}, table.reason});
            add_renewals(tables.rows.back(), table);
            if (table.state == "halted") report.code = Code::differences;
        }
        if (options.dead_letters) {
            for (const DeadLetter& letter : state.dead_letters(1000, context.deadline())) {
                letters.rows.push_back({set.name, letter.sink, letter.table, letter.key, letter.column, letter.reason, letter.version, static_cast<std::int64_t>(letter.tries), letter.at});
            }
        }
    }
    report.tables.push_back(std::move(slots));
    report.tables.push_back(std::move(sinks));
    report.tables.push_back(std::move(tables));
    if (options.dead_letters) report.tables.push_back(std::move(letters));
    return report;
}

Report reset(Context& context, const std::string& name, const std::optional<std::string>& table) {
    SyncSet set = open_set(context, name);
    if (table && std::none_of(set.tables.begin(), set.tables.end(), [&](const TableRef& t) { return t.text() == *table; })) {
        std::vector<std::string> names;
        for (const TableRef& t : set.tables) names.push_back(t.text());
        throw Error(Code::usage, "sync " + set.name + " has no table '" + *table + "'" + did_you_mean(*table, names), "its tables: " + join(names, ", "));
    }
    Report report;
    report.title = context.dry_run ? "sync reset: nothing is changed" : "sync reset";
    Table& todo = report.add_table("tables", "copied anew by the next run", {{"table"}, {"sink"}});
    for (const Route& route : set.routes) {
        if (!table || route.table.text() == *table) todo.rows.push_back({route.table.text(), route.sink});
    }
    report.next = "ysdb sync run";
    if (context.dry_run) return report;
    const Held held = hold(context, set);
    SyncState state(set.home, set.name);
    state.prepare(context.deadline());
    fault::point("sync.reset.before");
    state.forget_copies(table, context.deadline());
    // What was told of its rows does not matter any more.
    if (PollState told(*set.home.sql(), set.name); table && set.capture_kind == "poll" && told.prepared(context.deadline())) told.forget(*table, context.deadline());
    if (!table) {
        // A new slot: what the old one had not told is in the copies.
        set.capture.remove(set.name, context.deadline());
        set.capture.install(set.name, set.tables, context.deadline());
        const CaptureState now = set.capture.look(set.name, context.deadline());
        std::uint32_t epoch = 0;
        if (const auto saved = state.set(context.deadline())) epoch = saved->epoch;
        for (const std::string& sink : set.sinks) epoch = std::max(epoch, context.stores.get(sink).changes()->epoch(set.name, context.deadline()));
        for (const std::string& sink : set.sinks) context.stores.get(sink).changes()->begin_epoch(set.name, epoch + 1, context.deadline());
        state.save({set.capture_kind, now.system, now.timeline, epoch + 1, now.confirmed}, context.deadline());
    }
    fault::point("sync.reset.after");
    return report;
}

Report retry_dead_letters(Context& context, const std::string& name) {
    constexpr std::uint64_t rows_per_range = 200'000;
    constexpr std::size_t batch_bytes = 8u << 20, letters_at_once = 1'000'000;
    SyncSet set = open_set(context, name);
    SyncState state(set.home, set.name);
    std::map<std::pair<std::string, std::string>, std::set<std::string>> wanted;   // keys by sink and table
    for (const DeadLetter& letter : state.dead_letters(letters_at_once, context.deadline())) wanted[{letter.sink, letter.table}].insert(letter.key);
    Report report;
    report.title = context.dry_run ? "sync retry: nothing is changed" : "sync retry";
    Table table{"tables", "", {{"table"}, {"sink"}, {"rows", Unit::count, "rows with dead letters"}, {"arrived", Unit::count}, {"gone", Unit::count}, {"left", Unit::count}}, {}, false};
    const auto saved = wanted.empty() ? std::nullopt : state.set(context.deadline());
    std::optional<Held> held;
    if (!context.dry_run && saved) held.emplace(hold(context, set));
    for (const Route& route : set.routes) {
        const auto found = wanted.find({route.sink, route.table.text()});
        if (found == wanted.end()) continue;
        const std::set<std::string>& keys = found->second;
        if (context.dry_run || !saved) {
            table.rows.push_back({route.table.text(), route.sink, static_cast<std::int64_t>(keys.size()), Value(), Value(), static_cast<std::int64_t>(keys.size())});
            continue;
        }
        // The rows as of a position: what the stream tells from there on is newer, what it told before is older.
        const TableInfo info = set.capture.describe(route.table, context.deadline());
        const auto snapshot = set.capture.snapshot(set.name, std::vector{route.table}, context.deadline());
        ChangeBatch rows;
        rows.rows = Batch(&info);
        rows.versions = {Version{saved->epoch, snapshot->position(), 0}};
        std::set<std::string> refused, seen;
        const auto progress = context.progress.begin(route.table.text() + " -> " + route.sink, ProgressUnit::rows, info.estimated_rows);
        for (const ReadRange& range : set.rows().ranges(info, *snapshot, rows_per_range, context.deadline())) {
            set.rows().read(info, range, *snapshot, batch_bytes, context.timeout, context.stop,
                                    [&](Batch& batch) {
                                        for (std::size_t row = 0; row < batch.rows(); ++row) {
                                            const std::string key = show_key(batch, row);
                                            if (!keys.contains(key)) continue;
                                            seen.insert(key);
                                            rows.rows.append(batch, row, row + 1);
                                        }
                                        progress->add(batch.rows());
                                    },
                                    [&](const RejectedRow& row) {
                                        if (!keys.contains(row.key)) return;
                                        seen.insert(row.key);
                                        refused.insert(row.key);
                                        state.retry_failed({route.sink, route.table.text(), row.key, row.column, row.reason}, context.deadline());
                                    });
        }
        const auto writer = context.stores.get(route.sink).changes()->follow(route.landing, context.deadline());
        writer->reshape(info, {}, context.deadline());
        fault::point("sync.retry.before");
        writer->apply(rows, context.deadline(), [&](std::size_t, const RejectedRow& row) {
            refused.insert(row.key);
            state.retry_failed({route.sink, route.table.text(), row.key, row.column, row.reason}, context.deadline());
        });
        writer->flush(context.deadline());
        fault::point("sync.retry.after");
        std::int64_t arrived = 0, gone = 0;
        for (const std::string& key : keys) {
            if (refused.contains(key)) continue;
            ++(seen.contains(key) ? arrived : gone);
            state.drop_dead_letters(route.sink, route.table.text(), key, context.deadline());
        }
        table.rows.push_back({route.table.text(), route.sink, static_cast<std::int64_t>(keys.size()), arrived, gone, static_cast<std::int64_t>(refused.size())});
        if (!refused.empty()) report.code = Code::partial;
    }
    report.tables.push_back(std::move(table));
    report.next = report.code == Code::ok ? "ysdb sync status" : "ysdb sync status --dead-letters";
    return report;
}

Report remove(Context& context, const std::string& name) {
    SyncSet set = open_set(context, name);
    Report report;
    report.title = context.dry_run ? "sync remove: nothing is changed" : "sync remove";
    Table& todo = report.add_table("removed", "", {{"what"}});
    todo.rows.push_back({(set.capture_kind == "poll" ? "what is remembered of its reads, in " + set.home.name() : (set.capture_kind == "trigger" ? "triggers that no other set needs, with the last set the log, in " : "replication slot and publication of the set, in ") + set.source.name())});
    todo.rows.push_back({"its rows in the tables of schema ysdb"});
    report.warnings.push_back("the tables in the sinks stay as they are");
    if (context.dry_run) return report;
    const Held held = hold(context, set);
    SyncState state(set.home, set.name);
    if (const auto saved = state.prepared(context.deadline()) ? state.set(context.deadline()) : std::nullopt; saved && !bus_of(saved->capture).empty()) {
        bus_at(context, set.name, bus_of(saved->capture)).remove(set.name, context.deadline());
    }
    set.capture.remove(set.name, context.deadline());
    state.remove(context.deadline());
    return report;
}

}  // namespace ysdb::sync
