#include "core/store/postgres/postgres.h"

#include <fmt/core.h>

#include "core/store/pool.h"
#include "core/store/postgres/catalog.h"
#include "core/store/postgres/change_sink.h"
#include "core/store/postgres/connection.h"
#include "core/store/postgres/copy_format.h"
#include "core/store/postgres/errors.h"
#include "core/store/postgres/ordinary.h"
#include "core/store/postgres/patroni.h"
#include "core/store/postgres/row_lookup.h"
#include "core/store/postgres/snapshot.h"
#include "core/store/postgres/sql_build.h"
#include "core/store/postgres/trigger_capture.h"
#include "core/store/postgres/wal_capture.h"
#include "core/value/columns.h"

namespace ysdb::postgres {

namespace {

constexpr std::size_t load_chunk = 1 << 20;

bool is_integer(TypeKind kind) { return kind == TypeKind::int16 || kind == TypeKind::int32 || kind == TypeKind::int64; }

bool fits(const Type& given, const Type& actual) {
    if (given.kind == TypeKind::decimal) return actual.kind == TypeKind::decimal && given.scale == actual.scale && (given.precision <= 38) == (actual.precision <= 38);
    if (given.kind == TypeKind::array) return actual.kind == TypeKind::array && fits(*given.element, *actual.element);
    const auto is_text = [](TypeKind kind) { return kind == TypeKind::text || kind == TypeKind::enumeration || kind == TypeKind::json; };
    return given.kind == actual.kind || (is_integer(given.kind) && is_integer(actual.kind)) || (is_text(given.kind) && is_text(actual.kind));
}

class Postgres final : public Store, SqlStore, RowSource, RowLoader {
public:
    explicit Postgres(const StoreConfig& config)
        : Store(config), locator_(config), pool_("store '" + config.name + "'", config.pool, [this](Deadline deadline) {
              return std::make_unique<OrdinaryConnection>(locator_.target(deadline), "ysdb", connect_deadline(deadline), watchdog_);
          }) {}

    std::string redacted_url() const override { return redact_url(config_.url); }
    SqlStore* sql() override { return this; }
    RowSource* rows() override { return this; }
    RowLoader* loader() override { return this; }
    ChangeSink* changes() override { return follow_.get(); }
    ChangeCapture* capture(const std::string& kind) override { return kind == "wal" ? wal_.get() : kind == "trigger" ? trigger_.get() : Store::capture(kind); }

    ProbeResult probe(Deadline deadline) override {
        const SqlResult facts = query(
            "SELECT current_setting('server_version'), pg_is_in_recovery(),"
            " CASE WHEN pg_is_in_recovery() THEN extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END,"
            " (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'),"
            " (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum'))",
            {}, deadline);
        const auto start = SteadyClock::now();
        query("SELECT 1", {}, deadline);
        ProbeResult result;
        result.latency_s = std::chrono::duration<double>(SteadyClock::now() - start).count();
        const SqlRow row = facts.row(0);
        result.product = "PostgreSQL";
        result.version = row.text(0).substr(0, row.text(0).find(' '));
        result.role = row.truth(1) ? "replica" : "primary";
        if (!row.null(2)) result.lag_s = row.real(2);
        if (row.integer(3) > 0) result.detail = fmt::format("{} replicas streaming, {} synchronous", row.text(3), row.text(4));
        return result;
    }

    // --- SqlStore ---
    Dialect dialect() const override { return Dialect::postgres; }
    bool transactional_ddl() const override { return true; }
    std::string quote_identifier(std::string_view name) const override { return quote(name); }

    std::unique_ptr<SqlSession> open_session(const std::string& label, Deadline deadline) override { return connect(label, deadline); }

    SqlResult query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline) override {
        auto lease = pool_.acquire(deadline);
        try {
            return lease->query(sql, params, deadline);
        } catch (...) {
            if (!lease->usable()) lease.discard();
            throw;
        }
    }

