#include "core/store/clickhouse/sink.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <mutex>

#include "core/base/fault.h"
#include "core/store/clickhouse/encode.h"
#include "core/store/clickhouse/part_check.h"
#include "core/store/clickhouse/statement.h"
#include "core/store/clickhouse/sync_table.h"

namespace ysdb::clickhouse {

namespace {

constexpr std::string_view access_denied = "497";

void order_merges(const Catalog& catalog, const TableRef& table, std::string_view order, Deadline deadline) {
    try {
        catalog.run("SYSTEM " + std::string(order) + " MERGES " + quote(table), deadline);
    } catch (const Error& error) {
        if (error.server_code() != access_denied) throw;  // without the right to hold them, the copy is only slower
    }
}

// Merging what is still being loaded writes the same rows again and again: it costs as much as the inserts themselves. It waits until the table
// is whole, or until there are so many parts that the server would soon slow inserts down, then refuse them.
//
// Nobody has to let merges go on for a run that was killed: the order is the server's, in memory, for this table; the next run drops the table and
// loads another.
class HeldMerges {
public:
    HeldMerges(Transport& transport, const Catalog& catalog, const TableRef& table, Deadline deadline) : transport_(transport), catalog_(catalog), table_(table) {
        order_merges(catalog_, table_, "STOP", deadline);
        const auto setting = [](const std::string& name) {
            return "toUInt64(coalesce(nullIf(extract(engine_full, '" + name + " = (\\\\d+)'), ''), (SELECT value FROM system.merge_tree_settings WHERE name = '" + name + "')))";
        };
        const std::int64_t slower = ask("SELECT least(" + setting("parts_to_delay_insert") + ", " + setting("parts_to_throw_insert") + ") FROM system.tables WHERE database = {p1:String} AND name = {p2:String}",
                                        deadline, 2 * parts_of_partition);
        limit_ = std::clamp<std::int64_t>(slower / 2, 1, parts_of_partition);
        check_every_ = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(limit_) / 8, 1, 32);
    }

    // After each insert; looks at the server after the first ones, then now and then.
    void inserted(Deadline deadline) {
        const std::uint64_t count = ++inserts_;
        if (!held_ || !(count % check_every_ == 0 || std::has_single_bit(count)) || !too_many(deadline)) return;
        if (held_.exchange(false)) order_merges(catalog_, table_, "START", deadline);
    }

private:
    static constexpr std::int64_t parts_of_partition = 300;  // servers slow inserts down at 1000 of one partition
    static constexpr std::int64_t parts_of_table = 3'000;    // and refuse them at 100,000 of the table

    bool too_many(Deadline deadline) const {
        return ask("SELECT max(parts) >= " + std::to_string(limit_) + " OR sum(parts) >= " + std::to_string(parts_of_table) +
                       " FROM (SELECT count() AS parts FROM system.parts WHERE active AND database = {p1:String} AND table = {p2:String} GROUP BY partition_id)",
                   deadline, 1) != 0;
    }

    std::int64_t ask(const std::string& sql, Deadline deadline, std::int64_t not_allowed) const {
        try {
            const SqlResult result = query(transport_, sql, std::vector<std::optional<std::string>>{table_.schema, table_.table}, {}, "", deadline);
            return result.rows() == 0 ? not_allowed : result.row(0).integer(0);
        } catch (const Error& error) {
            if (error.server_code() != access_denied) throw;
            return not_allowed;
        }
    }

    Transport& transport_;
    const Catalog& catalog_;
    TableRef table_;
    std::int64_t limit_ = 0;
    std::uint64_t check_every_ = 1;
    std::atomic<std::uint64_t> inserts_{0};
    std::atomic<bool> held_{true};
};

class Writer final : public RowWriter {
public:
    Writer(Transport& transport, const Catalog& catalog, QueryIds& ids, const TableInfo& source, std::vector<TargetColumn> targets, const TableRef& table, const std::string& run,
           bool doubtful, Deadline deadline)
        : transport_(transport), ids_(ids), source_(source), targets_(std::move(targets)), table_(table), label_("ysdb-" + run),
          insert_("INSERT INTO " + quote(table) + " (" + column_list(targets_, true) + ") FORMAT Native"), doubtful_(doubtful), merges_(transport, catalog, table, deadline) {
        idle_.push_back(std::make_unique<Encoder>(source_, targets_, true));  // refuses types that do not go together
    }

    void apply(const ChangeBatch& batch, const std::string& token, Deadline deadline, const std::function<void(RejectedRow)>& rejected) override {
        auto encoder = take();
        const auto pieces = encoder->encode(batch, rejected);
        if (!pieces.empty()) {
            Request request;
            request.sql = insert_;
            request.payload = pieces;
            request.query_id = ids_.next(label_);
            request.settings = pinned_insert_settings;
            request.settings.emplace_back("insert_deduplication_token", token);
            fault::point("clickhouse.replace.insert.before");
            try {
                transport_.run(request, {deadline, {}, {}}, [](std::string_view) {});
            } catch (const Error&) {
                doubtful_ = true;
                throw;
            }
            fault::point("clickhouse.replace.insert.after");
        }
        {
            const std::lock_guard lock(mutex_);
            idle_.push_back(std::move(encoder));
        }
        merges_.inserted(deadline);
    }

