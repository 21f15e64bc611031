// One value as PostgreSQL sends it, in its binary or its text form, to one canonical cell.
#pragma once

#include <cstdint>
#include <string>

#include "core/value/batch.h"
#include "core/value/type.h"

namespace ysdb::postgres {

// Adds one cell. False when the value has no canonical form; then the batch may hold a part of it: drop the cell.
// Text is what the server prints with DateStyle ISO, IntervalStyle postgres, TimeZone UTC, extra_float_digits 3, bytea_output hex.
using Field = bool (*)(const std::uint8_t* data, std::uint32_t size, const Type& type, Batch& batch);

Field binary_field(const Type& type);
Field text_field(const Type& type);
// Of a column that nobody wants: NULL, whatever was sent.
Field unread_field();
// Why a value of this type was not taken.
std::string why_not_binary(const Type& type, const std::uint8_t* data, std::uint32_t size);
std::string why_not_text(const Type& type, std::string_view text);

}  // namespace ysdb::postgres
