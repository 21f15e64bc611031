// What rows of another store become in PostgreSQL: the type a column is sent as, the type it is given in a table that is made, and how the one
// becomes the other without a loss.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/value/batch.h"
#include "core/value/type.h"

namespace ysdb::postgres {

// As binary COPY sends it; `native` names the server's type. Whatever PostgreSQL has no type for is text. Throws Error(refused) for what it cannot
// take at all.
Type sent_as(const ColumnInfo& column);
// The column of a table made for it.
std::string declared_as(const ColumnInfo& column);
// What is assigned to the target's column: `name`, or `name` cast. Nothing when values could be lost or changed on the way.
std::optional<std::string> assigned(const std::string& name, const Type& sent, const Type& target);
// Whether the target's column takes every value as it is, not only some of them.
bool holds_every(const Type& target, const Type& sent);
// Why a cell cannot be sent as the type; empty: it can.
std::string unsendable(std::span<const std::uint8_t> cell, const Type& source);

}  // namespace ysdb::postgres
