// One table or view that is read again and again: what changed is what differs from what was told last.
//
// In memory: two hashes a row. With a cursor only the rows within its overlap are kept.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/store/changes.h"
#include "core/store/store.h"
#include "core/sync/poll/poll_state.h"
#include "core/sync/poll/row_spool.h"

namespace ysdb::sync {

struct PolledTableOptions {
    TableRef ref;
    std::vector<std::string> key;      // empty: the table's own
    std::vector<std::string> columns, except;   // as configured
    std::string cursor;                // empty: the whole table is read each time
    std::string overlap;               // "1m", "1000"; empty: a minute, no number
};

// One read of all tables of a set.
struct PollTick {
    Version version;                                // of what was told last in it; its ordinal counts
    std::size_t segment_bytes = 1u << 20;
    Millis timeout{30'000};                         // of each call, and between two pieces of a result
    std::stop_token stop;
    std::function<void(Segment)> tell;              // may wait
    std::function<void(const RejectedRow&)> rejected;

    Version next() {
        ++version.ordinal;
        return version;
    }
};

// Not thread-safe. What it throws leaves it unusable: what was told is in the state, begin with a new one.
class PolledTable {
public:
    // `source` has rows() and sql(). Both must outlive it.
    PolledTable(PolledTableOptions options, Store& source, PollState& state) : options_(std::move(options)), source_(source), state_(state) {}

    // As it is told: without computed columns, with the configured key. Throws Error(refused) naming what it lacks.
    static TableInfo describe(const PolledTableOptions& options, Store& source, Deadline deadline);

    // What was told up to now. What was told at `settled` or later, and was not confirmed, is told once more. `known`: the columns that sinks know.
    void load(std::uint64_t settled, std::optional<std::vector<ColumnInfo>> known, Millis timeout);
    // Reads it and tells what differs; the first time ever nothing is told but that everything is known from here on. With `copy`, every
    // row goes there, too. A table that cannot be followed is told to halt.
    void poll(PollTick& tick, std::shared_ptr<RowSpool>* copy, const std::string& spool_directory);
    // Like poll(), but tells nobody: rows that differ are remembered as to be told by the next one.
    void peek(std::shared_ptr<RowSpool>& copy, const std::string& spool_directory, PollTick& tick);
    // Whatever was told below `position` is durable: what need not be remembered is forgotten.
    void settle(std::uint64_t position, Deadline deadline);

    const TableRef& ref() const { return options_.ref; }
    // Why it cannot be followed, once it was told to halt; otherwise empty.
    const std::string& halted() const { return halted_; }

private:
    struct Row {
        Hash128 digest;
        std::int64_t cursor = 0;
        std::uint32_t round = 0;       // of the read that it was seen in last
        bool unsettled = false;        // told, perhaps not heard
        bool removed = false;
    };
    struct HashOfHash {
        std::size_t operator()(const Hash128& hash) const { return static_cast<std::size_t>(hash.low); }
    };

    void look_at_columns(PollTick& tick);
    void halt(PollTick& tick, const std::string& reason);
    void read(PollTick& tick, std::shared_ptr<RowSpool>* copy, const std::string& spool_directory);
    void compare(PollTick& tick, const Batch& rows);
    void remove_unseen(PollTick& tick);
    void send(PollTick& tick);
    std::optional<std::int64_t> cursor_of(const Batch& rows, std::size_t row) const;
    std::int64_t overlap() const;
    std::optional<std::int64_t> lowest() const;
    std::int64_t server_now(Deadline deadline) const;
    std::optional<std::int64_t> highest(Deadline deadline) const;
    std::string key_text() const;

    PolledTableOptions options_;
    Store& source_;
    PollState& state_;
    std::shared_ptr<const TableInfo> info_;
    std::uint64_t shape_seed_ = 0;
    std::optional<std::uint32_t> cursor_;
    std::optional<std::vector<ColumnInfo>> known_;
    std::unordered_map<Hash128, Row, HashOfHash> rows_;
    std::string halted_;
    bool begun_ = false, told_shape_ = false, peeking_ = false;
    std::uint32_t round_ = 0;
    std::optional<std::int64_t> reached_;      // highest cursor that is not ahead of the server's clock
    std::optional<std::int64_t> unsettled_from_;
    std::int64_t now_ = 0;
    std::optional<std::int64_t> bound_;        // of this read
    std::uint64_t left_out_ = 0;               // rows of this read that no Batch holds
    std::set<std::string> said_;               // what was left out and said

    ChangeBatch out_;
    std::vector<PollNote> notes_;
    std::uint64_t removed_at_ = 0;             // tick of the last removal that the state still has; 0: none
    std::string told_key_;
    bool key_changed_ = false;
    std::string key_, whole_;                  // buffers
};

}  // namespace ysdb::sync
