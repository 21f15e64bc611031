// needs: main analytics
// lock: own_lab
// A store that is a standby: it takes no writes, whatever the role may. A lab of its own.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/live/other_postgres.h"
#include "tests/live/outage_lab.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("on a read-only replica status, plan and verify work, up says what it is and changes nothing, and after its promotion up goes on") {
    OutageLab lab;
    lab.up();
    const auto stores = nlohmann::json::parse(lab.ysdb({"lab", "env", "--dir", "lab", "--output", "json"}).out)["stores"];
    const std::string url = stores["main"]["url"];
    const auto configure = [&](const std::string& main) { write_file_atomically(lab.directory() + "/ysdb.toml", "[stores.main]\nurl = \"" + main + "\"\n[migrate]\nstore = \"main\"\n"); };
    std::filesystem::create_directory(lab.directory() + "/migrations");
    const auto file = [&](const std::string& name, const std::string& text) { write_file_atomically(lab.directory() + "/migrations/" + name, text); };
    configure(url);
    file("0001_a.sql", "CREATE TABLE a (id int);");
    REQUIRE(lab.ysdb({"migrate", "up"}).exit_code == 0);

    OtherPostgres standby(lab.directory(), "standby");
    standby.copy(url, true);
    standby.start();
    const auto at = url.rfind(':'), slash = url.rfind('/');
    configure(url.substr(0, at + 1) + std::to_string(standby.port()) + url.substr(slash));
    REQUIRE(eventually([&] { return lab.ysdb({"migrate", "status"}).exit_code == 0; }));
    CHECK(lab.ysdb({"migrate", "up"}).exit_code == 0);  // nothing to apply
    file("0002_b.sql", "CREATE TABLE b (id int);");
    CHECK(has(lab.ysdb({"migrate", "status"}).out, "pending"));
    CHECK(lab.ysdb({"migrate", "plan"}).exit_code == 0);
    CHECK(lab.ysdb({"migrate", "verify"}).exit_code == 0);
    const CommandResult refused = lab.ysdb({"migrate", "up"});
    CAPTURE(refused.err);
    CHECK(refused.exit_code == 5);
    CHECK(has(refused.err, "read-only transaction"));
    CHECK(has(refused.err, "is it a replica?"));
    standby.run("pg_ctl", {"promote", "-w", "-D", lab.directory() + "/standby/data"});
    const CommandResult promoted = lab.ysdb({"migrate", "up"});
    CAPTURE(promoted.err);
    CHECK(promoted.exit_code == 0);
}
