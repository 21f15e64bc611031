// A column of a table by its name, and a table's description with some of its columns.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/value/type.h"

namespace ysdb {

// Null: there is none of that name. Must not outlive the columns.
inline const ColumnInfo* find_column(const std::vector<ColumnInfo>& columns, std::string_view name) {
    for (const ColumnInfo& column : columns) {
        if (column.name == name) return &column;
    }
    return nullptr;
}

// The table without columns that `left_out(column)` holds for; the key names the same columns in their new places.
template <class LeftOut>
TableInfo without_columns(const TableInfo& table, const LeftOut& left_out) {
    TableInfo kept = table;
    kept.columns.clear();
    kept.key.clear();
    std::vector<std::uint32_t> place(table.columns.size(), UINT32_MAX);
    for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
        if (left_out(table.columns[i])) continue;
        place[i] = static_cast<std::uint32_t>(kept.columns.size());
        kept.columns.push_back(table.columns[i]);
    }
    for (const std::uint32_t k : table.key) {
        if (place[k] != UINT32_MAX) kept.key.push_back(place[k]);
    }
    return kept;
}

}  // namespace ysdb
