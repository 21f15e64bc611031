#include "core/sync/poll/poll_capture.h"

#include <fmt/core.h>

#include <algorithm>
#include <mutex>

#include "core/base/fault.h"
#include "core/sync/poll/poll_source.h"
#include "core/sync/sets.h"

namespace ysdb::sync {

namespace {

PolledTableOptions options_for(const SyncConfig& set, const std::string& name) {
    PolledTableOptions table{parse_table_ref(name, "[[sync]] " + set.name + ": tables"), {}, {}, {}, {}, {}};
    const auto said = std::find_if(set.table.begin(), set.table.end(), [&](const SyncTable& t) { return t.name == name; });
    if (said != set.table.end()) {
        table.key = said->key;
        table.cursor = said->cursor;
        table.overlap = said->overlap;
        table.columns = said->columns;
        table.except = said->except;
    }
    return table;
}

class PutAside final : public SourceSnapshot {
public:
    explicit PutAside(std::shared_ptr<PollCopy> copy) : copy_(std::move(copy)) {}
    std::uint64_t position() const override { return copy_->tick; }
    std::string describe() const override { return position_text("poll", copy_->tick); }
    const RowSpool& rows(const TableRef& table) const { return *copy_->rows.at(table); }

private:
    std::shared_ptr<PollCopy> copy_;
};

class PollCapture final : public ChangeCapture, RowSource {
public:
    PollCapture(Store& source, Store& home, const SyncConfig& set, Millis timeout) : source_(source), home_(home), every_(set.every), timeout_(timeout) {
        for (const std::string& name : set.tables) tables_.push_back(options_for(set, name));
    }

    // --- ChangeCapture ---
    // Which cluster is the one of what is remembered: what is read may be replaced by anything, and is compared all the same.
    CaptureState look(const std::string& set, Deadline deadline) override {
        SqlStore& sql = *home_.sql();
        const SqlResult may = sql.query("SELECT has_function_privilege('pg_control_system()', 'execute'), has_function_privilege('pg_walfile_name(pg_lsn)', 'execute')"
                                        " AND has_function_privilege('pg_current_wal_insert_lsn()', 'execute') AND NOT pg_is_in_recovery(), pg_is_in_recovery()", deadline);
        if (may.row(0).truth(2)) throw Error(Code::connect, "store '" + home_.name() + "': the server is a replica, and what is told cannot be written down there", "point its url at the primary").with_retryable();
        CaptureState state;
        state.system = sql.query(may.row(0).truth(0) ? "SELECT system_identifier::text FROM pg_control_system()" : "SELECT 'database ' || oid FROM pg_database WHERE datname = current_database()", deadline).row(0).text(0);
        state.timeline = 1;
        if (may.row(0).truth(1)) {
            state.timeline = static_cast<std::uint32_t>(sql.query("SELECT ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint", deadline).row(0).integer(0));
        }
        const auto tick = PollState(sql, set).tick(deadline);
        state.installed = tick.has_value();
        state.health = "polled";
        state.position = tick.value_or(0) == 0 ? 0 : *tick + 1;   // behind the last read that was begun
        state.active_pid = sql.query("SELECT coalesce(min(pid), 0) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ysdb sync ' || $1 || ' %'",
                                     std::vector<std::optional<std::string>>{set}, deadline).row(0).integer(0);
        return state;
    }

    std::vector<std::string> plan_install(const std::string& set, std::span<const TableRef> tables, Deadline deadline) override {
        for (const TableRef& table : tables) describe(table, deadline);
        if (PollState(*home_.sql(), set).tick(deadline)) return {};
        return {"-- in " + home_.name() + ": ysdb.poll_sets, ysdb.poll_tables, ysdb.poll_rows; in " + source_.name() + ": nothing"};
    }

    void install(const std::string& set, std::span<const TableRef> tables, Deadline deadline) override {
        for (const TableRef& table : tables) describe(table, deadline);
        fault::point("sync.install.before");
        PollState(*home_.sql(), set).prepare(deadline);
        fault::point("sync.install.after");
    }

    void remove(const std::string& set, Deadline deadline) override {
        fault::point("sync.remove.before");
        PollState(*home_.sql(), set).remove(deadline);
        fault::point("sync.remove.after");
    }

    std::unique_ptr<ChangeSource> open(const CaptureOptions& options, Deadline) override {
        std::vector<PolledTableOptions> tables;
        for (const TableRef& table : options.tables) tables.push_back(options_of(table));
        return std::make_unique<Live>(*this, std::make_unique<PollSource>(source_, *home_.sql(), std::move(tables), every_, timeout_, options));
    }

    std::unique_ptr<SourceSnapshot> snapshot(const std::string& set, std::span<const TableRef> tables, Deadline) override {
        std::shared_ptr<PollSource> live;
        {
            const std::lock_guard lock(mutex_);
            live = live_;
            if (live == nullptr && followed_) throw Error(Code::connect, "store '" + source_.name() + "' is not read at the moment").with_retryable();
        }
        return std::make_unique<PutAside>(live != nullptr ? live->copy(tables) : read_alone(set, tables));
    }

