#include "core/store/clickhouse/sync_table.h"

#include <algorithm>

#include "core/base/fault.h"
#include "core/store/clickhouse/statement.h"
#include "core/value/columns.h"

namespace ysdb::clickhouse {

namespace {

constexpr std::string_view staging_mark = "__ysdb_staging_";
constexpr std::string_view own_comment = "ysdb copy of ";
constexpr std::string_view own_view_comment = "ysdb: current rows of ";
constexpr std::uint64_t drop_limit = 50'000'000'000;  // servers refuse to drop more without being told

}  // namespace

const Settings pinned_insert_settings{
    {"async_insert", "0"},                              // acknowledged means stored
    {"input_format_null_as_default", "0"},              // NULL is never turned into a default
    {"input_format_native_allow_types_conversion", "1"},  // String to LowCardinality(String)
    {"max_partitions_per_insert_block", "0"},
    {"optimize_on_insert", "0"},                        // rows of a copy have no earlier versions to merge with
};

TableRef staging_of(const TableRef& target, const std::string& run) { return {target.schema, target.table + std::string(staging_mark) + run}; }

std::string column_list(std::span<const TargetColumn> columns, bool versioned) {
    std::string list;
    for (const TargetColumn& column : columns) list += (list.empty() ? "" : ", ") + quote(column.name);
    if (versioned) list += ", " + quote(version_column) + ", " + quote(deleted_column);
    return list;
}

void drop(const Catalog& catalog, const TableRef& table, Deadline deadline) {
    const auto facts = catalog.find(table, deadline);
    if (!facts) return;
    catalog.run("DROP TABLE IF EXISTS " + quote(table), deadline, facts->bytes > drop_limit ? Settings{{"max_table_size_to_drop", "0"}} : Settings{});
}

void drop_leftovers(const Catalog& catalog, const TableRef& target, Deadline deadline) {
    for (const std::string& name : catalog.tables_with_prefix(target.schema, target.table + std::string(staging_mark), deadline)) {
        drop(catalog, {target.schema, name}, deadline);
    }
}

bool made_here(const TableFacts& table) { return table.comment.starts_with(own_comment); }

std::string create_statement(const TableInfo& source, const TableRef& table) {
    std::string columns, key;
    for (const ColumnInfo& column : source.columns) {
        if (column.name == version_column || column.name == deleted_column) {
            throw Error(Code::refused, source.ref.text() + " has a column " + column.name + ", which a synced table keeps for itself", "rename it in the source");
        }
        columns += "    " + quote(column.name) + " " + column_type(column.type) + (column.comment.empty() ? "" : " COMMENT " + literal(column.comment)) + ",\n";
    }
    for (const std::uint32_t column : source.key) key += (key.empty() ? "" : ", ") + quote(source.columns[column].name);
    return "CREATE TABLE " + quote(table) + "\n(\n" + columns + "    " + quote(version_column) + " UInt128,\n    " + quote(deleted_column) + " UInt8\n)\n" +
           "ENGINE = ReplacingMergeTree(" + quote(version_column) + ", " + quote(deleted_column) + ")\nORDER BY (" + key + ")\n" +
           "SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1\n" +
           "COMMENT " + literal(std::string(own_comment) + source.ref.text());
}

void check_structure(const TableInfo& source, const TableInfo& target, const TableFacts& facts) {
    const std::string name = target.ref.text();
    if (!facts.replaces()) {
        throw Error(Code::refused, name + " has the engine " + facts.engine + ", which cannot follow changes",
                    "make it ReplacingMergeTree(_version, _is_deleted), or drop it and let ysdb create it");
    }
    const auto type_of = [&](std::string_view column) -> const ColumnInfo* {
        const ColumnInfo* found = find_column(target.columns, column);
        return found == nullptr || found->generated ? nullptr : found;
    };
    for (const ColumnInfo& column : source.columns) {
        if (type_of(column.name) == nullptr) throw Error(Code::refused, name + " has no column " + column.name, "ALTER TABLE " + quote(target.ref) + " ADD COLUMN " + quote(column.name) + " " + column_type(column.type));
    }
    for (const auto& [column, type] : {std::pair{version_column, "UInt128"}, std::pair{deleted_column, "UInt8"}}) {
        const ColumnInfo* found = type_of(column);
        if (found == nullptr || found->type.native != type) throw Error(Code::refused, name + " has no column " + std::string(column) + " of type " + type, "add it and name it in the engine's arguments");
    }
    for (const std::string& expression : {facts.sorting_key, facts.partition_key}) {
        for (const std::string& column : columns_in(expression, target)) {
            const bool in_key = std::any_of(source.key.begin(), source.key.end(), [&](std::uint32_t k) { return source.columns[k].name == column; });
            if (!in_key) {
                throw Error(Code::refused, name + " is sorted or partitioned by " + column + ", which is not in the source's primary key: a change of it would leave two rows",
                            "sort and partition it by primary key columns only");
            }
        }
    }
}

void create_staging(const Catalog& catalog, const TableInfo& source, const TableRef& target, const TableRef& staging, Deadline deadline) {
    const auto live = catalog.find(target, deadline);
    fault::point("clickhouse.replace.create.before");
    if (!live || made_here(*live)) {
        catalog.run(create_statement(source, staging), deadline);
    } else {
        check_structure(source, catalog.describe(target, deadline), *live);
        catalog.run("CREATE TABLE " + quote(staging) + " AS " + quote(target), deadline);
        if (!live->engine.starts_with("Replicated")) catalog.run("ALTER TABLE " + quote(staging) + " MODIFY SETTING non_replicated_deduplication_window = 10000", deadline);
    }
    fault::point("clickhouse.replace.create.after");
}

std::vector<TargetColumn> targets_of(const TableInfo& rows, const TableInfo& table) {
    std::vector<TargetColumn> targets;
    for (const ColumnInfo& column : rows.columns) {
        const ColumnInfo* found = find_column(table.columns, column.name);
        if (found == nullptr) throw Error(Code::refused, table.ref.text() + " has no column " + column.name);
        targets.push_back({column.name, parse_type(found->type.native)});
    }
    return targets;
}

void create_current_view(const Catalog& catalog, const TableInfo& source, const TableRef& target, Deadline deadline) {
    std::string columns;
    for (const ColumnInfo& column : source.columns) columns += (columns.empty() ? "" : ", ") + quote(column.name);
    const TableRef view{target.schema, target.table + "_current"};
    const auto existing = catalog.find(view, deadline);
    if (existing && !existing->comment.starts_with(own_view_comment)) return;  // somebody else's
    catalog.run("CREATE OR REPLACE VIEW " + quote(view) + " AS SELECT " + columns + " FROM " + quote(target) + " FINAL WHERE " +
                    quote(deleted_column) + " = 0 COMMENT " + literal(std::string(own_view_comment) + target.table),
                deadline);
}

}  // namespace ysdb::clickhouse
