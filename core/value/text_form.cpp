#include "core/value/text_form.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <cstdlib>

namespace ysdb {

namespace {

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;

// ".789", "" for none.
std::string fraction(std::int64_t micros) {
    if (micros == 0) return "";
    std::string digits = fmt::format(".{:06}", micros);
    digits.erase(digits.find_last_not_of('0') + 1);
    return digits;
}

std::string clock_text(std::uint64_t micros) {
    return fmt::format("{:02}:{:02}:{:02}{}", micros / hour, micros / minute % 60, micros / second % 60, fraction(static_cast<std::int64_t>(micros % second)));
}

bool digits(std::string_view& text, std::uint64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

// [-+]H:MM:SS[.ffffff]
std::optional<std::int64_t> parse_clock(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    std::uint64_t h = 0, m = 0, s = 0;
    const auto colon = [&] {
        if (!text.starts_with(':')) return false;
        text.remove_prefix(1);
        return true;
    };
    if (!digits(text, h) || !colon() || !digits(text, m) || !colon() || !digits(text, s)) return std::nullopt;
    std::uint64_t micros = 0;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        std::uint64_t unit = 100'000;
        for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), unit /= 10) micros += static_cast<std::uint64_t>(text[0] - '0') * unit;
    }
    if (!text.empty() || m > 59 || s > 59) return std::nullopt;
    const std::uint64_t all = h * hour + m * minute + s * second + micros;
    return static_cast<std::int64_t>(negative ? 0 - all : all);
}

std::string_view next_word(std::string_view& text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    return word;
}

constexpr std::string_view infinity = "infinity";
constexpr Interval positive_infinity{INT64_MAX, INT32_MAX, INT32_MAX};
constexpr Interval negative_infinity{INT64_MIN, INT32_MIN, INT32_MIN};

Int256 power_of_ten(int exponent) {
    Int256 power;
    power.limbs[0] = 1;
    for (; exponent > 0; --exponent) power.multiply_add(10, 0);
    return power;
}

// Both not negative.
bool less(const Int256& a, const Int256& b) {
    for (int i = 3; i >= 0; --i) {
        const auto at = static_cast<std::size_t>(i);
        if (a.limbs[at] != b.limbs[at]) return a.limbs[at] < b.limbs[at];
    }
    return false;
}

const Int256& cached_power(int exponent) {
    static const auto powers = [] {
        std::array<Int256, 77> all;
        for (int i = 0; i <= 76; ++i) all[static_cast<std::size_t>(i)] = power_of_ten(i);
        return all;
    }();
    return powers[static_cast<std::size_t>(exponent)];
}

}  // namespace

std::string interval_text(std::int64_t micros, std::int32_t days, std::int32_t months) {
    const Interval given{micros, days, months};
    if (given == positive_infinity) return std::string(infinity);
    if (given == negative_infinity) return "-" + std::string(infinity);
    std::string text;
    bool after_negative = false;  // a positive part behind a negative one carries its sign
    const auto part = [&](std::int32_t value, std::string_view unit) {
        if (value == 0) return;
        text += fmt::format("{}{}{} {}{}", text.empty() ? "" : " ", after_negative && value > 0 ? "+" : "", value, unit, value == 1 ? "" : "s");
        after_negative = value < 0;
    };
    part(months / 12, "year");
    part(months % 12, "mon");
    part(days, "day");
    if (micros != 0 || text.empty()) {
        const auto size = micros < 0 ? 0 - static_cast<std::uint64_t>(micros) : static_cast<std::uint64_t>(micros);
        text += (text.empty() ? "" : " ") + std::string(micros < 0 ? "-" : after_negative ? "+" : "") + clock_text(size);
    }
    return text;
}

std::optional<Interval> parse_interval(std::string_view text) {
    if (text == infinity) return positive_infinity;
    if (text.starts_with('-') && text.substr(1) == infinity) return negative_infinity;
    Interval interval;
    bool any = false;
    for (std::string_view word = next_word(text); !word.empty(); word = next_word(text)) {
        any = true;
        if (word.find(':') != std::string_view::npos) {
            const auto clock = parse_clock(word);
            if (!clock) return std::nullopt;
            interval.micros = *clock;
            continue;
        }
        if (word.starts_with('+')) word.remove_prefix(1);
        std::int32_t value = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
        const std::string_view unit = next_word(text);
        if (unit.starts_with("year")) interval.months += value * 12;
        else if (unit.starts_with("mon")) interval.months += value;
        else if (unit.starts_with("day")) interval.days = value;
        else return std::nullopt;
    }
    return any ? std::optional(interval) : std::nullopt;
}

std::string time_text(std::int64_t micros) { return clock_text(static_cast<std::uint64_t>(micros)); }

std::optional<std::int64_t> parse_time(std::string_view text) { return parse_clock(text); }

std::optional<Int256> parse_decimal(std::string_view text, int scale) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    Int256 value;
    int behind_point = -1, significant = 0;
    bool any = false;
    for (const char c : text) {
        if (c == '.' && behind_point < 0) {
            behind_point = 0;
            continue;
        }
        if (c < '0' || c > '9') return std::nullopt;
        any = true;
        if (behind_point >= scale) {  // zeros beyond the scale lose nothing
            if (c != '0') return std::nullopt;
            continue;
        }
        if (behind_point >= 0) ++behind_point;
        if (significant > 0 || c != '0') ++significant;
        if (significant > 76) return std::nullopt;
        value.multiply_add(10, static_cast<std::uint64_t>(c - '0'));
    }
    if (!any) return std::nullopt;
    const int missing = scale - (behind_point < 0 ? 0 : behind_point);
    if (!value.zero() && significant + missing > 76) return std::nullopt;
    for (int i = 0; i < missing; ++i) value.multiply_add(10, 0);
    if (negative) value.negate();
    return value;
}

std::optional<Int256> rescale(Int256 value, int by) {
    const bool negative = value.negative();
    if (negative) value.negate();
    if (by > 76 || (by > 0 && !less(value, cached_power(76 - by)))) {
        return value.zero() ? std::optional(value) : std::nullopt;
    }
    for (; by > 0; --by) value.multiply_add(10, 0);
    for (; by < 0; ++by) {
        if (value.divide(10) != 0) return std::nullopt;
    }
    if (negative) value.negate();
    return value;
}

bool fits_precision(Int256 value, int precision) {
    if (value.negative()) value.negate();
    return less(value, cached_power(precision));
}

}  // namespace ysdb
