// Cells as people read them, for messages: "id=7, block_timestamp=2026-01-01 00:00:00".
#pragma once

#include <span>
#include <string>

#include "core/value/batch.h"

namespace ysdb {

// The canonical bytes of a cell as text; long values are cut.
std::string show_cell(std::span<const std::uint8_t> cell, const Type& type);
// The key columns of a row; all columns when the table has no key.
std::string show_key(const Batch& batch, std::size_t row);
std::string show_uuid(std::span<const std::uint8_t> cell);
std::string show_timestamp(std::int64_t micros);
std::string show_date(std::int32_t days);
std::string show_decimal(std::span<const std::uint8_t> cell, int scale);

}  // namespace ysdb
