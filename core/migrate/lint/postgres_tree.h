// What the rules ask of PostgreSQL's tree again and again.
#pragma once

#include <string>
#include <string_view>

#include "core/migrate/lint/column_type.h"
#include "core/migrate/lint/parse_tree.h"

namespace ysdb::migrate::lint {

std::string_view string_value(Node node);                       // of a String node
std::string sql_name(std::string_view name);                     // as SQL writes it
ColumnType type_of(Node type_name);
Node constraint_of(Node column, std::string_view kind);         // "CONSTR_CHECK" of a column's own, or empty
std::size_t location(Node node);                                // bytes into the statement

}  // namespace ysdb::migrate::lint
