// What a polled set remembers of what it told: in PostgreSQL, beside the rest of what the set remembers.
//
// Why there and not in the ClickHouse that is read: what is told must be on disk before it is told, row by row, with updates and removals, many
// times a minute. That is what PostgreSQL is for; the set's lock and its tables (state.h) then need no second way of being kept either.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "core/store/store.h"

namespace ysdb::sync {

// What is told of a row.
struct PollNote {
    Hash128 hash;                          // of its key
    std::string key;                       // canonical cells: u32 length (0xffffffff: NULL) and bytes of each
    std::optional<Hash128> digest;         // none: it is gone
    std::uint64_t tick = 0;                // 0: it was there before anything was told
    std::optional<std::int64_t> cursor;
};

struct PollProgress {
    std::string key;                       // columns and types of the key
    std::optional<std::int64_t> reached;
};

// Thread-safe, as the store's pool is. Every call is one statement: done whole or not at all.
class PollState {
public:
    PollState(SqlStore& sql, std::string set) : sql_(sql), set_(std::move(set)) {}
    bool prepared(Deadline deadline);
    void prepare(Deadline deadline);       // its tables, and the set's row

    // None: the set is not installed.
    std::optional<std::uint64_t> tick(Deadline deadline);
    std::uint64_t next_tick(Deadline deadline);

    // None: the table was never read to its end.
    std::optional<PollProgress> progress(const std::string& table, Deadline deadline);
    void set_progress(const std::string& table, const PollProgress& progress, Deadline deadline);
    void forget(const std::string& table, Deadline deadline);

    // All of a table, in pages; keys are left out.
    void load(const std::string& table, Millis timeout, const std::function<void(const PollNote&)>& take);
    void write(const std::string& table, std::span<const PollNote> notes, Deadline deadline);
    // The keys of these rows, in the order of their hashes, those that are known.
    std::vector<PollNote> keys(const std::string& table, std::span<const Hash128> hashes, Deadline deadline);
    // Removals that were told before `settled`, and rows with a cursor below `below` told before it, need no remembering.
    void prune(const std::string& table, std::uint64_t settled, std::optional<std::int64_t> below, Deadline deadline);

    void remove(Deadline deadline);        // the whole set

private:
    SqlResult ask(const std::string& sql, std::span<const std::optional<std::string>> parameters, Deadline deadline);

    SqlStore& sql_;
    std::string set_;
};

}  // namespace ysdb::sync
