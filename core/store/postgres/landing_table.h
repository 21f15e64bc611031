// The table of PostgreSQL that follows a source, as a table: how it is made, what of it stays when the source's columns change, and how it is altered. On
// behalf of change_sink.cpp, which fills it. Errors: Error(refused) naming the table where it cannot follow, else the connection's own.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/store/changes.h"
#include "core/store/postgres/change_rows.h"
#include "core/store/postgres/connection.h"

namespace ysdb::postgres {

// By column: as what type its values were sent when the table that is there was found to take them. Empty: not known.
using SentTypes = std::map<std::string, std::string>;

// Whether a column that is there keeps its type. One that takes only some of the values (a number's column some texts) was chosen for what the
// source had: when that is of another type since, it no longer counts.
bool stays(const ColumnInfo& column, const TableInfo& table, const SentTypes& before);

// A table with the source's columns and key. Columns that stay as they are in `like` keep its types.
std::vector<std::string> create_statements(const TableInfo& source, const TableRef& table, const TableInfo& like, const SentTypes& before);
// Each statement may have been run before: by this run before it was killed, or by a person who prepared the target.
void alter(Connection& connection, const std::string& store, const TableRef& table, std::span<const ColumnChange> changes, Deadline deadline);

// Throws Error(refused) when no unique index has the columns of the key.
void check_key(Connection& connection, const std::string& store, const TableRef& live, const Shape& shape, Deadline deadline);
// Whether the table that is there can take the source's rows as they are now. Not, where it could not follow a change and is copied anew: it
// stays as it is until the copy is whole. A table that somebody prepared is theirs to mend: shape_of() and check_key() refuse it.
bool fits(Connection& connection, const std::string& store, const TableRef& live, const TableInfo& source, const SentTypes& sent, Deadline deadline);
// Gives the table the columns, types and key that its copy has, within the copy's transaction: readers wait for that to end.
void make_like(Connection& connection, const std::string& store, const TableRef& live_name, const TableRef& copy_name, const Shape& shape, const SentTypes& sent, Deadline deadline);

}  // namespace ysdb::postgres
