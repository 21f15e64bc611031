// SQL composed from identifiers.
#pragma once

#include <string>
#include <string_view>

#include "core/value/type.h"

namespace ysdb::postgres {

std::string quote(std::string_view identifier);
std::string quote(const TableRef& table);
std::string literal(std::string_view text);
// What COPY selects for a column: the column, or its text form where the binary one has no canonical meaning for us.
std::string copy_expression(const ColumnInfo& column);

}  // namespace ysdb::postgres
