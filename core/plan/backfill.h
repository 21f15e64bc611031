// One statement of PostgreSQL, run over ranges of its table's key: each range in a transaction of its own, which also moves the position in
// ysdb.backfills of the same store. So a batch is done and counted, or neither; a run that was killed goes on behind the last one that was committed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/plan/plan.h"
#include "core/plan/sql_text.h"
#include "core/store/store.h"

namespace ysdb::plan {

// By the catalog's statistics; nullopt when there are none or no such table.
std::optional<std::int64_t> estimated_rows(SqlStore& store, const std::string& table, Deadline deadline);

// What a backfill is called in ysdb.backfills, beside the label it runs under.
struct BackfillName {
    std::string job, unit;
    int step = 1;
    std::string hash, place;
};

// Not thread-safe: uses one session.
class Backfill {
public:
    // `sql`: as Step::sql of a step with batches.
    Backfill(SqlSession& session, const Batches& batches, std::string sql) : session_(session), batches_(batches), sql_(std::move(sql)), size_(batches.size) {}

    // Whether what ran under `label` came to its end.
    static bool finished(SqlSession& session, const std::string& label, Deadline deadline);

    // Finds the key and takes over what one of the runs in Batches::earlier left unfinished of the same statement. Throws Error(refused) for a table that cannot be cut.
    void begin(const BackfillName& name, const std::string& label, Deadline deadline);
    bool finished() const { return finished_; }

    // The next range, in one transaction: `before` are statements behind its BEGIN, `check` fails when it must not be committed. After an Error the
    // transaction is open; rolled_back() says that it no longer is. `deadline`: of all statements but the batch itself, which has none.
    void run_batch(const std::string& before, const SqlText& check, Deadline deadline);
    // Half as many rows in the next one.
    void shrink() { size_ = std::max<std::int64_t>(1, size_ / 2); }
    // How long to wait before the next one, so that others get on and no more rows are changed in a second than are allowed.
    Millis pause() const;

    std::int64_t size() const { return size_; }
    std::int64_t rows_read() const { return rows_read_; }
    std::int64_t rows_changed() const { return rows_changed_; }
    // "1,200,000 of about 10,000,000 rows, 800,000 changed, 25,000/s, 6m 02s left, batches of 8,000"
    std::string progress(std::optional<std::int64_t> table_rows) const;

private:
    struct Column {
        std::string name, type;    // as SQL names them
    };
    using Key = std::vector<std::optional<std::string>>;

    void find_key(Deadline deadline);
    void take_over(const BackfillName& name, Deadline deadline);
    std::string key_text() const;
    std::string range(std::size_t first_param, const char* compare, const std::string& prefix) const;

    SqlSession& session_;
    const Batches& batches_;
    std::string sql_;
    std::string label_;
    std::vector<Column> key_;
    Key position_;                      // empty: none
    std::int64_t size_;
    std::int64_t rows_read_ = 0, rows_changed_ = 0;
    std::int64_t read_before_ = 0;      // by earlier runs
    std::int64_t last_changed_ = 0;
    double last_seconds_ = 0;
    SteadyClock::time_point began_ = SteadyClock::now();
    bool finished_ = false;
};

// "replica 'b' is 34 s behind" when one is by more than `most`; empty: none is. `blind`: there are replicas whose lag this role must not see.
std::string replica_behind(SqlSession& session, Millis most, bool& blind, Deadline deadline);

}  // namespace ysdb::plan
