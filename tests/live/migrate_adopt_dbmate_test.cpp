// Beside the real tool: npm install --ignore-scripts dbmate, and its @dbmate/linux-x64/bin on PATH.
// needs: main analytics
// programs: dbmate
#include <doctest/doctest.h>

#include "core/base/process.h"
#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;

TEST_CASE("the real dbmate applies, ysdb adopts and goes on, and the schema shows both") {
    MigrateProject project;
    project.file("20260101000001_a.sql", "-- migrate:up\nCREATE TABLE a (id int);\n\n-- migrate:down\nDROP TABLE a;\n");
    project.file("20260101000002_b.sql", "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n\n-- migrate:down\nDROP INDEX a_id;\n");
    const CommandResult applied = run_command({{"dbmate", "--url", project.postgres_url() + "?sslmode=disable", "--migrations-dir", (project.directory() / "migrations").string(), "--no-dump-schema", "up"}}, Deadline::after(Millis(60'000)));
    CAPTURE(applied.err);
    REQUIRE(applied.exit_code == 0);
    project.file("20260101000003_c.sql", "-- migrate:up\nCREATE TABLE c (id int);\n\n-- migrate:down\nDROP TABLE c;\n");
    CHECK(project.ysdb({"up"}).exit_code == 7);
    const CommandResult done = project.ysdb({"adopt", "--yes"});
    CAPTURE(done.err);
    REQUIRE(done.exit_code == 0);
    CHECK(states(project) == "20260101000001:applied 20260101000002:applied 20260101000003:pending");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT to_regclass('c') IS NOT NULL") == "t");
    CHECK(project.ysdb({"verify"}).exit_code == 0);
}
