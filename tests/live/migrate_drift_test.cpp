// needs: main analytics
// lock: lab_kill
// takes: 60
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/live/migrate_project.h"
#include "tests/live/own_lab.h"
#include "tests/live/scratch_place.h"

using namespace ysdb;
using namespace ysdb::test;
using Json = nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

CommandResult drift(const MigrateProject& project, const Scratch& scratch, std::vector<std::string> arguments = {}, const std::string& fault = {}) {
    arguments.insert(arguments.begin(), {"migrate", "drift"});
    std::map<std::string, std::string> environment{{"XDG_CONFIG_HOME", "/nonexistent"}, {"TMPDIR", scratch.place.base().string()}};
    if (!fault.empty()) environment["YSDB_FAULT"] = fault;
    return run_ysdb(std::move(arguments), std::move(environment), project.directory().string());
}

void fill(const MigrateProject& project) {
    project.file("0001_users.sql", "CREATE TABLE users (id int PRIMARY KEY, name text);\nCREATE INDEX by_name ON users (name);\n");
    project.file("0002_prices.sql", "-- migrate:up store:analytics\nCREATE TABLE prices (at DateTime, v Float64) ENGINE = MergeTree ORDER BY at;\n");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0003_pending.sql", "CREATE TABLE later (id int);");
}

}  // namespace

TEST_CASE("a schema that nobody touched has no drift; each change by hand is shown as DDL, on both stores") {
    MigrateProject project;
    Scratch scratch;
    fill(project);
    const CommandResult none = drift(project, scratch, {"--output", "json"});
    CAPTURE(none.err);
    REQUIRE(none.exit_code == 0);
    CHECK(Json::parse(none.out).at("differences") == 0);
    CHECK(scratch.empty());

    project.pg("ALTER TABLE users ALTER COLUMN name SET NOT NULL");
    project.pg("DROP INDEX by_name");
    project.pg("CREATE VIEW by_hand AS SELECT id FROM users");
    project.ch("ALTER TABLE prices ADD COLUMN source String");
    const CommandResult some = drift(project, scratch);
    CHECK(some.exit_code == 1);
    CHECK(has(some.out, "main: table public.users: differs\n"));
    CHECK(has(some.out, "-    name text\n+    name text NOT NULL\n"));
    CHECK(has(some.out, "main: index public.users by_name: missing\n"));
    CHECK(has(some.out, "main: view public.by_hand: unexpected\n"));
    CHECK(has(some.out, "analytics: table `prices`: differs\n"));
    CHECK(has(some.out, "4 differences\n"));
    CHECK(!has(some.out, "later"));
    const Json json = Json::parse(drift(project, scratch, {"--output", "json"}).out);
    CHECK(json.at("differences") == 4);
    CHECK(json.at("changes").size() == 4);
    CHECK(scratch.empty());
}

TEST_CASE("roles that somebody else makes do not stand in the way, and a migration's own do not either") {
    MigrateProject project;
    Scratch scratch;
    const std::string role = unique_name() + "_app", own = unique_name() + "_own";
    project.pg("CREATE ROLE " + role);
    project.file("0001_a.sql", "CREATE TABLE a (id int);\nGRANT SELECT ON a TO " + role + ";\nCREATE ROLE " + own + ";\nGRANT INSERT ON a TO " + own + ";\n");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    const CommandResult result = drift(project, scratch);
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    for (const std::string& each : {role, own}) {
        project.pg("DROP OWNED BY " + each);
        project.pg("DROP ROLE " + each);
    }
}

TEST_CASE("partitions of a table in [[partition]] come and go; those of others count") {
    MigrateProject project;
    Scratch scratch;
    project.file("0001_a.sql", "CREATE TABLE a (at date, PRIMARY KEY (at)) PARTITION BY RANGE (at);\nCREATE TABLE b (at date) PARTITION BY RANGE (at);\n");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.pg("CREATE TABLE a_1 PARTITION OF a FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')");
    project.pg("CREATE TABLE b_1 PARTITION OF b FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')");
    const std::filesystem::path config = project.directory() / "ysdb.toml";
    write_file_atomically(config, read_file(config) + "\n[[partition]]\ntable = \"main.public.a\"\nby = \"at\"\nevery = \"month\"\n");
    const CommandResult result = drift(project, scratch);
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    CHECK(has(result.out, "public.b_1"));
    CHECK(!has(result.out, "a_1"));
}

