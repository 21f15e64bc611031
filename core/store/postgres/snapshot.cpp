#include "core/store/postgres/snapshot.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "core/store/postgres/copy_format.h"
#include "core/store/postgres/sql_build.h"
#include "core/value/show.h"

namespace ysdb::postgres {

namespace {

constexpr std::string_view lock_not_available = "55P03";
constexpr Millis lock_patience{1'000};   // like the server's deadlock_timeout: then it is worth looking whether it is one

}  // namespace

std::uint64_t parse_lsn(const std::string& text) {
    unsigned high = 0, low = 0;
    if (std::sscanf(text.c_str(), "%X/%X", &high, &low) != 2) throw Error(Code::internal, "'" + text + "' is not a log sequence number");
    return (static_cast<std::uint64_t>(high) << 32) | low;
}

std::unique_ptr<Snapshot> Snapshot::open(const Target& target, const std::string& label, std::span<const TableRef> tables, Deadline deadline,
                                         const std::function<ExportedView(Millis)>& export_view) {
    std::unique_ptr<Snapshot> self(new Snapshot(target, label));
    self->hold(tables, deadline);
    std::optional<ExportedView> view;
    for (Millis patience = lock_patience; export_view && !view; patience *= 2) {
        try {
            view = export_view(patience);
        } catch (const Error& error) {
            if (error.server_code() != lock_not_available) throw;
            if (self->waited_for(deadline)) self->hold(tables, deadline);
        }
    }
    Connection& session = *self->holder_;
    if (view) session.query("SET TRANSACTION SNAPSHOT " + literal(view->id), deadline);
    const SqlResult facts = session.query(
        "SELECT pg_export_snapshot(), CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END", deadline);
    self->id_ = facts.row(0).text(0);
    self->lsn_text_ = view ? view->lsn : facts.row(0).text(1);
    self->lsn_ = parse_lsn(self->lsn_text_);
    return self;
}

// Begins a transaction that locks the tables, after whoever waits for them; one that held them before is given up.
void Snapshot::hold(std::span<const TableRef> tables, Deadline deadline) {
    holder_.reset();
    holder_ = Connection::open(target_, label_, deadline);
    // The holder idles for as long as the copy takes.
    holder_->query("SET idle_in_transaction_session_timeout = 0", deadline);
    holder_->query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", deadline);
    // Locks come before the snapshot (LOCK takes none): a rewrite in between would leave the snapshot with an empty table.
    for (const TableRef& table : tables) holder_->query("LOCK TABLE " + quote(table) + " IN ACCESS SHARE MODE", deadline);
}

std::vector<ReadRange> Snapshot::ranges(const TableInfo& table, std::uint64_t rows_per_range, Deadline deadline) {
    const std::lock_guard lock(mutex_);
    const SqlResult leaves = holder_->query(
        "SELECT n.nspname, c.relname, c.relkind, greatest(c.reltuples, 0)::bigint, greatest(c.relpages, 0)::bigint,"
        " CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) / current_setting('block_size')::bigint ELSE 0 END,"
        " c.oid || '/' || coalesce(pg_relation_filenode(c.oid), 0)"
        " FROM (SELECT $1::regclass::oid AS root) r CROSS JOIN LATERAL"
        "  (SELECT relid FROM pg_partition_tree(r.root) WHERE isleaf UNION SELECT r.root WHERE NOT EXISTS (SELECT 1 FROM pg_partition_tree(r.root))) t"
        " JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2",
        std::vector<std::optional<std::string>>{quote(table.ref)}, deadline);
    std::vector<ReadRange> found;
    for (std::size_t i = 0; i < leaves.rows(); ++i) {
        const SqlRow leaf = leaves.row(i);
        const TableRef ref{leaf.text(0), leaf.text(1)};
        if (leaf.text(2) != "r" && leaf.text(2) != "m") {  // views and foreign tables have no blocks to cut at
            found.push_back({ref.table, "FROM " + quote(ref), static_cast<std::uint64_t>(leaf.integer(3))});
            continue;
        }
        const auto blocks = static_cast<std::uint64_t>(leaf.integer(5));
        if (blocks == 0) continue;
        const auto known_pages = static_cast<double>(leaf.integer(4));
        const double per_block = known_pages > 0 && leaf.integer(3) > 0 ? static_cast<double>(leaf.integer(3)) / known_pages : 50;
        const auto step = std::max<std::uint64_t>(16, static_cast<std::uint64_t>(static_cast<double>(rows_per_range) / per_block));
        for (std::uint64_t from = 0; from < blocks; from += step) {
            const bool last = from + step >= blocks;
            // The last one is open: what its pages hold beyond the size read here is not visible to the snapshot, or is.
            std::string token = "FROM " + quote(ref) + fmt::format(" WHERE ctid >= '({},0)'::tid", from);
            if (!last) token += fmt::format(" AND ctid < '({},0)'::tid", from + step);
            const auto size = std::min(step, blocks - from);
            found.push_back({fmt::format("{}[{},{})", ref.table, from, from + size), token, static_cast<std::uint64_t>(per_block * static_cast<double>(size)), leaf.text(6)});
        }
    }
    return found;
}

std::unique_ptr<Connection> Snapshot::borrow(Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        if (!readers_.empty()) {
            auto reader = std::move(readers_.back());
            readers_.pop_back();
            return reader;
        }
    }
    auto reader = Connection::open(target_, label_, deadline);
    reader->query("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = " + std::to_string(lock_patience.count()), deadline);
    reader->query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", deadline);
    reader->query("SET TRANSACTION SNAPSHOT " + literal(id_), deadline);
    return reader;
}

void Snapshot::give_back(std::unique_ptr<Connection> reader) {
    const std::lock_guard lock(mutex_);
    readers_.push_back(std::move(reader));
}

// Whether somebody waits for the holder's locks. Not asked by the holder itself: what it asks first decides what it sees.
bool Snapshot::waited_for(Deadline deadline) {
    return Connection::open(target_, label_, deadline)
        ->query("SELECT EXISTS (SELECT FROM pg_locks w WHERE NOT w.granted AND " + std::to_string(holder_->backend_id()) + " = ANY (pg_blocking_pids(w.pid)))", deadline)
        .row(0)
        .truth(0);
}

// Locks are given in the order they were asked for: a reader waits behind whoever waits to alter the table, who waits for the holder, which waits for the
// reader. The server does not see that as a deadlock, since the holder asks it for nothing. Who waits for a lock of somebody else's is let wait.
std::unique_ptr<Connection> Snapshot::start_reading(const std::string& copy, const TableInfo& table, Millis idle) {
    const Deadline deadline = Deadline::after(idle);
    while (true) {
        auto reader = borrow(deadline);
        try {
            reader->start_copy_out(copy, deadline);
            return reader;
        } catch (const Error& error) {
            if (error.server_code() != lock_not_available) throw;
            if (waited_for(deadline)) {
                throw Error(Code::locked, table.ref.text() + ": somebody waits for a lock on it that the view of its copy holds, and the copy would wait behind", "run the same command again").with_retryable();
            }
        }
    }
}

void Snapshot::read(const TableInfo& table, const ReadRange& range, std::size_t batch_bytes, Millis idle, std::stop_token stop,
                    const std::function<void(Batch&)>& consume, const std::function<void(RejectedRow)>& rejected) {
    std::string columns;
    for (const ColumnInfo& column : table.columns) columns += (columns.empty() ? "" : ", ") + copy_expression(column);
    auto reader = start_reading("COPY (SELECT " + columns + " " + range.token + ") TO STDOUT (FORMAT binary)", table, idle);
    CopyDecoder decoder(table);
    Batch batch(&table);
    batch.reserve(batch_bytes + batch_bytes / 8, batch_bytes / 8);
    while (true) {
        const std::string_view message = reader->read_copy(idle, stop);
        if (message.empty()) break;
        if (!decoder.decode(message, batch)) {
            rejected({decoder.rejected_key(message), table.columns[decoder.rejected_column()].name, decoder.reason()});
        }
        if (batch.byte_size() >= batch_bytes) {
            consume(batch);
            batch.clear();
        }
    }
    if (!batch.empty()) consume(batch);
    give_back(std::move(reader));
}

}  // namespace ysdb::postgres
