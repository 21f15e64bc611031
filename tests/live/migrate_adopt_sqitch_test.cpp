// Beside the real tool: Debian's sqitch, with libdbd-pg-perl.
// needs: main analytics
// programs: sqitch
#include "tests/live/other_tool.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

CommandResult sqitch(const MigrateProject& project, const std::string& verb) {
    const std::string target = "db:pg" + project.postgres_url().substr(std::string("postgres").size());
    return run_tool(project, {"sqitch", verb, "--target", target}, {{"SQITCH_FULLNAME", "A"}, {"SQITCH_EMAIL", "a@example.org"}});
}

void change(const MigrateProject& project, const std::string& name, const std::string& deploy, const std::string& revert) {
    project.file("deploy/" + name + ".sql", "-- Deploy shop:" + name + "\nBEGIN;\n\n" + deploy + "\n\nCOMMIT;\n");
    project.file("revert/" + name + ".sql", "-- Revert shop:" + name + "\nBEGIN;\n\n" + revert + "\n\nCOMMIT;\n");
    project.file("verify/" + name + ".sql", "-- Verify shop:" + name + "\nBEGIN;\n\nSELECT 1;\n\nROLLBACK;\n");
}

constexpr const char* plan = "%syntax-version=1.0.0\n%project=shop\n\nusers 2026-01-01T00:00:00Z A <a@example.org> # first\n@v1 2026-01-02T00:00:00Z A <a@example.org> # a tag\n"
                             "orders [users] 2026-01-03T00:00:00Z A <a@example.org> # second\n@v2 2026-01-04T00:00:00Z A <a@example.org> # another\n"
                             "users [users@v2] 2026-01-05T00:00:00Z A <a@example.org> # reworked\n";

}  // namespace

TEST_CASE("the real sqitch deploys; adopt waits for its lock, runs nothing, and up goes on with its plan") {
    MigrateProject project;
    for (const char* folder : {"deploy", "revert", "verify"}) std::filesystem::create_directories(project.migrations() / folder);
    project.file("sqitch.conf", "[core]\n\tengine = pg\n");
    project.file("sqitch.plan", plan);
    change(project, "users@v2", "CREATE TABLE users (id int);", "DROP TABLE users;");
    change(project, "orders", "CREATE TABLE orders (id int);", "DROP TABLE orders;");
    change(project, "users", "ALTER TABLE users ADD name text;", "ALTER TABLE users DROP name;");
    const CommandResult deployed = sqitch(project, "deploy");
    CAPTURE(deployed.out);
    CAPTURE(deployed.err);
    REQUIRE(deployed.exit_code == 0);
    project.file("sqitch.plan", std::string(plan) + "waits 2026-01-06T00:00:00Z A <a@example.org> # third\n");
    change(project, "waits", std::string(Barrier::statement) + ";\nCREATE TABLE waits (id int);", "DROP TABLE waits;");
    CHECK(project.ysdb({"up"}).exit_code == 7);
    check_that_adopt_waits_for(project, "sqitch", [&] { return sqitch(project, "deploy"); });
    CHECK(states(project) == "0001:applied 0002:applied 0003:applied 0004:applied");

    project.file("sqitch.plan", std::string(plan) + "waits 2026-01-06T00:00:00Z A <a@example.org> # third\nlines [orders] 2026-01-07T00:00:00Z A <a@example.org> # fourth\n");
    change(project, "lines", "CREATE TABLE lines (id int);", "DROP TABLE lines;");
    const CommandResult up = project.ysdb({"up"});
    CAPTURE(up.err);
    CHECK(up.exit_code == 0);
    CHECK(project.pg("SELECT to_regclass('lines') IS NOT NULL") == "t");
    CHECK(project.ysdb({"verify"}).exit_code == 0);
    CHECK(project.ysdb({"down", "3", "--yes"}).exit_code == 0);
    CHECK(project.pg("SELECT count(*) FROM information_schema.columns WHERE table_name = 'users'") == "1");
    const CommandResult status = sqitch(project, "status");
    CHECK(status.exit_code == 0);
    CHECK(status.out.find("Undeployed change:\n  * lines") != std::string::npos);  // its table is left as it was
}
