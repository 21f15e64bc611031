#include <doctest/doctest.h>

#include <initializer_list>

#include "core/plan/refusals.h"

using namespace ysdb;
using namespace ysdb::plan;

namespace {

Error refusal(const char* code) { return Error(Code::rejected, "no").with_server_code(code); }

}  // namespace

TEST_CASE("a statement that found no lock, a deadlock and ClickHouse's 517 may be tried again") {
    for (const char* code : {"55P03", "40P01", "517"}) {
        CAPTURE(code);
        CHECK(found_no_lock(refusal(code)));
        CHECK_FALSE(is_missing_table(refusal(code)));
        CHECK_FALSE(refuses_transaction(refusal(code)));
    }
}

TEST_CASE("what the same statement would meet again is not tried again") {
    // undefined_table, unique_violation, syntax_error, statement_timeout, admin_shutdown; UNKNOWN_TABLE, UNFINISHED, ACCESS_DENIED, no code at all.
    for (const char* code : {"42P01", "23505", "42601", "57014", "57P01", "60", "341", "497", "5170", "51", ""}) {
        CAPTURE(code);
        CHECK_FALSE(found_no_lock(refusal(code)));
    }
}

TEST_CASE("517 alone does not say that nothing of the statement ran") { CHECK_FALSE(refused_before_running(refusal("517"))); }