    // --- RowSource ---
    TableInfo describe(const TableRef& table, Deadline deadline) override {
        const auto session = connect("ysdb", deadline);
        return postgres::describe(*session, name(), table, deadline);
    }
    std::unique_ptr<SourceSnapshot> open_snapshot(std::span<const TableRef> tables, Deadline deadline) override {
        return Snapshot::open(locator_.target(deadline), "ysdb snapshot", tables, deadline);
    }
    std::vector<ReadRange> ranges(const TableInfo& table, SourceSnapshot& snapshot, std::uint64_t rows_per_range, Deadline deadline) override {
        return static_cast<Snapshot&>(snapshot).ranges(table, rows_per_range, deadline);
    }
    std::vector<ReadRange> ranges_of(const TableInfo& table, const Batch& keys) override { return keyed_ranges(table, keys); }
    void read(const TableInfo& table, const ReadRange& range, SourceSnapshot& snapshot, std::size_t batch_bytes, Millis idle, std::stop_token stop,
              const std::function<void(Batch&)>& consume, const std::function<void(RejectedRow)>& rejected) override {
        static_cast<Snapshot&>(snapshot).read(table, range, batch_bytes, idle, stop, consume, rejected);
    }

    // --- RowLoader ---
    std::uint64_t load(const TableInfo& table, const std::function<bool(Batch&)>& fill, Millis idle, std::stop_token stop) override {
        const auto session = connect("ysdb load", Deadline::after(idle));
        const TableInfo actual = loadable(*session, table, Deadline::after(idle));
        std::string columns;
        for (const ColumnInfo& column : actual.columns) columns += (columns.empty() ? "" : ", ") + quote(column.name);
        const CopyEncoder encoder(actual);
        session->start_copy_in("COPY " + quote(actual.ref) + " (" + columns + ") FROM STDIN (FORMAT binary)", Deadline::after(idle));
        std::string buffer(CopyEncoder::header());
        Batch batch(&table);
        while (fill(batch)) {
            if (stop.stop_requested()) throw Error(Code::interrupted, "interrupted while loading " + actual.ref.text() + "; nothing of this call was kept");
            encoder.encode(batch, buffer);
            batch.clear();
            for (std::size_t at = 0; at < buffer.size(); at += load_chunk) session->write_copy(buffer.data() + at, std::min(load_chunk, buffer.size() - at), idle);
            buffer.clear();
        }
        buffer += CopyEncoder::trailer();
        session->write_copy(buffer.data(), buffer.size(), idle);
        return session->finish_copy_in(Deadline::after(idle));
    }

private:
    Deadline connect_deadline(Deadline deadline) const { return Deadline::after(std::min(deadline.left(), config_.pool.connect_timeout)); }

    std::unique_ptr<Connection> connect(const std::string& label, Deadline deadline) {
        return Connection::open(locator_.target(deadline), label, connect_deadline(deadline));
    }

    // The columns to fill with the types the server gives them. COPY BINARY converts nothing: what does not match is refused here.
    TableInfo loadable(SqlSession& session, const TableInfo& table, Deadline deadline) {
        TableInfo actual = postgres::describe(session, name(), table.ref, deadline);
        std::vector<ColumnInfo> chosen;
        for (const ColumnInfo& wanted : table.columns) {
            const ColumnInfo* found = find_column(actual.columns, wanted.name);
            if (found == nullptr) throw Error(Code::refused, "store '" + name() + "': " + actual.ref.text() + " has no column " + wanted.name);
            if (!fits(wanted.type, found->type)) {
                throw Error(Code::refused, "store '" + name() + "': column " + actual.ref.text() + "." + wanted.name + " is " + found->type.native + ", which these rows do not fit");
            }
            chosen.push_back(*found);
        }
        actual.columns = std::move(chosen);
        return actual;
    }

    Locator locator_;
    std::unique_ptr<ChangeSink> follow_ = change_sink(name(), locator_, config_.pool.connect_timeout);
    std::unique_ptr<ChangeCapture> trigger_ = trigger_capture(name(), locator_, config_.pool.connect_timeout);
    std::unique_ptr<ChangeCapture> wal_ = wal_capture(name(), locator_, config_.pool.connect_timeout);
    Watchdog watchdog_;
    Pool<OrdinaryConnection> pool_;
};

}  // namespace

std::unique_ptr<Store> open(const StoreConfig& config) { return std::make_unique<Postgres>(config); }

}  // namespace ysdb::postgres
