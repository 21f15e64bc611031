// What a job may ask of a store. A driver implements the capabilities its product has and returns null for the others.
// Every call takes a Deadline and ends by it with Error(connect, retryable), supervised statements aside (Deadline::never()).
// Errors name the store ("main"), never a secret.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/time.h"
#include "core/config/config.h"
#include "core/value/batch.h"
#include "core/value/type.h"

namespace ysdb {

struct ProbeResult {
    std::string product;      // "PostgreSQL", "ClickHouse", "Redis", "DragonflyDB", "Kafka"
    std::string version;      // "15.18"
    std::string role;         // "primary", "replica", "standalone", ...
    double latency_s = 0;     // one round trip after the connection stands
    std::optional<double> lag_s;          // replicas
    std::string detail;       // anything worth a line ("3 replicas, 1 synchronous")
};

enum class Dialect { postgres, clickhouse, questdb };

struct SqlRow {
    std::span<const std::optional<std::string>> cells;
    bool null(std::size_t i) const { return !cells[i]; }
    const std::string& text(std::size_t i) const { return *cells[i]; }
    std::string text_or(std::size_t i, std::string_view fallback) const { return cells[i] ? *cells[i] : std::string(fallback); }
    std::int64_t integer(std::size_t i) const { return std::stoll(*cells[i]); }
    double real(std::size_t i) const { return std::stod(*cells[i]); }
    bool truth(std::size_t i) const { return *cells[i] == "t" || *cells[i] == "true" || *cells[i] == "1"; }
};

// A small result, whole in memory, as text. Bulk data goes through RowSource and RowSink.
struct SqlResult {
    std::vector<std::string> columns;
    std::vector<std::optional<std::string>> cells;   // row-major
    std::uint64_t affected = 0;                      // rows changed, where the server says so
    std::size_t rows() const { return columns.empty() ? 0 : cells.size() / columns.size(); }
    SqlRow row(std::size_t i) const { return {std::span(cells).subspan(i * columns.size(), columns.size())}; }
};

// A statement of a script. What it views must outlive the call.
struct SqlStatement {
    std::string_view sql;
    std::span<const std::optional<std::string>> params = {};
    std::optional<std::string_view> copy_rows = {};  // PostgreSQL: what a COPY ... FROM STDIN reads, without the closing \.
};

struct ScriptResult {
    std::size_t done = 0;             // statements that ended well
    std::optional<Error> error = {};  // why statement number `done` did not; those behind it were not run
};

// One session (PostgreSQL: one connection; ClickHouse: a query-id prefix and settings). Not thread-safe, except cancel().
class SqlSession {
public:
    virtual ~SqlSession() = default;
    // One statement; parameters are values ($1, $2 ... on PostgreSQL; {p1:Type} on ClickHouse) and never spliced into text.
    virtual SqlResult query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline) = 0;
    SqlResult query(std::string_view sql, Deadline deadline) { return query(sql, {}, deadline); }
    // Runs statements in order up to the first that fails, in one round trip where the protocol can. The caller brings BEGIN and COMMIT;
    // after a failure between them the transaction is still open and failed. Throws only what is no statement's fault.
    virtual ScriptResult script(std::span<const SqlStatement> statements, Deadline deadline);
    // Cancels what is running now, from another thread.
    virtual void cancel() noexcept = 0;
    // What shows up on the server for this session: application_name / query_id prefix.
    virtual void set_label(const std::string& label) = 0;
    // PostgreSQL: the backend's pid; otherwise 0.
    virtual std::int64_t backend_id() const { return 0; }
};

class SqlStore {
public:
    virtual ~SqlStore() = default;
    virtual Dialect dialect() const = 0;
    virtual bool transactional_ddl() const = 0;
    virtual std::string quote_identifier(std::string_view name) const = 0;
    // A session of its own, outside the pool.
    virtual std::unique_ptr<SqlSession> open_session(const std::string& label, Deadline deadline) = 0;
    // One statement on a pooled connection. Waits for a free one until the deadline. Thread-safe.
    virtual SqlResult query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline) = 0;
    SqlResult query(std::string_view sql, Deadline deadline) { return query(sql, {}, deadline); }
};

// A consistent view of the source that several readers share; dies with this object (law 3). Holds ACCESS SHARE on the tables
// it was opened for, so that no rewrite moves rows between ranges.
class SourceSnapshot {
public:
    virtual ~SourceSnapshot() = default;
    virtual std::uint64_t position() const = 0;   // the LSN read with the snapshot
    virtual std::string describe() const = 0;     // "0/1A2B3C4"
    // Whether somebody waits for what it holds, and others behind him: it is better given up, if whoever reads can go on with another. Thread-safe.
    virtual bool waited_for(Deadline /*deadline*/) { return false; }
};

// A part of a table that one worker reads: the driver's own words.
struct ReadRange {
    std::string id;             // "transaction_history_2026_01[0,4096)"
    std::string token;          // opaque to jobs
    std::uint64_t estimated_rows = 0;
    std::string layout;         // a range with the same layout holds the same rows for a later snapshot, but for changes since; empty: none does
};

