// needs: main analytics
// lock: lab_kill
// plan --rehearse: what is pending is run on a scratch server, and what was seen there is told.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/live/migrate_project.h"
#include "tests/live/own_lab.h"
#include "tests/live/scratch_place.h"

using namespace ysdb;
using namespace ysdb::test;
using Json = nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

CommandResult rehearse(const MigrateProject& project, const Scratch& temporary, std::vector<std::string> more = {}, const std::string& fault = {}) {
    more.insert(more.begin(), {"plan", "--rehearse"});
    return project.ysdb(std::move(more), fault, {{"TMPDIR", temporary.place.base().string()}});
}

// By the place's line: "0002:3".
std::map<std::string, Json> by_line(const Json& report) {
    std::map<std::string, Json> steps;
    for (const Json& step : report.at("steps")) {
        const std::string place = step.at("place");
        const auto colon = place.find(':');
        steps[place.substr(11, 4) + place.substr(colon, place.rfind(':') - colon)] = step;
    }
    return steps;
}

std::string text(const Json& value) { return value.is_null() ? "" : value.get<std::string>(); }

}  // namespace

TEST_CASE("locks, rewrites, reads and rows are those that were seen, and the live stores are not touched") {
    MigrateProject project;
    Scratch temporary;
    project.file("0001_base.sql", "CREATE TABLE users (id int PRIMARY KEY, age int, name text);\nCREATE TABLE other (id int PRIMARY KEY);\nINSERT INTO users SELECT g, g, 'x' FROM generate_series(1, 50) g;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    const std::string before = project.ysdb({"dump"}).out;
    project.file("0002_change.sql",
                 "ALTER TABLE users ADD COLUMN note text DEFAULT 'a';\n"            // no rewrite
                 "UPDATE users SET age = 1 WHERE id <= 10;\n"
                 "ALTER TABLE users ALTER COLUMN age TYPE bigint;\n"                // rewrites
                 "CREATE TABLE fresh (id int PRIMARY KEY REFERENCES other);\n"
                 "ALTER TABLE fresh ADD COLUMN x int;\n");                          // nobody's to wait for
    project.file("0003_null.sql", "ALTER TABLE users ALTER COLUMN name SET NOT NULL;");
    project.file("0004_check.sql",
                 "-- migrate:up transaction:false\nALTER TABLE users ADD CONSTRAINT c CHECK (age IS NOT NULL) NOT VALID;\nALTER TABLE users VALIDATE CONSTRAINT c;\n"
                 "ALTER TABLE users ALTER COLUMN age SET NOT NULL;\nCREATE INDEX CONCURRENTLY by_name ON users (name);\n-- migrate:batch size:7\nUPDATE users SET note = name;\n");
    project.file("0005_prices.sql", "-- migrate:up store:analytics\nCREATE TABLE prices (x Int32, y Int32) ENGINE = MergeTree ORDER BY x;\nINSERT INTO prices SELECT 1, 1;\nALTER TABLE prices UPDATE y = 2 WHERE x = 1;\n");
    const CommandResult result = rehearse(project, temporary, {"--output", "json"});
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    const Json report = Json::parse(result.out);
    CHECK(report.at("statements") == 14);
    CHECK(has(report.at("data"), "times are not"));
    auto steps = by_line(report);
    const auto locks = [&](const char* line) { return text(steps[line].at("locks")); };
    CHECK(locks("0002:1") == "ACCESS EXCLUSIVE on users: blocks reads and writes");
    CHECK(steps["0002:1"].at("rewritten").is_null());
    CHECK(steps["0002:2"].at("rows") == 10);
    CHECK(locks("0002:2").empty());  // it is held already, by line 1
    CHECK(text(steps["0002:3"].at("rewritten")) == "users, users_pkey");
    CHECK(locks("0002:4") == "SHARE ROW EXCLUSIVE on other: blocks writes");
    CHECK(locks("0002:5").empty());
    CHECK(steps["0002:1"].at("held_seconds").get<double>() >= steps["0002:1"].at("seconds").get<double>() + steps["0002:3"].at("seconds").get<double>());
    CHECK(text(steps["0003:1"].at("read_whole")) == "users");
    CHECK(steps["0004:2"].at("read_whole").is_null());
    CHECK(locks("0004:3") == "SHARE UPDATE EXCLUSIVE on users: blocks neither reads nor writes");
    CHECK(text(steps["0004:3"].at("read_whole")) == "users");
    CHECK(locks("0004:4") == "ACCESS EXCLUSIVE on users: blocks reads and writes");
    CHECK(steps["0004:4"].at("read_whole").is_null());  // the CHECK proves it
    CHECK(steps["0004:7"].at("rows") == 50);
    CHECK(steps["0005:4"].at("mutations") == 1);
    CHECK(report.at("longest_access_exclusive").get<double>() > 0);

    CHECK(project.ysdb({"dump"}).out == before);
    CHECK(states(project) == "0001:applied 0002:pending 0003:pending 0004:pending 0005:pending");
    CHECK(project.pg("SELECT count(*) FROM users WHERE age = 1") == "1");
    CHECK(project.ch("SELECT count() FROM system.tables WHERE database = currentDatabase()") == "0");
    CHECK(temporary.empty());
    const CommandResult people = rehearse(project, temporary, {"--to", "2"});
    CHECK(has(people.out, "ACCESS EXCLUSIVE on users"));
    CHECK_FALSE(has(people.out, "0003_null"));
}

TEST_CASE("a statement that fails there is shown at its place with the server's code, before anything live is touched") {
    MigrateProject project;
    Scratch temporary;
    project.file("0001_base.sql", "CREATE TABLE a (id int);");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0002_bad.sql", "ALTER TABLE a ADD COLUMN b int;\nALTER TABLE a ADD COLUMN c nothing;");
    const CommandResult result = rehearse(project, temporary);
    CHECK(result.exit_code == 5);
    CHECK(has(result.err, "on the scratch server: migrations/0002_bad.sql:2:28: "));
    CHECK(project.pg("SELECT count(*) FROM information_schema.columns WHERE table_name = 'a'") == "1");
    project.remove("0002_bad.sql");
    CHECK(has(rehearse(project, temporary).out, "nothing to apply"));
    CHECK(temporary.empty());
}

TEST_CASE("the live server is refused as scratch; what a killed rehearsal leaves, the next one removes") {
    MigrateProject project;
    Scratch temporary;
    project.file("0001_base.sql", "CREATE TABLE a (id int);");
    const std::filesystem::path config = project.directory() / "ysdb.toml";
    write_file_atomically(config, read_file(config) + "\n[stores.same]\nurl = \"" + store_config("main").url + "\"\n");
    const CommandResult same = rehearse(project, temporary, {"--scratch", "same"});
    CHECK(same.exit_code == 7);
    CHECK(has(same.err, "is the server of store 'main'"));
    CHECK(project.ysdb({"plan", "--scratch", "same"}).exit_code == 2);
    for (const char* fault : {"rehearse.apply.after", "rehearse.run.after"}) {
        CHECK(rehearse(project, temporary, {}, fault).exit_code == 137);
        CHECK_FALSE(temporary.empty());
        CHECK(rehearse(project, temporary).exit_code == 0);
        CHECK(temporary.empty());
    }
}

TEST_CASE("the way back is tried too: it leads to where it began, or the difference is shown") {
    MigrateProject project;
    Scratch temporary;
    project.file("0001_base.sql", "-- migrate:up transaction:false\nCREATE TABLE a (id int PRIMARY KEY, n int);\n-- migrate:batch\nUPDATE a SET n = 0;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0002_b.sql", "-- migrate:up\nALTER TABLE a ADD COLUMN b int;\nCREATE INDEX i ON a (b);\n-- migrate:down\nALTER TABLE a DROP COLUMN b;");
    project.file("0003_c.sql", "-- migrate:up transaction:false\n-- migrate:batch\nUPDATE a SET n = 1;\n-- migrate:down\nSELECT 1;");
    const CommandResult good = rehearse(project, temporary, {"--back", "--output", "json"});
    CAPTURE(good.err);
    REQUIRE(good.exit_code == 0);
    const Json report = Json::parse(good.out);
    CHECK(report.at("way_back") == "the schema is what it was");
    REQUIRE(report.at("statements") == 5);
    CHECK(report.at("steps").at(3).at("direction") == "down");
    CHECK(report.at("steps").at(4).at("what") == "ALTER TABLE a");
    CHECK(text(report.at("steps").at(4).at("locks")) == "ACCESS EXCLUSIVE on a: blocks reads and writes");

    project.file("0002_b.sql", "-- migrate:up\nALTER TABLE a ADD COLUMN b int, ALTER COLUMN n SET NOT NULL;\n-- migrate:down\nALTER TABLE a DROP COLUMN b;");
    const CommandResult left = rehearse(project, temporary, {"--back"});
    CHECK(left.exit_code == 1);
    CHECK(has(left.out, "the schema is not what it was"));
    CHECK(has(left.out, "n integer NOT NULL"));
    project.file("0002_b.sql", "-- migrate:up\nALTER TABLE a ADD COLUMN b int;\n-- migrate:down\nALTER TABLE a DROP COLUMN c;");
    const CommandResult broken = rehearse(project, temporary, {"--back"});
    CHECK(broken.exit_code == 5);
    CHECK(has(broken.err, "way back, on the scratch server: migrations/0002_b.sql:4:"));
    project.file("0002_b.sql", "ALTER TABLE a ADD COLUMN b int;");
    const CommandResult none = rehearse(project, temporary, {"--back"});
    CHECK(none.exit_code == 0);
    CHECK(has(none.err, "0002_b has no migrate:down"));
    CHECK(states(project) == "0001:applied 0002:pending 0003:pending");
    CHECK(temporary.empty());
}

TEST_CASE("on a restored copy it runs for good, with its rows; one that is not a copy of now is refused") {
    MigrateProject project;
    Scratch temporary;
    OwnLab other;
    REQUIRE(other.run({"up", "--only", "postgres"}).exit_code == 0);
    const std::string url = Json::parse(other.run({"env", "--output", "json"}).out).at("stores").at("main").at("url");
    project.file("0001_base.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    const std::filesystem::path config = project.directory() / "ysdb.toml";
    write_file_atomically(config, read_file(config) + "\n[stores.restored]\nurl = \"" + url + "\"\n[stores.same]\nurl = \"" + store_config("main").url + "\"\n");
    project.file("0002_fill.sql", "UPDATE a SET n = 1;");
    project.file("0003_prices.sql", "-- migrate:up store:analytics\nCREATE TABLE p (x Int32) ENGINE = MergeTree ORDER BY x;");
    const CommandResult empty = rehearse(project, temporary, {"--copy", "restored"});
    CHECK(empty.exit_code == 7);
    CHECK(has(empty.err, "version 0001 is applied on the live server and not on the copy"));

    // As a backup would make it.
    REQUIRE(project.ysdb({"up", "--to", "1"}, {}, {{"YSDB_STORES_MAIN_URL", url}}).exit_code == 0);
    StoreConfig there = store_config("main");
    there.url = url;
    const auto copy = open_store(there);
    const auto ask = [&](const std::string& sql) { return copy->sql()->query(sql, Deadline::after(Millis(20'000))).row(0).text(0); };
    copy->sql()->query("INSERT INTO a SELECT generate_series(1, 1000)", Deadline::after(Millis(20'000)));
    const CommandResult result = rehearse(project, temporary, {"--copy", "restored", "--output", "json"});
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    const Json report = Json::parse(result.out);
    REQUIRE(report.at("statements") == 1);
    CHECK(report.at("steps").at(0).at("rows") == 1000);
    CHECK(has(report.at("data"), "the copy's"));
    CHECK(has(report.at("warnings").at(0), "0003_prices is not rehearsed: there is no copy of store 'analytics'"));
    CHECK(ask("SELECT count(*) FROM a WHERE n = 1") == "1000");
    CHECK(ask("SELECT string_agg(version, ' ' ORDER BY version) FROM ysdb.migrations") == "0001 0002");
    CHECK(states(project) == "0001:applied 0002:pending 0003:pending");
    CHECK(rehearse(project, temporary, {"--copy", "restored"}).exit_code == 7);  // it is ahead now

    const CommandResult same = rehearse(project, temporary, {"--copy", "same"});
    CHECK(same.exit_code == 7);
    CHECK(has(same.err, "is the server of store 'main'"));
    CHECK(rehearse(project, temporary, {"--copy", "restored", "--back"}).exit_code == 2);
    CHECK(project.ysdb({"plan", "--copy", "restored"}).exit_code == 2);
    CHECK(temporary.empty());
}
