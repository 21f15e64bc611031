// Beside the real tool: go install github.com/pressly/goose/v3/cmd/goose@latest
// needs: main analytics
// programs: goose
#include "tests/live/other_tool.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

CommandResult goose(const MigrateProject& project, const std::string& verb) { return run_tool(project, {"goose", "-dir", ".", "postgres", project.postgres_url() + "?sslmode=disable", verb}); }

}  // namespace

TEST_CASE("the real goose applies, ysdb adopts and runs nothing again, goes on and back with its files, and goose still says where it was") {
    MigrateProject project;
    project.file("00001_a.sql", "-- +goose Up\n-- +goose StatementBegin\nCREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1; END $$ LANGUAGE plpgsql;\n-- +goose StatementEnd\nCREATE TABLE a (id int);\n-- +goose Down\nDROP TABLE a;\nDROP FUNCTION f();\n");
    project.file("00002_b.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nBEGIN;\nALTER TABLE a ADD b int;\nALTER TABLE a ADD c int;\nCOMMIT;\n-- +goose Down\nDROP INDEX CONCURRENTLY a_id;\n");
    project.file("00003_nothing.sql", "-- +goose Up\n-- +goose Down\n");
    project.file("00004_committed.sql", "-- +goose Up\nCREATE TABLE d (id int);\nCOMMIT;\n");
    const CommandResult applied = goose(project, "up");
    CAPTURE(applied.err);
    REQUIRE(applied.exit_code == 0);
    REQUIRE(goose(project, "down").exit_code == 0);  // 4 is pending again
    project.pg("DROP TABLE d");
    CHECK(project.ysdb({"up"}).exit_code == 7);
    REQUIRE(project.ysdb({"adopt", "--yes"}).exit_code == 0);
    CHECK(states(project) == "00001:applied 00002:applied 00003:applied 00004:pending");

    project.file("00005_e.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nBEGIN;\nLOCK TABLE a;\nCREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT 5 AS id;\nINSERT INTO a (id) SELECT id FROM kept;\nCOMMIT;\nVACUUM a;\n-- +goose Down\nDELETE FROM a;\n");
    const CommandResult up = project.ysdb({"up"});
    CAPTURE(up.err);
    CHECK(up.exit_code == 0);
    CHECK(project.pg("SELECT id FROM a") == "5");
    CHECK(project.pg("SELECT to_regclass('d') IS NOT NULL") == "t");
    CHECK(project.ysdb({"verify"}).exit_code == 0);
    CHECK(project.ysdb({"redo", "--yes"}).exit_code == 0);
    CHECK(project.pg("SELECT count(*) FROM a") == "1");
    const CommandResult status = goose(project, "status");
    CHECK(status.exit_code == 0);
    CHECK(status.err.find("Pending                  -- 00004_committed.sql") != std::string::npos);  // its table is left as it was
}