    // An insert is acknowledged when it is on disk (tables made here), or as durable as the table's own settings say. After any trouble all parts are read.
    void flush(Deadline deadline) override {
        if (!doubtful_) return;
        if (const auto part = damaged_part(transport_, ids_, label_, table_, std::nullopt, deadline)) {
            throw Error(Code::rejected, "part " + *part + " of " + table_.text() + " is damaged although its rows were acknowledged", "was the server's disk full? the copy begins anew").with_retryable();
        }
        doubtful_ = false;
    }

private:
    std::unique_ptr<Encoder> take() {
        const std::lock_guard lock(mutex_);
        if (idle_.empty()) return std::make_unique<Encoder>(source_, targets_, true);
        auto encoder = std::move(idle_.back());
        idle_.pop_back();
        return encoder;
    }

    Transport& transport_;
    QueryIds& ids_;
    TableInfo source_;
    std::vector<TargetColumn> targets_;
    TableRef table_;
    std::string label_;
    std::string insert_;
    std::atomic<bool> doubtful_;                 // an insert failed, or others wrote before
    HeldMerges merges_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Encoder>> idle_;
};

}  // namespace

std::unique_ptr<RowWriter> begin_replace(Transport& transport, const Catalog& catalog, QueryIds& ids, const TableInfo& source, const TableRef& target,
                                         const std::string& run, Deadline deadline) {
    const TableRef live = catalog.full(target);
    const TableRef staging = staging_of(live, run);
    if (source.key.empty()) throw Error(Code::refused, source.ref.text() + " has no primary key", "add one: it tells two rows apart in ClickHouse");
    drop_leftovers(catalog, live, deadline);
    create_staging(catalog, source, live, staging, deadline);
    return std::make_unique<Writer>(transport, catalog, ids, source, targets_of(source, catalog.describe(staging, deadline)), staging, run, false, deadline);
}

std::unique_ptr<RowWriter> resume_replace(Transport& transport, const Catalog& catalog, QueryIds& ids, const TableInfo& source, const TableRef& target, const std::string& run,
                                          Deadline deadline) {
    const TableRef staging = staging_of(catalog.full(target), run);
    if (!catalog.find(staging, deadline)) return nullptr;
    return std::make_unique<Writer>(transport, catalog, ids, source, targets_of(source, catalog.describe(staging, deadline)), staging, run, true, deadline);
}

void finish_replace(const Catalog& catalog, const TableInfo& source, const TableRef& target, const std::string& run, Deadline deadline) {
    const TableRef live = catalog.full(target);
    const TableRef staging = staging_of(live, run);
    const bool exists = catalog.find(live, deadline).has_value();
    order_merges(catalog, staging, "START", deadline);
    fault::point("clickhouse.replace.exchange.before");
    if (exists) catalog.run("EXCHANGE TABLES " + quote(staging) + " AND " + quote(live), deadline);
    else catalog.run("RENAME TABLE " + quote(staging) + " TO " + quote(live), deadline);
    fault::point("clickhouse.replace.exchange.after");
    create_current_view(catalog, source, live, deadline);
    fault::point("clickhouse.replace.drop.before");
    if (exists) drop(catalog, staging, deadline);
    fault::point("clickhouse.replace.drop.after");
}

std::uint64_t load(Transport& transport, const Catalog& catalog, QueryIds& ids, const TableInfo& table, const std::function<bool(Batch&)>& fill, Millis idle, std::stop_token stop) {
    const TableRef name = catalog.full(table.ref);
    const auto targets = targets_of(table, catalog.describe(name, Deadline::after(idle)));
    Encoder encoder(table, targets, false);
    const auto reject = [&](const RejectedRow& row) {
        throw Error(Code::rejected, "store '" + catalog.store() + "': a row for " + name.text() + " (" + row.key + ") does not fit: " + row.column + ": " + row.reason);
    };
    const std::string insert = "INSERT INTO " + quote(name) + " (" + column_list(targets, false) + ") FORMAT Native";
    ChangeBatch changes;
    changes.rows = Batch(&table);
    std::uint64_t rows = 0;
    while (fill(changes.rows)) {
        const auto pieces = encoder.encode(changes, reject);
        if (!pieces.empty()) {
            Request request;
            request.sql = insert;
            request.payload = pieces;
            request.query_id = ids.next("ysdb-load");
            request.once = true;  // a plain MergeTree forgets tokens
            request.settings = pinned_insert_settings;
            request.settings.emplace_back("insert_deduplication_token", request.query_id);  // two batches may well be equal
            transport.run(request, {Deadline::after(idle), {}, stop}, [](std::string_view) {});
            rows += changes.rows.rows();
        }
        changes.rows.clear();
    }
    return rows;
}

}  // namespace ysdb::clickhouse
