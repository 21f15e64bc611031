// What reading and writing format Native share: limits of types, variable-length integers, the order of a UUID's bytes.
#pragma once

#include <cstdint>
#include <cstring>

namespace ysdb::clickhouse {

constexpr std::int64_t day_micros = 86'400'000'000;
constexpr std::int32_t first_day = -25'567;    // 1900-01-01
constexpr std::int32_t last_day = 120'529;     // 2299-12-31
constexpr std::int64_t first_micro = first_day * day_micros;
constexpr std::int64_t last_micro = (last_day + std::int64_t{1}) * day_micros - 1;

constexpr std::int64_t power_of_ten(int exponent) { return exponent == 0 ? 1 : 10 * power_of_ten(exponent - 1); }

inline std::uint8_t* put_size(std::uint8_t* to, std::uint64_t size) {
    for (; size >= 0x80; size >>= 7) *to++ = static_cast<std::uint8_t>(size | 0x80);
    *to++ = static_cast<std::uint8_t>(size);
    return to;
}
constexpr std::size_t longest_size = 10;

// A UUID is two little-endian halves there, sixteen bytes in reading order here.
inline void swap_uuid_halves(const std::uint8_t* from, std::uint8_t* to) {
    std::uint64_t high = 0, low = 0;
    std::memcpy(&high, from, 8);
    std::memcpy(&low, from + 8, 8);
    high = __builtin_bswap64(high);
    low = __builtin_bswap64(low);
    std::memcpy(to, &high, 8);
    std::memcpy(to + 8, &low, 8);
}

}  // namespace ysdb::clickhouse
