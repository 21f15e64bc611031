// What a load asks of a store before and after.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/context.h"

namespace ysdb::generate {

// Rows in the table now.
std::uint64_t count_rows(Store& store, const TableRef& table, Deadline deadline);
bool holds_rows(Store& store, const TableRef& table, Deadline deadline);
// True when the table has a row whose first column is this uuid.
bool holds_id(Store& store, const TableRef& table, const std::string& column, const std::string& uuid, Deadline deadline);

// A store configuration whose sessions leave out foreign-key checks, or nothing when the role may not or a trigger of a user would be left
// out with them.
std::optional<StoreConfig> without_foreign_key_checks(Store& postgres, const std::vector<TableRef>& tables, Deadline deadline);

struct ForeignKeyCheck {
    std::string name;
    std::string table;
    std::uint64_t orphans = 0;
};
// Counts, by one query a key, the rows of the tables that refer to nothing.
std::vector<ForeignKeyCheck> count_orphans(Store& postgres, const std::vector<TableRef>& tables, Deadline deadline);

// Moves the tables' sequences beyond their keys, gathers statistics, refreshes the summaries where the schema has them; false when the role
// may not refresh them.
bool settle(Store& postgres, const std::vector<TableRef>& tables, Deadline deadline);

}  // namespace ysdb::generate
