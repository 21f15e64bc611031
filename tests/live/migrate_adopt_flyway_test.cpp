// Beside the real tool: the command line of Flyway (Maven: org.flywaydb:flyway-commandline) on PATH.
// needs: main analytics
// programs: flyway
#include "tests/live/other_tool.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

CommandResult flyway(const MigrateProject& project, const std::string& verb) {
    const Login login = login_of(project);
    return run_tool(project, {"flyway", "-url=jdbc:postgresql://" + login.address + "/" + login.database, "-user=" + login.user, "-password=" + login.password, "-locations=filesystem:.", "-placeholders.word=hello", verb});
}

}  // namespace

TEST_CASE("the real Flyway applies; adopt waits for its lock, runs nothing, and up goes on with its files and callbacks") {
    MigrateProject project;
    project.configure_migrate("[migrate.variables]\nword = \"hello\"\n");
    project.file("V1__create_a.sql", "CREATE TABLE a (id int, note text DEFAULT '${word}');\n");
    project.file("V1_1__nothing.sql", "");
    project.file("V2.0.1__vacuum.sql", "VACUUM a;\n");  // not CREATE INDEX CONCURRENTLY, for which it waits for its own lock for ever
    project.file("R__some_view.sql", "CREATE OR REPLACE VIEW v AS SELECT id FROM a;\n");
    std::filesystem::create_directories(project.migrations() / "told");
    const std::string names = "'${flyway:user}' AS who, '${flyway:database}' AS base, '${flyway:defaultSchema}' AS home, '${flyway:table}' AS history, '${flyway:filename}' AS file, length('${flyway:timestamp}') AS moment";
    project.file("told/V1_2__told.sql", "CREATE TABLE told AS SELECT " + names + ";\n");
    project.file("afterMigrate__count.sql", "CREATE TABLE IF NOT EXISTS runs (n int);\nINSERT INTO runs SELECT count(*) FROM runs;\n");
    project.file("beforeMigrate.sql", "CREATE TABLE IF NOT EXISTS before (n int);\n");
    const CommandResult applied = flyway(project, "migrate");
    CAPTURE(applied.out);
    CAPTURE(applied.err);
    REQUIRE(applied.exit_code == 0);
    project.file("V3__waits.sql", std::string(Barrier::statement) + ";\nCREATE TABLE b (id int);\n");
    CHECK(project.ysdb({"up"}).exit_code == 7);
    check_that_adopt_waits_for(project, "Flyway", [&] { return flyway(project, "migrate"); });
    CHECK(states(project) == "1:applied 1.1:applied 1.2:applied 2.0.1:applied 3:applied R__some_view:applied");
    CHECK(project.ysdb({"verify"}).exit_code == 0);
    CHECK(project.pg("SELECT count(*) FROM runs") == "2");

    project.file("V4__c.sql", "CREATE TABLE c (id int);\n");
    project.file("told/V5__told.sql", "INSERT INTO told SELECT " + names + ";\n");
    project.file("V4__c.sql.conf", "executeInTransaction=false\n");
    project.file("R__some_view.sql", "CREATE OR REPLACE VIEW v AS SELECT id, note FROM a;\n");
    const CommandResult up = project.ysdb({"up"});
    CAPTURE(up.err);
    CHECK(up.exit_code == 0);
    CHECK(project.pg("SELECT to_regclass('c') IS NOT NULL") == "t");
    CHECK(project.pg("SELECT count(*) FROM runs") == "3");
    project.pg("INSERT INTO a (id) VALUES (1)");
    CHECK(project.pg("SELECT note FROM v") == "hello");
    CHECK(project.pg("SELECT count(DISTINCT (who, base, home, history, moment)) || ' ' || string_agg(file, ' ' ORDER BY file) FROM told") == "1 V1_2__told.sql V5__told.sql");  // to the letter
    const CommandResult info = flyway(project, "info");
    CHECK(info.exit_code == 0);
    CHECK(info.out.find("Pending") != std::string::npos);  // its table is left as it was
}
