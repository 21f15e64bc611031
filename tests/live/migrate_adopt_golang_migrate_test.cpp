// Beside the real tool: go install -tags postgres github.com/golang-migrate/migrate/v4/cmd/migrate@latest
// needs: main analytics
// programs: migrate
#include "tests/live/other_tool.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

CommandResult migrate(const MigrateProject& project, const std::string& verb) {
    return run_tool(project, {"migrate", "-path", ".", "-database", project.postgres_url() + "?sslmode=disable", verb});
}

}  // namespace

TEST_CASE("the real golang-migrate applies; adopt waits for its lock, runs nothing, and up goes on with its files") {
    MigrateProject project;
    project.file("000001_a.up.sql", "BEGIN;\nCREATE TABLE a (id int);\nCOMMIT;\nCREATE TABLE b (id int);\n");
    project.file("000001_a.down.sql", "DROP TABLE b; DROP TABLE a;");
    project.file("000002_nothing.up.sql", "-- it was not needed\n");
    project.file("000003_gone.down.sql", "SELECT 1;");
    REQUIRE(migrate(project, "up").exit_code == 0);
    project.file("000004_c.up.sql", std::string(Barrier::statement) + ";\nCREATE TABLE c (id int);");
    project.file("000004_c.down.sql", "DROP TABLE c;");
    CHECK(project.ysdb({"up"}).exit_code == 7);
    check_that_adopt_waits_for(project, "golang-migrate", [&] { return migrate(project, "up"); });
    CHECK(states(project) == "000001:applied 000002:applied 000004:applied");

    project.file("000005_d.up.sql", "CREATE TABLE d (id int);");
    project.file("000005_d.down.sql", "DROP TABLE d;");
    const CommandResult up = project.ysdb({"up"});
    CAPTURE(up.err);
    CHECK(up.exit_code == 0);
    CHECK(project.pg("SELECT to_regclass('d') IS NOT NULL") == "t");
    CHECK(project.ysdb({"verify"}).exit_code == 0);
    CHECK(project.ysdb({"down", "2", "--yes"}).exit_code == 0);
    CHECK(project.pg("SELECT to_regclass('c') IS NULL") == "t");
    CHECK(migrate(project, "version").err == "4\n");  // its table is left as it was
}
