// What a sync set remembers of itself, in the source, where its changes are.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/store/changes.h"
#include "core/store/store.h"

namespace ysdb::sync {

struct SetState {
    std::string capture;
    std::string system;
    std::uint32_t timeline = 0;
    std::uint32_t epoch = 0;
    std::uint64_t confirmed = 0;
};

// "new": to be copied; "copying"; "following"; "halted": cannot be followed until it is copied anew.
struct TableState {
    std::string table, sink, state;
    std::uint64_t position = 0, rows = 0, rejected = 0;   // position: of the copy's first view; of a table that its source halted, of that
    std::string reason;
    std::string halted_by = {};      // "source": its rows changed without being told, which a new copy mends; otherwise empty
    Version reshaped;                // everything before it is in the sink, whose table has later columns

    // Read only, of a table that its source halted, or had halted.
    int renewals = 0;                // tries, of late, to take it up anew
    std::optional<double> since_renewed_s, renew_in_s;   // since the last one; until the next one, below 0 once it is due
};

struct SinkState {
    std::string sink;
    std::uint64_t position = 0;
    std::uint64_t changes = 0;       // since the run began
    std::int64_t lag_ms = 0;         // of the last commit that is durable there, when it became so
    double lag_p50_ms = 0, lag_p99_ms = 0;   // of all changes since the run began; not kept
    std::uint64_t waiting_bytes = 0, spilled_bytes = 0;   // in memory and on disk, for this sink; not kept
    double changes_per_s = 0, log_per_s = 0; // of late: changes, bytes of the source's log
    std::string state;               // "working", "retrying", "given up"
    std::string error;
    double age_s = 0;                // read only: since this was written
};

struct DeadLetter {
    std::string sink, table, key, column, reason, version = {};
    int tries = 1;
    std::string at;                  // read only
};

// Thread-safe, as the store's pool is.
class SyncState {
public:
    // Throws Error(refused) when the source has no SQL of PostgreSQL's.
    SyncState(Store& source, std::string set);
    // Whether its tables are there; without them everything below reads as empty.
    bool prepared(Deadline deadline);
    void prepare(Deadline deadline);

    std::optional<SetState> set(Deadline deadline);
    void save(const SetState& state, Deadline deadline);
    // Everything below is durable everywhere; `shapes`: the columns of tables as told up to there.
    void confirm(std::uint64_t position, const std::map<TableRef, std::vector<ColumnInfo>>& shapes, Deadline deadline);
    std::map<TableRef, std::vector<ColumnInfo>> shapes(Deadline deadline);
    void set_shape(const TableInfo& table, Deadline deadline);

    std::vector<TableState> tables(Deadline deadline);
    void set_table(const TableState& table, Deadline deadline);   // all but reshaped, and what is read only
    void set_reshaped(const std::string& table, const std::string& sink, const Version& version, Deadline deadline);
    // All tables of all sinks are to be copied again; with `table`, that one.
    void forget_copies(const std::optional<std::string>& table, Deadline deadline);
    // These sinks' copies of a table that its source halted are to be made anew; each of them is counted.
    void renew(const std::string& table, const std::vector<std::string>& sinks, int renewals, Deadline deadline);
    // Not yet: that is tried in `again_s`, as try number `renewals` + 1.
    void postpone(const std::string& table, const std::vector<std::string>& sinks, int renewals, double again_s, const std::string& reason, Deadline deadline);
    void drop_table(const std::string& table, const std::string& sink, Deadline deadline);

    std::vector<SinkState> sinks(Deadline deadline);
    void set_sink(const SinkState& sink, Deadline deadline);

    void add_dead_letter(const DeadLetter& letter, Deadline deadline);
    std::vector<DeadLetter> dead_letters(std::size_t limit, Deadline deadline);
    // One more try of this row in vain.
    void retry_failed(const DeadLetter& letter, Deadline deadline);
    // All letters of this row: it arrived, or is gone.
    void drop_dead_letters(const std::string& sink, const std::string& table, const std::string& key, Deadline deadline);
    std::map<std::pair<std::string, std::string>, std::uint64_t> dead_letter_counts(Deadline deadline);  // by sink and table

    // Removes every row of the set.
    void remove(Deadline deadline);

private:
    SqlStore& sql_;
    std::string set_;
};

}  // namespace ysdb::sync
