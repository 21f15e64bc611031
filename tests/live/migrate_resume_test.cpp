// needs: main analytics
// A run that is killed anywhere is taken up by the same command, and every statement has run once.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr int killed = 128 + 9;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void mixed_files(const MigrateProject& project) {
    project.file("0001_plain.sql", "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);");
    project.file("0002_alone.sql", "-- migrate:up transaction:false\nBEGIN;\nINSERT INTO a VALUES (2);\nINSERT INTO a VALUES (5);\nCOMMIT;\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nINSERT INTO a VALUES (3);");
    project.file("0003_analytics.sql", "-- migrate:up store:analytics\nCREATE TABLE p (x Int32) ENGINE = MergeTree ORDER BY x;\nALTER TABLE p ADD COLUMN y Int32;");
    project.file("0004_last.sql", "INSERT INTO a VALUES (4);");
}

void check_whole(const MigrateProject& project) {
    CHECK(project.pg("SELECT string_agg(id::text, ' ' ORDER BY id) FROM a") == "1 2 3 4 5");
    CHECK(project.pg("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == "t");
    CHECK(project.ch("SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 'p'") == "2");
    CHECK(project.pg("SELECT string_agg(version, ' ' ORDER BY version) FROM ysdb.migrations") == "0001 0002 0003 0004");
}

}  // namespace

TEST_CASE("killed at any fault point, the same command ends well and nothing has run twice") {
    int kills = 0;
    for (const char* point : {"migrate.lock.after", "plan.unit.before", "plan.unit.after", "plan.intent.before", "plan.intent.after", "plan.run.before", "plan.run.after", "plan.outcome.before",
                              "plan.outcome.after", "plan.record.before", "plan.record.after", "postgres.script.sent"}) {
        for (int pass = 1; pass < 20; ++pass) {
            MigrateProject project;
            mixed_files(project);
            const std::string fault = std::string(point) + ":" + std::to_string(pass);
            CAPTURE(fault);
            const CommandResult first = project.ysdb({"up"}, fault);
            if (first.exit_code == 0) break;
            REQUIRE(first.exit_code == killed);
            ++kills;
            const CommandResult second = project.ysdb({"up"});
            CAPTURE(second.err);
            REQUIRE(second.exit_code == 0);
            check_whole(project);
        }
    }
    CHECK(kills > 30);
}

TEST_CASE("of a statement that no look can prove the run says that it does not know, and repair decides") {
    for (const bool took_effect : {true, false}) {
        MigrateProject project;
        project.file("0001_a.sql", "-- migrate:up store:analytics\nCREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x;\nINSERT INTO a SELECT 1;\nINSERT INTO a SELECT 2;\n");
        REQUIRE(project.ysdb({"up"}, took_effect ? "plan.run.after:2" : "plan.run.before:2").exit_code == killed);
        const CommandResult unknown = project.ysdb({"up"});
        CHECK(unknown.exit_code == 8);
        CHECK(has(unknown.err, "migrations/0001_a.sql:3:1: "));
        CHECK(has(unknown.err, "ysdb migrate repair 0001 --step 2 --applied"));
        CHECK(has(project.ysdb({"status"}).out, "unknown"));
        CHECK(project.ysdb({"repair", "0001", "--step", "1", "--again"}).exit_code == 7);
        CHECK(project.ysdb({"repair", "0001", "--step", "2"}).exit_code == 2);
        CHECK(project.ysdb({"repair", "0001", "--step", "2", took_effect ? "--applied" : "--again"}).exit_code == 0);
        CHECK(project.ysdb({"up"}).exit_code == 0);
        CHECK(project.ch("SELECT arrayStringConcat(groupArray(toString(x)), ' ') FROM (SELECT x FROM a ORDER BY x)") == "1 2");
    }
}

TEST_CASE("a file may bring the look that proves its statement") {
    for (const bool took_effect : {true, false}) {
        MigrateProject project;
        project.file("0001_a.sql", "-- migrate:up store:analytics\nCREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x;\n-- migrate:probe SELECT count() > 0 FROM a WHERE x = 1\nINSERT INTO a SELECT 1;\n");
        REQUIRE(project.ysdb({"up"}, took_effect ? "plan.run.after:2" : "plan.run.before:2").exit_code == killed);
        CHECK(project.ysdb({"up"}).exit_code == 0);
        CHECK(project.ch("SELECT count() FROM a") == "1");
    }
}

TEST_CASE("a transaction that outlives the run that sent it is waited for, not run a second time") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a AS SELECT 1 AS id;\nSELECT pg_sleep(2);");
    REQUIRE(project.ysdb({"up"}, "postgres.script.sent:3").exit_code == killed);  // behind those that make our two tables
    const CommandResult second = project.ysdb({"up", "--output", "json"});
    CAPTURE(second.err);
    CHECK(second.exit_code == 0);
    CHECK(nlohmann::json::parse(second.out).at("applied") == 0);
    CHECK(project.pg("SELECT count(*) FROM ysdb.migrations") == "1");
}

TEST_CASE("a project on ClickHouse alone is taken up too, once the dead run's lock is stale or gone") {
    for (const char* point : {"plan.intent.after:2", "plan.run.after:1", "plan.outcome.after:2", "plan.record.after:1"}) {
        CAPTURE(point);
        MigrateProject project(MigrateProject::Home::clickhouse);
        project.file("0001_a.sql", "CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x;\nALTER TABLE a ADD COLUMN y Int32;");
        REQUIRE(project.ysdb({"up"}, point).exit_code == killed);
        CHECK(project.ysdb({"up", "--lock-wait", "0s"}).exit_code == 6);
        project.analytics().query("DROP TABLE ysdb.`lock migrate " + project.ch("SELECT currentDatabase()") + "`", Deadline::after(Millis(20'000)));
        CHECK(project.ysdb({"up"}).exit_code == 0);
        CHECK(project.ch("SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 'a'") == "2");
        CHECK(project.ch("SELECT count() FROM ysdb.migrations FINAL WHERE database = currentDatabase()") == "1");
    }
}
