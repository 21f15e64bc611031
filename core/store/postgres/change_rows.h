// Rows on their way into a table of PostgreSQL: by COPY into the session's temporary table ysdb_changes, and from there, in one transaction, where
// they belong.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "core/store/changes.h"
#include "core/store/postgres/connection.h"
#include "core/value/batch.h"

namespace ysdb::postgres {

constexpr std::string_view version_column = "_ysdb_version", removed_column = "_ysdb_removed";   // of a copy that is being made

// What a flush needs to know of a table: its columns as the source tells them, as they are sent, as they are there.
struct Shape {
    TableInfo source;
    TableInfo sent;                       // c0, c1, ... and behind them version, removed, live
    std::vector<std::string> names;       // there
    std::vector<std::string> values;      // what is assigned to them, of a row of ysdb_changes
    std::vector<std::string> key, key_values;
};

// Throws Error(refused) where the target lacks a column, or has one that cannot hold every value, with the statement that mends it.
Shape shape_of(const TableInfo& source, const TableInfo& target);

// What PostgreSQL cannot hold of a row; of a removal only its key counts. None: nothing.
std::optional<RejectedRow> unsendable_row(const Batch& rows, std::size_t row, bool removal);
// Two rows are one when these are equal.
std::string key_bytes(const Batch& rows, std::size_t row);
// A row as it is sent: the cells of `from`, and what is said of them. `live`: for the table that readers see.
void append_row(Batch& to, const Batch& from, std::size_t row, const Version& version, bool removed, bool live);
// Rows of append_row() into ysdb_changes, within the transaction that is open.
void send_rows(Connection& connection, const Shape& shape, const Batch& rows, Deadline deadline);

// ysdb_changes itself; it is empty again at each commit.
std::string changes_statement(const Shape& shape);
// From ysdb_changes into the table that readers see.
std::string delete_statement(const Shape& shape, const TableRef& live);
std::string insert_statement(const Shape& shape, const TableRef& live);
// And into a copy that is being made. Rows of the copy and changes come in any order: the newer wins.
std::string staging_statement(const Shape& shape, const TableRef& staging);

std::string quoted_list(const std::vector<std::string>& names);
// What ON CONFLICT sets: every column that is not in the key. Empty: there is none.
std::string excluded_list(const Shape& shape);
std::string uuid_literal(const Version& version);
// Throws what the server refuses.
void run_all(Connection& connection, const std::vector<std::string>& statements, Deadline deadline);

}  // namespace ysdb::postgres
