// What a table that follows a source looks like: made here, or a person's that is checked.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/store/clickhouse/catalog.h"
#include "core/store/clickhouse/encode.h"

namespace ysdb::clickhouse {

// Settings of every insert into such a table.
extern const Settings pinned_insert_settings;

TableRef staging_of(const TableRef& target, const std::string& run);
// Copies that runs left beside a table.
void drop_leftovers(const Catalog& catalog, const TableRef& target, Deadline deadline);
void drop(const Catalog& catalog, const TableRef& table, Deadline deadline);

// "`a`, `b`", with _version and _is_deleted when `versioned`.
std::string column_list(std::span<const TargetColumn> columns, bool versioned);
// The columns of `rows` as the server's table takes them. Throws Error(refused) for one it lacks.
std::vector<TargetColumn> targets_of(const TableInfo& rows, const TableInfo& table);

bool made_here(const TableFacts& table);
// ReplacingMergeTree(_version, _is_deleted), sorted by the source's primary key.
std::string create_statement(const TableInfo& source, const TableRef& table);
// A target that a person made keeps its structure; what would break a sync is refused: Error(refused) with the statement that mends it.
void check_structure(const TableInfo& source, const TableInfo& target, const TableFacts& facts);
// An empty table like the live one, or as made here when there is none.
void create_staging(const Catalog& catalog, const TableInfo& source, const TableRef& target, const TableRef& staging, Deadline deadline);
// `<target>_current`: the rows that count, in the source's columns. A view of that name that somebody else made stays.
void create_current_view(const Catalog& catalog, const TableInfo& source, const TableRef& target, Deadline deadline);

}  // namespace ysdb::clickhouse