// A value the source holds but our types cannot (reported with its key; the row is left out).
struct RejectedRow {
    std::string key;            // "id=7, block_timestamp=2026-01-01 00:00:00"
    std::string column;
    std::string reason;         // "numeric overflow: 1e80 does not fit Decimal(38,18)"
    std::size_t row = 0;        // of the batch it was in, where there is one
};

class RowSource {
public:
    virtual ~RowSource() = default;
    // Throws Error(refused) when the table does not exist or cannot be read.
    virtual TableInfo describe(const TableRef& table, Deadline deadline) = 0;
    virtual std::unique_ptr<SourceSnapshot> open_snapshot(std::span<const TableRef> tables, Deadline deadline) = 0;
    // Cuts the table into ranges of about `rows_per_range` rows.
    virtual std::vector<ReadRange> ranges(const TableInfo& table, SourceSnapshot& snapshot, std::uint64_t rows_per_range, Deadline deadline) = 0;
    // Ranges that hold the rows with these keys, as far as they are there: `keys` has the columns of the table's primary key, in its order.
    // Empty where the store has no such ranges.
    virtual std::vector<ReadRange> ranges_of(const TableInfo& /*table*/, const Batch& /*keys*/) { return {}; }
    // The rows whose `column`, an integer, a date or a time, is at least `from`, in the unit of its canonical cell. Throws Error(refused)
    // where the store or the column's type cannot.
    virtual ReadRange range_from(const TableInfo& table, std::uint32_t column, std::int64_t from);
    // Streams one range. `consume` gets a batch of about `batch_bytes` and may swap it for an empty one. Thread-safe: each call takes
    // a connection of its own from the pool. `idle` bounds the wait for the next bytes. `rejected` is called for each row that no Batch can hold.
    virtual void read(const TableInfo& table, const ReadRange& range, SourceSnapshot& snapshot, std::size_t batch_bytes, Millis idle,
                      std::stop_token stop, const std::function<void(Batch&)>& consume, const std::function<void(RejectedRow)>& rejected) = 0;
};

enum class SinkGuarantee { exactly_once, last_version_wins, at_least_once };

// Writes into one target table. Thread-safe: several workers call apply() at once.
class RowWriter {
public:
    virtual ~RowWriter() = default;
    // Sends one batch. `token` names it for the server's deduplication: the same token twice is applied once where the sink can tell.
    // Rows that the target's types cannot hold are left out and told to `rejected`; nothing is changed silently. Retries are the caller's.
    virtual void apply(const ChangeBatch& batch, const std::string& token, Deadline deadline, const std::function<void(RejectedRow)>& rejected) = 0;
    // Returns only when everything applied so far is as durable as the sink's guarantee says.
    virtual void flush(Deadline deadline) = 0;
};

class RowSink {
public:
    virtual ~RowSink() = default;
    virtual SinkGuarantee guarantee() const = 0;
    // Starts loading a full copy of `source` beside the live target, under the name the run gives it; leftovers of earlier runs are removed.
    virtual std::unique_ptr<RowWriter> begin_replace(const TableInfo& source, const TableRef& target, const std::string& run, Deadline deadline) = 0;
    // Makes the copy the live target in one step (readers see the old or the new table, whole).
    virtual void finish_replace(const TableInfo& source, const TableRef& target, const std::string& run, Deadline deadline) = 0;
};

// Appends rows at the store's bulk speed (COPY, INSERT ... FORMAT). Thread-safe: each call uses a connection of its own.
class RowLoader {
public:
    virtual ~RowLoader() = default;
    // `table.columns` are the columns to fill, a subset of the table's. `fill` is called with an empty batch until it returns false.
    // One transaction where the store has them; returns the rows written. `idle` bounds each wait on the server.
    virtual std::uint64_t load(const TableInfo& table, const std::function<bool(Batch&)>& fill, Millis idle, std::stop_token stop) = 0;
};

class ChangeBus;
class ChangeCapture;
class ChangeSink;

class Store {
public:
    virtual ~Store() = default;
    const std::string& name() const { return config_.name; }
    const StoreConfig& config() const { return config_; }
    // scheme://user@host:port/db, no secret.
    virtual std::string redacted_url() const = 0;
    virtual ProbeResult probe(Deadline deadline) = 0;

    virtual SqlStore* sql() { return nullptr; }
    virtual RowSource* rows() { return nullptr; }
    virtual RowSink* sink() { return nullptr; }
    virtual RowLoader* loader() { return nullptr; }
    // core/store/changes.h. Throws Error(refused) for a kind ("wal", "trigger", "poll") that this store does not have.
    virtual ChangeCapture* capture(const std::string& kind);
    virtual ChangeSink* changes() { return nullptr; }
    virtual ChangeBus* bus() { return nullptr; }

protected:
    explicit Store(StoreConfig config) : config_(std::move(config)) {}
    StoreConfig config_;
};

// The explicit table URL scheme -> driver (open.cpp). Does not connect. Throws Error(config) for an unknown scheme, with the nearest.
std::unique_ptr<Store> open_store(const StoreConfig& config);
// The schemes it knows, for help and errors.
std::vector<std::string> store_schemes();

}  // namespace ysdb