    TableInfo describe(const TableRef& table, Deadline deadline) override { return PolledTable::describe(options_of(table), source_, deadline); }
    RowSource* rows() override { return this; }

private:
    // --- RowSource: what was put aside ---
    std::unique_ptr<SourceSnapshot> open_snapshot(std::span<const TableRef>, Deadline) override { throw Error(Code::internal, "a polled table is read by snapshot()"); }
    std::vector<ReadRange> ranges(const TableInfo& table, SourceSnapshot&, std::uint64_t, Deadline) override { return {{table.ref.table, "", table.estimated_rows}}; }
    void read(const TableInfo& table, const ReadRange&, SourceSnapshot& snapshot, std::size_t batch_bytes, Millis, std::stop_token stop, const std::function<void(Batch&)>& consume,
              const std::function<void(RejectedRow)>&) override {
        const RowSpool& rows = dynamic_cast<PutAside&>(snapshot).rows(table.ref);
        const auto same = [](const ColumnInfo& a, const ColumnInfo& b) { return a.name == b.name && a.type.native == b.type.native; };
        if (!std::equal(table.columns.begin(), table.columns.end(), rows.table().columns.begin(), rows.table().columns.end(), same)) {
            throw Error(Code::connect, table.ref.text() + " has other columns by now").with_retryable();
        }
        rows.read(table, batch_bytes, stop, consume);
    }

    // The source that is read now, for whoever asks for copies; they may still use it when the reader lets go.
    class Live final : public ChangeSource {
    public:
        Live(PollCapture& capture, std::shared_ptr<PollSource> source) : capture_(capture), source_(std::move(source)) {
            const std::lock_guard lock(capture_.mutex_);
            capture_.live_ = source_;
            capture_.followed_ = true;
        }
        ~Live() override {
            {
                const std::lock_guard lock(capture_.mutex_);
                capture_.live_.reset();
            }
            source_->stop();
        }
        Segment read(Millis wait, std::stop_token stop) override { return source_->read(wait, std::move(stop)); }
        void acknowledge(std::uint64_t position, bool at_once) override { source_->acknowledge(position, at_once); }

    private:
        PollCapture& capture_;
        std::shared_ptr<PollSource> source_;
    };

    const PolledTableOptions& options_of(const TableRef& table) const {
        const auto found = std::find_if(tables_.begin(), tables_.end(), [&](const PolledTableOptions& t) { return t.ref == table; });
        if (found == tables_.end()) throw Error(Code::internal, table.text() + " is not in the set");
        return *found;
    }

    // While nobody follows: rows that differ from what was told are told by the next run once more, so that it does not take them for known.
    std::shared_ptr<PollCopy> read_alone(const std::string& set, std::span<const TableRef> tables) {
        PollState state(*home_.sql(), set);
        auto copy = std::make_shared<PollCopy>();
        copy->tick = state.next_tick(Deadline::after(timeout_));
        PollTick tick;
        tick.version = {0, INT64_MAX, 0};
        tick.timeout = timeout_;
        tick.rejected = [](const RejectedRow&) {};
        tick.tell = [](const Segment&) {};
        for (const TableRef& ref : tables) {
            PolledTable table(options_of(ref), source_, state);
            table.load(0, std::nullopt, timeout_);
            table.peek(copy->rows[ref], "/var/tmp", tick);
        }
        return copy;
    }

    Store& source_;
    Store& home_;
    Millis every_, timeout_;
    std::vector<PolledTableOptions> tables_;
    std::mutex mutex_;
    std::shared_ptr<PollSource> live_;
    bool followed_ = false;
};

}  // namespace

TableInfo polled_table(const SyncConfig& set, Store& source, const TableRef& table, Deadline deadline) {
    const auto name = std::find_if(set.tables.begin(), set.tables.end(), [&](const std::string& t) { return parse_table_ref(t, "tables") == table; });
    return PolledTable::describe(options_for(set, *name), source, deadline);
}

std::unique_ptr<ChangeCapture> poll_capture(Store& source, Store& home, const SyncConfig& set, Millis timeout) {
    if (source.sql() == nullptr || source.rows() == nullptr || source.sql()->dialect() != Dialect::clickhouse) {
        throw Error(Code::config, "sync " + set.name + ": capture = \"poll\" reads ClickHouse, and '" + source.name() + "' is none", "PostgreSQL tells its changes: capture = \"wal\" or \"trigger\"");
    }
    if (home.sql() == nullptr || home.sql()->dialect() != Dialect::postgres) {
        throw Error(Code::config, "sync " + set.name + ": '" + home.name() + "' is not a PostgreSQL store, which remembers what was told", "state = \"NAME\" of one");
    }
    return std::make_unique<PollCapture>(source, home, set, timeout);
}

}  // namespace ysdb::sync
