#include <doctest/doctest.h>

#include "core/migrate/guard.h"

using namespace ysdb::migrate;

TEST_CASE("a healthy server is no reason to wait") {
    CHECK(troubles(PostgresHealth{200'000'000, 1.0, 1 << 20, 1 << 20, 10.0}).empty());
    CHECK(troubles(PostgresHealth{}).empty());
    CHECK(troubles(ClickHouseHealth{std::uint64_t{10} << 30, 0, 5, 0, ""}, std::uint64_t{1} << 30).empty());
}

TEST_CASE("each trouble of PostgreSQL is told with its figure") {
    CHECK(troubles(PostgresHealth{1'500'000'000, {}, {}, {}, {}}).at(0).find("1500 million") != std::string::npos);
    CHECK(troubles(PostgresHealth{0, 90.0, 1 << 20, {}, {}}).at(0).find("90 s") != std::string::npos);
    CHECK(troubles(PostgresHealth{0, {}, std::int64_t{5} << 30, {}, {}}).at(0).find("5.0 GiB") != std::string::npos);
    CHECK(troubles(PostgresHealth{0, {}, {}, std::int64_t{20} << 30, {}}).at(0).find("20.0 GiB") != std::string::npos);
    CHECK(troubles(PostgresHealth{0, {}, {}, {}, 3'600.0}).at(0).find("3600 s") != std::string::npos);
    CHECK(troubles(PostgresHealth{1'500'000'000, 90.0, {}, std::int64_t{20} << 30, 3'600.0}).size() == 4);
}

TEST_CASE("each trouble of ClickHouse is told, and a disk is short by what may be written anew") {
    constexpr std::uint64_t gib = std::uint64_t{1} << 30;
    CHECK(troubles(ClickHouseHealth{10 * gib, 0, 0, 0, ""}, 6 * gib).at(0).find("10.0 GiB are free") != std::string::npos);
    CHECK(troubles(ClickHouseHealth{10 * gib, 0, 0, 0, ""}, 4 * gib).empty());
    CHECK(troubles(ClickHouseHealth{10 * gib, 2, 0, 0, ""}, gib).at(0).find("2 replicated tables") != std::string::npos);
    CHECK(troubles(ClickHouseHealth{10 * gib, 0, 120, 0, ""}, gib).at(0).find("120 s behind") != std::string::npos);
    CHECK(troubles(ClickHouseHealth{10 * gib, 0, 0, 3, ""}, gib).at(0).find("3 mutations") != std::string::npos);
    CHECK(troubles(ClickHouseHealth{10 * gib, 0, 0, 3, "d.t: no"}, gib).at(0).find("d.t: no") != std::string::npos);
}
