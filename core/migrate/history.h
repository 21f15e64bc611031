// Which migrations were applied: table ysdb.migrations (sql/ysdb/<dialect>/migrations.sql) in the store that [migrate] names.
#pragma once

#include <string>
#include <vector>

#include "core/migrate/file.h"
#include "core/plan/sql_text.h"
#include "core/store/store.h"

namespace ysdb::migrate {

struct HistoryRow {
    std::string version;
    std::string name;
    std::string store;
    std::string checksum;
    std::string statements;    // short hashes, in order, separated by blanks
    std::string applied_at;    // "2026-01-31T12:34:56.123456Z", by the server's clock
    std::size_t order = 0;     // in which they were applied

    std::string title() const { return is_repeatable(version) ? version : version + "_" + name; }
};

// "the first 16 digits of each", as the table keeps them.
std::string short_hashes(const Migration& migration);

// In the order of versions; empty when there is no table yet.
std::vector<HistoryRow> read_history(SqlSession& session, Dialect dialect, Deadline deadline);

// Gives a table of PostgreSQL that an earlier ysdb made its column `seq`, by applied_at; under the lock. False: this role may not, and clocks go on to tell the order.
bool number_history(SqlSession& session, Deadline deadline);

enum class Origin { transaction, journal, baseline };  // where the duration is read from: begin of the transaction, first journal line of the run, none
// The row for a migration that was applied; of a repeatable one it takes the place of the row before.
plan::SqlText history_insert(const Migration& migration, Dialect dialect, const std::string& run, Origin origin);
// Takes the row away again.
plan::SqlText history_delete(const HistoryRow& row, Dialect dialect, const std::string& run);

}  // namespace ysdb::migrate
