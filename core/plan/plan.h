// A plan: what a command will change, in order, made by reading only. The executor applies it; `--dry-run` prints it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/plan/journal.h"
#include "core/report/report.h"
#include "core/store/store.h"

namespace ysdb::plan {

// What a look at the store says of a step that was begun.
enum class Effect {
    absent,    // it did not take effect
    present,   // it did
    broken,    // it left something that must go before it can run again
    running,   // somebody is at it
    stuck,     // it goes on by itself, and fails each time
    unclear,   // no read can tell
};

// A read that tells whether a step took effect. Its row: one of the words above and, when broken, what is broken as SQL names it; when running,
// how far it is; when stuck, why; when unclear, what is there.
struct Probe {
    SqlText look;
    std::string mend;   // removes what is broken, with that name behind it: "DROP INDEX CONCURRENTLY "
    std::string mend_tail = {};      // behind the name
    bool mend_finishes = false;      // what is broken is the step itself, begun: mending it is doing it
    // Of what runs on without its statement (a mutation): a number read before the step, which `look` and `find` get as their last parameter, so
    // that they see only what came after; and the names by which `end` ends it, as its parameters.
    std::optional<SqlText> mark = {}, find = {};
    std::string end = {};
};

// A statement over many rows (PostgreSQL) is run for one range of its table's key after the other, each in a transaction that also keeps
// how far it is. A range is of all rows; those that the statement's own WHERE leaves out cost a look.
struct Batches {
    std::string table;                             // as SQL names it
    std::string rows;                              // what the statement calls its rows: an alias, or the table's last name
    bool only = false;                             // not those of tables that inherit from it
    std::vector<std::string> key;                  // its columns; empty: the primary key, or else a unique index of columns that are NOT NULL
    std::vector<std::string> changes;              // columns that the statement sets
    std::int64_t size = 1'000;                     // rows of the first range, then as many as take `target`
    Millis target{500};                            // zero: always `size`
    double pause = 0.25;                           // after each one, in parts of the time that it took
    std::optional<std::int64_t> rate;              // rows changed a second, at most
    std::optional<Millis> lag = Millis(10'000);    // waits while a replica is behind by more; nullopt: looks at none
    std::optional<std::int64_t> table_rows;        // an estimate
    std::vector<std::string> earlier;              // labels of runs that began it and did not finish: their position holds
};

// One statement.
struct Step {
    int number = 1;                                // within its unit's key, from 1, the same in every run
    std::string what;                              // "CREATE TABLE users"; no values
    std::string place;                             // "migrations/0001_users.sql:3:1"
    std::string hash;                              // of the statement; the journal keeps this, never the text
    std::string sql;
    std::optional<std::string> copy_rows;          // PostgreSQL: what its COPY ... FROM STDIN reads
    std::string store_object;                      // the table it works on, as SQL names it; empty: none or new
    std::string locks;                             // "ACCESS EXCLUSIVE on users: blocks reads and writes"
    std::uint64_t bytes = 0;                       // size of that table now
    std::optional<bool> rewrites, scans;           // writes, reads all rows of a table that is in use; nullopt: not known
    std::string loses;                             // what no way back brings back: "the rows of users"
    std::optional<double> least_seconds;           // reading the table alone takes about as long, as fast as it was read just now
    std::optional<Probe> probe;                    // only asked of steps outside a transaction
    bool repeatable = false;                       // running it twice is running it once
    bool may_leave_part = false;                   // a failure in the middle keeps what was done so far
    bool waits_for_others = false;                 // waits for other transactions by design: no lock timeout on it
    std::string cluster;                           // ClickHouse: ON CLUSTER; empty: on one server
    std::optional<Batches> batches;                // run in ranges: `sql` ends in a WHERE that takes one more " AND (...)"; alone in its unit
    std::optional<JournalEntry> begun;             // an earlier run began it and wrote no outcome: to be settled first
};

// One transaction of several steps, or one step that no transaction can hold.
struct Unit {
    std::string key;                               // what it belongs to: "0001/up"; units of one key are neighbours in the plan
    std::string what;                              // "0001_create_users"
    std::string store;
    bool transaction = true;
    bool or_alone = false;                         // when the server says that no transaction can hold its one step: without one
    int block = 0;                                 // a transaction amid others of its key, which the journal knows by its first step; 0: none
    std::vector<Step> steps;                       // empty: all were done before, only the record is missing
    std::string undo;                              // how to take it back
    std::optional<Millis> lock_timeout;            // instead of the executor's
    bool opens = true, closes = true;              // first, last unit of its key
    std::vector<SqlText> record;                   // with the last unit of a key: what the job writes beside the journal, in the same transaction
    bool dirties_session = false;                  // may leave settings behind that the next unit must not see
};

struct Plan {
    std::string job;                               // "migrate"
    std::vector<Unit> units;

    // What would happen, for --dry-run and for the question before an apply.
    Report preview() const;
};

}  // namespace ysdb::plan
