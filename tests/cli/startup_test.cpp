// lock: quiet
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>

#include "tests/live/support.h"

using namespace ysdb;
using test::run_ysdb;

TEST_CASE("ysdb --version takes less than 10 ms, the fastest of 20 runs") {
    auto fastest = std::chrono::nanoseconds::max();
    for (int i = 0; i < 20; ++i) {
        const auto before = SteadyClock::now();
        const CommandResult result = run_ysdb({"--version"});
        fastest = std::min<std::chrono::nanoseconds>(fastest, SteadyClock::now() - before);
        REQUIRE(result.exit_code == 0);
        REQUIRE(result.out.starts_with("ysdb "));
    }
    MESSAGE("fastest: " << std::chrono::duration<double, std::milli>(fastest).count() << " ms");
    CHECK(fastest < std::chrono::milliseconds(10));
}

TEST_CASE("the version is the same wherever the flag stands") {
    CHECK(run_ysdb({"--quiet", "--version"}).out == run_ysdb({"--version"}).out);
    CHECK(run_ysdb({"status", "--version"}).out == run_ysdb({"--version"}).out);
}
