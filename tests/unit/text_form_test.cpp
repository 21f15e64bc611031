#include "core/value/text_form.h"

#include <doctest/doctest.h>

using namespace ysdb;

TEST_CASE("intervals are written as PostgreSQL writes them and read back unchanged") {
    const std::pair<Interval, std::string> cases[] = {
        {{0, 0, 0}, "00:00:00"},
        {{0, 0, 14}, "1 year 2 mons"},
        {{0, 0, -14}, "-1 years -2 mons"},
        {{0, 1, 0}, "1 day"},
        {{14'706'789'000, 3, 0}, "3 days 04:05:06.789"},
        {{14'706'789'000, -3, 0}, "-3 days +04:05:06.789"},
        {{-1, 2, 25}, "2 years 1 mon 2 days -00:00:00.000001"},
        {{360'000'000'000'000, 0, 0}, "100000:00:00"},
        {{INT64_MIN, 0, 0}, "-2562047788:00:54.775808"},
        {{0, INT32_MIN, INT32_MAX}, "178956970 years 7 mons -2147483648 days"},
        {{INT64_MAX, INT32_MAX, INT32_MAX}, "infinity"},
        {{INT64_MIN, INT32_MIN, INT32_MIN}, "-infinity"},
    };
    for (const auto& [interval, text] : cases) {
        CAPTURE(text);
        CHECK(interval_text(interval.micros, interval.days, interval.months) == text);
        CHECK(parse_interval(text) == interval);
    }
    CHECK_FALSE(parse_interval(""));
    CHECK_FALSE(parse_interval("3 fortnights"));
    CHECK_FALSE(parse_interval("later"));
}

TEST_CASE("times of day go to text and back") {
    for (const auto& [micros, text] : {std::pair<std::int64_t, std::string>{0, "00:00:00"}, {86'399'999'999, "23:59:59.999999"}, {86'400'000'000, "24:00:00"}, {1'500'000, "00:00:01.5"}}) {
        CHECK(time_text(micros) == text);
        CHECK(parse_time(text) == micros);
    }
    CHECK_FALSE(parse_time("12:60:00"));
    CHECK_FALSE(parse_time("noon"));
}

TEST_CASE("decimals lose no digit, or are refused") {
    const auto is = [](const std::optional<Int256>& value, std::int64_t expected) {
        Int256 wanted;
        wanted.limbs = {static_cast<std::uint64_t>(expected), expected < 0 ? ~0ull : 0, expected < 0 ? ~0ull : 0, expected < 0 ? ~0ull : 0};
        return value == wanted;
    };
    CHECK(is(parse_decimal("12.5", 2), 1250));
    CHECK(is(parse_decimal("-0.01", 2), -1));
    CHECK(is(parse_decimal("7", 0), 7));
    CHECK(is(parse_decimal("1.500", 1), 15));
    CHECK_FALSE(parse_decimal("1.55", 1));
    CHECK_FALSE(parse_decimal("1e5", 2));
    CHECK_FALSE(parse_decimal("", 2));
    CHECK_FALSE(parse_decimal(std::string(77, '9'), 0));
    CHECK(parse_decimal(std::string(76, '9'), 0));
    CHECK(is(rescale(*parse_decimal("1.50", 2), -1), 15));
    CHECK_FALSE(rescale(*parse_decimal("1.55", 2), -1));
    CHECK(is(rescale(*parse_decimal("-3", 0), 4), -30000));
    CHECK_FALSE(rescale(*parse_decimal(std::string(70, '9'), 0), 7));
    CHECK(fits_precision(*parse_decimal("-999", 0), 3));
    CHECK_FALSE(fits_precision(*parse_decimal("1000", 0), 3));
}
