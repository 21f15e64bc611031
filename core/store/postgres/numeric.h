// PostgreSQL's numeric on the wire: base-10000 digits.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/value/batch.h"
#include "core/value/type.h"

namespace ysdb::postgres {

// To the unscaled integer of decimal(p, s): 16 or 32 bytes, or 'N' '+' '-'. False when it has more than s decimals or p digits.
bool numeric_to_decimal(const std::uint8_t* data, std::uint32_t size, const Type& type, Batch& batch);
// To text, as numeric_out prints it.
bool numeric_to_text(const std::uint8_t* data, std::uint32_t size, const Type& type, Batch& batch);
// Back: appends the wire form without its length.
void decimal_to_numeric(std::span<const std::uint8_t> cell, int scale, std::string& out);
void text_to_numeric(std::string_view text, std::string& out);

}  // namespace ysdb::postgres
