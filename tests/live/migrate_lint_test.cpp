// needs: main analytics
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;
using Json = nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// "severity rule file" of each finding, by place.
std::vector<std::string> found(const Json& report) {
    std::vector<std::string> lines;
    for (const Json& finding : report.at("findings")) {
        lines.push_back(finding.at("severity").get<std::string>() + " " + finding.at("rule").get<std::string>() + " " + finding.at("file").get<std::string>());
    }
    return lines;
}

}  // namespace

TEST_CASE("lint looks at what is pending, at how large its tables are and at the types of their columns") {
    MigrateProject project;
    project.file("0001_tables.sql", "CREATE TABLE big (id int, a varchar(20), n numeric(10,2)); CREATE TABLE small (id int PRIMARY KEY); DROP TABLE IF EXISTS gone;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.pg("INSERT INTO big SELECT g, repeat('x', 20), g FROM generate_series(1, 400000) g");
    project.pg("ANALYZE big");
    project.pg("CREATE TABLE made_by_hand (a varchar(10), b int)");
    project.file("0002_change.sql",
                 "CREATE INDEX i ON big (a);\n"
                 "CREATE INDEX j ON small (id);\n"
                 "ALTER TABLE made_by_hand ALTER a TYPE varchar(20);\n"
                 "ALTER TABLE public.made_by_hand ALTER b TYPE bigint;\n"
                 "CREATE TABLE fresh (id bigint PRIMARY KEY);\n");
    project.file("0003_more.sql", "CREATE INDEX k ON fresh (id); CREATE INDEX l ON absent (id)");
    const CommandResult result = project.ysdb({"lint", "--output", "json"});
    CAPTURE(result.out);
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    const Json report = Json::parse(result.out);
    CHECK(report.at("files") == 2);
    CHECK(found(report) == std::vector<std::string>{"error index-not-concurrent migrations/0002_change.sql", "warning index-not-concurrent migrations/0002_change.sql",
                                                    "warning change-column-type migrations/0002_change.sql", "error index-not-concurrent migrations/0003_more.sql"});
    CHECK(report.at("findings").at(0).at("size").get<std::int64_t>() > 10'000'000);
    CHECK(report.at("findings").at(3).at("size").is_null());
    const CommandResult text = project.ysdb({"lint"});
    CHECK(has(text.out, "blocks writes to big (big: "));
    CHECK(has(text.out, "2 files, 7 statements: 2 errors, 2 warnings, 0 notes"));

    project.file("0002_change.sql", "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON big (a);");
    project.file("0003_more.sql", "ALTER TABLE small ADD COLUMN x int;");
    CHECK(project.ysdb({"lint"}).exit_code == 0);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    CHECK(has(project.ysdb({"lint"}).out, "0 files, 0 statements"));
    CHECK(Json::parse(project.ysdb({"lint", "--all", "--output", "json"}).out).at("files") == 3);
}

TEST_CASE("lint knows sizes on ClickHouse, and fails only on what --fail-on says") {
    MigrateProject project;
    project.file("0001_t.sql", "-- migrate:up store:analytics\nCREATE TABLE t (a Int32, b String) ENGINE = MergeTree ORDER BY a;\nCREATE TABLE empty (a Int32) ENGINE = MergeTree ORDER BY a;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.ch("INSERT INTO t SELECT number, randomString(64) FROM numbers(400000)");
    project.file("0002_t.sql", "-- migrate:up store:analytics\nALTER TABLE t UPDATE b = '' WHERE a = 1;\nALTER TABLE `t` MODIFY COLUMN a Int64;");
    const CommandResult result = project.ysdb({"lint", "--output", "json"});
    CAPTURE(result.out);
    CHECK(result.exit_code == 0);
    const Json report = Json::parse(result.out);
    CHECK(found(report) == std::vector<std::string>{"warning ch-mutation migrations/0002_t.sql", "warning ch-modify-column migrations/0002_t.sql"});
    CHECK(report.at("findings").at(1).at("size").get<std::int64_t>() > 10'000'000);
    CHECK(project.ysdb({"lint", "--fail-on", "warning"}).exit_code == 1);
}

TEST_CASE("plan shows what each statement locks, reads, rewrites and loses, and how long it takes at least") {
    MigrateProject project;
    project.file("0001_big.sql", "CREATE TABLE big (id bigint PRIMARY KEY, a text);");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.pg("INSERT INTO big SELECT g, repeat('x', 100) FROM generate_series(1, 200000) g");
    project.file("0002_change.sql",
                 "ALTER TABLE big ADD COLUMN b bigserial;\n"
                 "ALTER TABLE big ADD CONSTRAINT c CHECK (a <> '') NOT VALID;\n"
                 "ALTER TABLE big VALIDATE CONSTRAINT c;\n"
                 "TRUNCATE big;\n"
                 "CREATE TABLE n (id bigint PRIMARY KEY REFERENCES big);\n"
                 "CREATE INDEX ON n (id);\n");
    const CommandResult result = project.ysdb({"plan", "--output", "json"});
    CAPTURE(result.out);
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    const Json plan = Json::parse(result.out);
    const Json& steps = plan.at("steps");
    REQUIRE(steps.size() == 6);
    const auto is = [&](std::size_t i, const char* locks, bool rewrite, bool scan, const Json& loses) {
        CAPTURE(i);
        CHECK(steps.at(i).at("locks") == (locks ? Json(locks) : Json()));
        CHECK(steps.at(i).at("rewrite") == rewrite);
        CHECK(steps.at(i).at("scan") == scan);
        CHECK(steps.at(i).at("loses") == loses);
    };
    is(0, "ACCESS EXCLUSIVE on big: blocks reads and writes", true, true, {});
    is(1, "ACCESS EXCLUSIVE on big: blocks reads and writes", false, false, {});
    is(2, "SHARE UPDATE EXCLUSIVE on big: blocks neither reads nor writes", false, true, {});
    is(3, "ACCESS EXCLUSIVE on big: blocks reads and writes", false, false, "the rows of big");
    is(4, "SHARE ROW EXCLUSIVE on big: blocks writes", false, false, {});
    is(5, nullptr, false, false, {});
    CHECK(steps.at(0).at("least_seconds").get<double>() > 0);
    CHECK(steps.at(1).at("least_seconds").is_null());
}

TEST_CASE("lint of files needs no store: none configured, none that answers, or --offline") {
    TempDir directory;
    const auto lint = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"migrate", "lint"});
        return run_ysdb(std::move(arguments), {{"XDG_CONFIG_HOME", "/nonexistent"}}, directory.string());
    };
    std::filesystem::create_directory(directory.path() / "migrations");
    write_file_atomically(directory.path() / "migrations/0001_a.sql", "TRUNCATE t;");
    const CommandResult bare = lint({"migrations/0001_a.sql", "--sarif", "out.sarif", "--github"});
    CAPTURE(bare.err);
    CHECK(bare.exit_code == 1);
    CHECK(bare.out.starts_with("::error file=migrations/0001_a.sql,line=1,col=10,title=truncate::"));
    CHECK(Json::parse(read_file(directory.path() / "out.sarif")).at("runs").at(0).at("results").size() == 1);

    write_file_atomically(directory.path() / "ysdb.toml", "[stores.main]\nurl = \"postgres://u@127.0.0.1:1/d\"\n[stores.analytics]\nurl = \"clickhouse://127.0.0.1:1/d\"\n");
    write_file_atomically(directory.path() / "migrations/0002_b.sql", "-- migrate:up store:analytics\nTRUNCATE TABLE t;");
    const CommandResult silent = lint({});
    CHECK(silent.exit_code == 1);
    CHECK(has(silent.out, "[ch-truncate]"));
    CHECK(has(silent.err, "cannot connect"));
    const CommandResult offline = lint({"--offline"});
    CHECK(offline.exit_code == 1);
    CHECK(offline.err == "");
    CHECK(offline.out == silent.out);

    write_file_atomically(directory.path() / "ysdb.toml", "[stores.main]\nurl = \"postgres://u@127.0.0.1:1/d\"\n[migrate]\nlint_ignore = [\"truncat\"]\n");
    const CommandResult wrong = lint({"--offline", "migrations/0001_a.sql"});
    CHECK(wrong.exit_code == 3);
    CHECK(has(wrong.err, "lint_ignore of [migrate] names no rule: 'truncat'; did you mean 'truncate'?"));
    write_file_atomically(directory.path() / "ysdb.toml", "[stores.main]\nurl = \"postgres://u@127.0.0.1:1/d\"\n[migrate]\nlint_ignore = [\"truncate\"]\n");
    CHECK(lint({"--offline", "migrations/0001_a.sql"}).exit_code == 0);
}
