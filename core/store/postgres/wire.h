// Big-endian integers as PostgreSQL sends them, and the epochs it counts from.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace ysdb::postgres {

template <class Integer>
Integer load_big(const std::uint8_t* data) {
    Integer value;
    std::memcpy(&value, data, sizeof value);
    if constexpr (sizeof value == 2) return static_cast<Integer>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
    if constexpr (sizeof value == 4) return static_cast<Integer>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
    if constexpr (sizeof value == 8) return static_cast<Integer>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
    return value;
}

template <class Integer>
void append_big(std::string& out, Integer value) {
    const Integer swapped = load_big<Integer>(reinterpret_cast<const std::uint8_t*>(&value));
    out.append(reinterpret_cast<const char*>(&swapped), sizeof swapped);
}

constexpr std::int32_t epoch_days = 10957;                                   // 1970-01-01 to 2000-01-01
constexpr std::int64_t epoch_micros = std::int64_t{10957} * 86'400'000'000;

}  // namespace ysdb::postgres
