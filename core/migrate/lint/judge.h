// The rules over whole files, in the order they are applied.
#pragma once

#include <string>
#include <vector>

#include "core/migrate/file.h"
#include "core/migrate/lint/verdict.h"

namespace ysdb::migrate::lint {

struct Judged {
    const Migration* file = nullptr;
    std::vector<Verdict> up;          // one a statement of `up`
    std::vector<Verdict> down;        // of `down`: only what it would block, rewrite or lose beside what the file itself made
};

// `before`: files that are applied, for what they tell of the tables; nothing in them is judged. `together`: `files` are applied in one go, so
// that what one makes is new to the next; otherwise each file stands alone.
std::vector<Judged> judge(const std::vector<const Migration*>& before, const std::vector<const Migration*>& files, bool together);

struct Finding {
    const Rule* rule = nullptr;
    Severity severity = Severity::note;
    const Migration* file = nullptr;
    std::size_t offset = 0, length = 0;   // in the file
    std::string message;                  // one lowercase line
    std::string table;                    // whose size counts, as SQL names it
    std::string column;                   // see Hit
    ColumnType type;
    std::uint64_t bytes = 0;              // of the table; 0: not known
    bool sized = false;                   // its table was found in the store
};

// By place, `-- ysdb:allow RULE reason` applied. `ignored`: rules that the configuration switches off.
std::vector<Finding> findings_of(const Judged& judged, const std::vector<std::string>& ignored);

}  // namespace ysdb::migrate::lint