TEST_CASE("the live server is refused as scratch, whatever its name; a database on another server is made and gone") {
    MigrateProject project;
    Scratch scratch;
    fill(project);
    const std::filesystem::path config = project.directory() / "ysdb.toml";
    const std::string before = read_file(config);
    write_file_atomically(config, before + "\n[stores.same]\nurl = \"" + store_config("main").url + "\"\n");
    const CommandResult same = drift(project, scratch, {"--scratch", "same"});
    CHECK(same.exit_code == 7);
    CHECK(has(same.err, "is the server of store 'main'"));

    OwnLab other;
    REQUIRE(other.run({"up", "--only", "postgres"}).exit_code == 0);
    const Json stores = Json::parse(other.run({"env", "--output", "json"}).out);
    write_file_atomically(config, before + "\n[stores.other]\nurl = \"" + stores.at("stores").at("main").at("url").get<std::string>() + "\"\n");
    const std::string databases = "SELECT count(*) FROM pg_database WHERE datname LIKE 'ysdb%'";
    const CommandResult there = drift(project, scratch, {"--scratch", "other"});
    CAPTURE(there.err);
    CHECK(there.exit_code == 0);
    CHECK(ask_postgres(other.api(), databases) == "0");
    for (const char* point : {"scratch.database.after", "drift.apply.after"}) {
        CAPTURE(point);
        CHECK(drift(project, scratch, {"--scratch", "other"}, point).exit_code == 137);
        CHECK(ask_postgres(other.api(), databases) == "1");
        CHECK(drift(project, scratch, {"--scratch", "other"}).exit_code == 0);
        CHECK(ask_postgres(other.api(), databases) == "0");
    }
    CHECK(scratch.empty());

    const CommandResult password = drift(project, scratch, {"--scratch", "postgres://a:secret@127.0.0.1/x"});
    CHECK(password.exit_code == 2);
    CHECK(!has(password.err, "secret"));
}

TEST_CASE("files for an environment count where it is said to be") {
    MigrateProject project;
    Scratch scratch;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    project.file("0002_seed.sql", "-- migrate:up env:dev\nCREATE TABLE seed (id int);");
    REQUIRE(project.ysdb({"up", "--env", "dev"}).exit_code == 0);
    const CommandResult nowhere = drift(project, scratch);
    CHECK(nowhere.exit_code == 1);
    CHECK(has(nowhere.out, "table public.seed: unexpected"));
    CHECK(has(nowhere.err, "0002_seed was applied, and is not for a place without an environment"));
    const CommandResult dev = drift(project, scratch, {"--env", "dev"});
    CAPTURE(dev.out);
    CHECK(dev.exit_code == 0);
}

TEST_CASE("what a killed run leaves, the next one removes") {
    MigrateProject project;
    Scratch scratch;
    fill(project);
    for (const char* fault : {"lab.spawn.after", "scratch.lab.after", "drift.apply.after", "scratch.remove.before", "lab.destroy.before", "lab.destroy.after"}) {
        CAPTURE(fault);
        CHECK(drift(project, scratch, {}, fault).exit_code == 137);
        const CommandResult next = drift(project, scratch);
        CAPTURE(next.err);
        CHECK(next.exit_code == 0);
        CHECK(scratch.empty());
    }
}

TEST_CASE("an applied migration whose file is gone is refused: what should be cannot be known") {
    MigrateProject project;
    Scratch scratch;
    fill(project);
    project.remove("0001_users.sql");
    const CommandResult result = drift(project, scratch);
    CHECK(result.exit_code == 7);
    CHECK(has(result.err, "0001_users was applied, and its file is gone"));
}
