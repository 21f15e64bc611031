#include "core/base/time.h"

#include <doctest/doctest.h>

#include "core/base/error.h"

using namespace ysdb;

TEST_CASE("durations are read with their unit and refused without one") {
    CHECK(parse_duration("500ms", "x").count() == 500);
    CHECK(parse_duration("2s", "x").count() == 2000);
    CHECK(parse_duration("1.5m", "x").count() == 90'000);
    CHECK(parse_duration("7d", "x").count() == 7LL * 86'400'000);
    for (const char* bad : {"", "5", "s", "-1s", "5 s", "1w", "infs", "1e300d"}) CHECK_THROWS_AS(parse_duration(bad, "x"), Error);
}

TEST_CASE("sizes tell powers of two from powers of ten") {
    CHECK(parse_size("64KiB", "x") == 65536);
    CHECK(parse_size("2GB", "x") == 2'000'000'000);
    CHECK(parse_size("17", "x") == 17);
    for (const char* bad : {"", "MiB", "-1", "1XB"}) CHECK_THROWS_AS(parse_size(bad, "x"), Error);
}

TEST_CASE("numbers are shown as people write them") {
    CHECK(human_count(1234567) == "1,234,567");
    CHECK(human_count(-1000) == "-1,000");
    CHECK(human_count(999) == "999");
    CHECK(human_bytes(1536) == "1.5 KiB");
    CHECK(human_duration(0.34) == "340 ms");
    CHECK(human_duration(185) == "3m 05s");
}
