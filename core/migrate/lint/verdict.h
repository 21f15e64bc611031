// What a statement does to the tables it works on, and which rules it meets: one answer, for `lint` and for `plan`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/migrate/lint/column_type.h"
#include "core/migrate/lint/rules.h"

namespace ysdb::migrate::lint {

// PostgreSQL's table locks, weakest first, by the numbers the server has for them.
enum class Lock : std::uint8_t { none, access_share, row_share, row_exclusive, share_update_exclusive, share, share_row_exclusive, exclusive, access_exclusive };
// "ACCESS EXCLUSIVE on users: blocks reads and writes"
std::string lock_text(Lock lock, const std::string& table);

struct Touch {
    std::string table;           // as SQL names it
    Lock lock = Lock::none;
    bool rewrites = false;       // writes all of its rows again
    bool scans = false;          // reads all of its rows
};

struct Hit {
    const Rule* rule = nullptr;
    std::size_t offset = 0;      // bytes into the statement
    std::string subject;         // what stands in the message
    std::string table;           // whose size counts, as SQL names it; empty: none
    std::string column;          // change-column-type-unknown: what the store may tell more of
    ColumnType type;             // what it becomes
};

struct Verdict {
    bool known = false;          // false: nothing but `hits` says anything
    std::vector<Hit> hits;
    std::vector<Touch> touches;  // existing tables only
    std::string loses;           // "the rows of users": what no migrate:down can bring back; empty: nothing
};

}  // namespace ysdb::migrate::lint
