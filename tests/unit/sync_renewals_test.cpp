#include <doctest/doctest.h>

#include "core/sync/renewals.h"

using namespace ysdb;

TEST_CASE("a table that its source halts is taken up at once, then ever later, up to an hour") {
    CHECK(sync::renewal_pause(0) == Millis(0));
    CHECK(sync::renewal_pause(1) == Millis(10'000));
    CHECK(sync::renewal_pause(2) == Millis(20'000));
    CHECK(sync::renewal_pause(9) == Millis(2'560'000));
    CHECK(sync::renewal_pause(10) == Millis(3'600'000));
    CHECK(sync::renewal_pause(1'000'000) == Millis(3'600'000));
}
