// What happened to a table's columns, told from how they were and how they are.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/value/type.h"

namespace ysdb {

// How a table's columns differ from those known before.
struct ColumnChange {
    enum class Kind { added, dropped, renamed, retyped };
    Kind kind = Kind::added;
    std::string column;                // its name now; of a dropped one, its last
    std::string before = {};           // renamed: the name it had
    Type type = {};                    // added, retyped: what it is now
    std::optional<std::string> fill = {};  // added: what older rows hold, as the source writes it; none: NULL
};

// What rows written before a column was added hold in it.
struct AddedColumn {
    std::optional<std::string> fill;   // the same for all, as the source writes it; none: NULL
    bool varies = false;               // each row has its own, which no change tells
};

struct ShapeVerdict {
    std::vector<ColumnChange> changes;
    std::string halt;                  // not empty: rows already copied changed without a word, and why that must be
};

// Columns are the same when their numbers are; without numbers, when their names are: then a rename cannot be told from dropping one and
// adding another, and is a reason to halt. `added` says what older rows hold, by the new column's name.
ShapeVerdict compare_shapes(std::span<const ColumnInfo> before, std::span<const ColumnInfo> now, const std::map<std::string, AddedColumn>& added);

// Whether every value of one native type keeps its value in the other.
bool widens(const std::string& from, const std::string& to);

}  // namespace ysdb
