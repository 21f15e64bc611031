// The journal: what was about to be done and what became of it, for steps that no transaction holds together with their record.
// Tables ysdb.journal (sql/ysdb/<dialect>/journal.sql); rows are only added. It keeps hashes and places, never statement text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/plan/sql_text.h"
#include "core/store/store.h"

namespace ysdb::plan {

enum class JournalEvent { intent, done, failed, complete };

constexpr int whole_unit = 0;

struct JournalEntry {
    std::string unit;                        // the key of a Unit
    int step = whole_unit;                   // its number; or all steps of the key, as one transaction
    JournalEvent event = JournalEvent::intent;
    std::string hash;
    std::string store;
    std::string place;
    std::string label;                       // what the statement runs under on its server
    std::string found;                       // what the probe said before it ran
};

// Makes the table ysdb.<name> by the statements of sql/ysdb/<dialect>/<name>.sql, unless it is there.
void install_table(SqlSession& session, Dialect dialect, std::string_view name, Deadline deadline);

// Not thread-safe: uses one session. Used under the runner lock.
class Journal {
public:
    Journal(SqlSession& session, Dialect dialect, std::string job) : session_(session), dialect_(dialect), job_(std::move(job)) {}

    // Everything written since the last `complete` of each unit, in order; empty when there is no journal yet.
    std::vector<JournalEntry> unfinished(Deadline deadline);
    // The statement that adds the entry, to be run by the caller in a transaction of its own store.
    SqlText insert(const JournalEntry& entry);
    void write(const JournalEntry& entry, Deadline deadline);
    // The same without waiting for the server's disk, where it can: the entry is on it no later than what the same server commits next, and lost only in a
    // crash of the server that loses all that came after it, too.
    void write_soon(const JournalEntry& entry, Deadline deadline);

private:
    SqlSession& session_;
    Dialect dialect_;
    std::string job_;
    std::uint64_t next_seq_ = 1;             // ClickHouse has no sequences; PostgreSQL counts by itself
};

// The look that tells, on a PostgreSQL store that is not the journal's, whether the transaction run under `label` was committed:
// its last statement added an entry with that label there.
SqlText find_mark(const std::string& label);

}  // namespace ysdb::plan
