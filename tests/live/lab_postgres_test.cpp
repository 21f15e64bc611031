// The newer PostgreSQL majors, beside the distribution's.
// fetched: postgres-17 postgres-18
#include <doctest/doctest.h>

#include "tests/live/own_lab.h"

using namespace ysdb;
using ysdb::test::ask_postgres;
using ysdb::test::OwnLab;

TEST_CASE("--postgres starts the major that was asked for, and a lab keeps the one it has") {
    const OwnLab own;
    const CommandResult up = own.run({"up", "--only", "postgres", "--postgres", "18"});
    REQUIRE_MESSAGE(up.exit_code == 0, up.out << up.err);
    CHECK(ask_postgres(own.api(), "SHOW server_version").substr(0, 3) == "18.");
    CHECK(ask_postgres(own.api(), "SELECT count(*)::text FROM pg_available_extensions WHERE name = 'pg_trgm'") == "1");

    const CommandResult other = own.run({"up", "--postgres", "17"});
    CHECK(other.exit_code == 7);
    CHECK(other.err.find("this lab's PostgreSQL is 18.") != std::string::npos);

    CHECK(own.run({"down"}).exit_code == 0);
    CHECK(own.run({"up", "--only", "postgres"}).exit_code == 0);
    CHECK(ask_postgres(own.api(), "SHOW server_version").substr(0, 3) == "18.");
}

TEST_CASE("a logical slot of PostgreSQL 17 can be made to survive failover") {
    const OwnLab own;
    REQUIRE(own.run({"up", "--only", "postgres", "--postgres", "17"}).exit_code == 0);
    ask_postgres(own.api(), "SELECT pg_create_logical_replication_slot('s', 'pgoutput', failover => true)::text");
    CHECK(ask_postgres(own.api(), "SELECT failover::text FROM pg_replication_slots") == "true");
}
