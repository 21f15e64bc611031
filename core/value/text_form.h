// Values that some stores keep as text, as PostgreSQL writes them (IntervalStyle postgres), and back: what is written here is read
// here as the same canonical bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/value/wide_int.h"

namespace ysdb {

// "1 year 2 mons -3 days +04:05:06.789", "00:00:00", "infinity".
std::string interval_text(std::int64_t micros, std::int32_t days, std::int32_t months);
struct Interval {
    std::int64_t micros = 0;
    std::int32_t days = 0;
    std::int32_t months = 0;
    bool operator==(const Interval&) const = default;
};
std::optional<Interval> parse_interval(std::string_view text);

// "23:59:59.999999", "24:00:00".
std::string time_text(std::int64_t micros);
std::optional<std::int64_t> parse_time(std::string_view text);

// "-12.50" at scale 2 -> -1250. Nothing when it has more digits behind the point than `scale`, is no number, or does not fit 76 digits.
std::optional<Int256> parse_decimal(std::string_view text, int scale);
// Multiplies (by > 0) or divides by a power of ten; nothing when digits would be lost or 76 digits exceeded.
std::optional<Int256> rescale(Int256 value, int by);
// True when |value| < 10^precision.
bool fits_precision(Int256 value, int precision);

}  // namespace ysdb
