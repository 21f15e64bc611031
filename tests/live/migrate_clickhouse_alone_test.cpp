// needs: analytics
// takes: 40
// Projects whose history is on ClickHouse: the lock without PostgreSQL (law 17), projects taken over from other tools, drift.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/live/migrate_project.h"
#include "tests/live/own_lab.h"

using namespace ysdb;
using namespace ysdb::test;
using Home = MigrateProject::Home;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Deadline soon() { return Deadline::after(Millis(20'000)); }

void run(const MigrateProject& project, const std::string& sql) { project.analytics().query(sql, soon()); }

std::string lock_of(const MigrateProject& project) { return "ysdb.`lock migrate " + project.ch("SELECT currentDatabase()") + "`"; }

CommandResult adopt(const MigrateProject& project) { return project.ysdb({"adopt", "--yes"}); }

// A statement that takes some seconds, and says in system.processes that it runs.
constexpr const char* slow = "CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x;\n-- migrate:probe SELECT count() > 0 FROM a\nINSERT INTO a SELECT sleepEachRow(1) FROM numbers(2);\nCREATE TABLE b (x Int32) ENGINE = Memory;";

bool at_work(const MigrateProject& project) {
    return project.ch("SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO a SELECT sleepEachRow%' AND current_database = currentDatabase()") == "1";
}

}  // namespace

TEST_CASE("of two runs at once one works, and the other waits for it and finds nothing to do") {
    MigrateProject project(Home::clickhouse);
    project.file("0001_a.sql", slow);
    CommandResult first, second;
    std::jthread one([&] { first = project.ysdb({"up"}); });
    REQUIRE(wait_until([&] { return project.ch("EXISTS TABLE a") == "1"; }));
    const CommandResult refused = project.ysdb({"up", "--lock-wait", "0s"});
    CHECK(refused.exit_code == 6);
    CHECK(has(refused.err, "another run of ysdb migrate holds the lock: run "));
    second = project.ysdb({"up", "--output", "json"});
    one.join();
    CAPTURE(first.err);
    CAPTURE(second.err);
    CHECK(first.exit_code == 0);
    CHECK(second.exit_code == 0);
    CHECK(nlohmann::json::parse(second.out).at("applied") == 0);
    CHECK(project.ch("SELECT count() FROM a") == "2");
    CHECK(project.ch("EXISTS TABLE " + lock_of(project)) == "0");
}

TEST_CASE("a lock whose heart has stopped is taken over, by one of several that try") {
    MigrateProject project(Home::clickhouse);
    project.file("0001_a.sql", "CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    run(project, "CREATE TABLE " + lock_of(project) + " (at DateTime64(3) DEFAULT now64(3)) ENGINE = MergeTree ORDER BY tuple() COMMENT 'run r on a machine that is off'");
    const CommandResult early = project.ysdb({"up", "--lock-wait", "0s"});
    CHECK(early.exit_code == 6);
    CHECK(has(early.err, "run r on a machine that is off"));
    project.file("0002_b.sql", "CREATE TABLE b (x Int32) ENGINE = MergeTree ORDER BY x;");
    CommandResult runs[3];
    {
        std::vector<std::jthread> threads;
        for (CommandResult& each : runs) threads.emplace_back([&project, &each] { each = project.ysdb({"up", "--lock-wait", "90s"}); });
    }
    for (const CommandResult& each : runs) {
        CAPTURE(each.err);
        CHECK(each.exit_code == 0);
    }
    CHECK(project.ch("SELECT count() FROM ysdb.migrations WHERE database = currentDatabase()") == "2");
}

TEST_CASE("a run whose lock is no longer its own stops before it changes anything more") {
    MigrateProject project(Home::clickhouse);
    project.file("0001_a.sql", std::string(slow) + "\n");
    project.file("0002_c.sql", "INSERT INTO a SELECT sleepEachRow(1) FROM numbers(3);\nINSERT INTO a SELECT sleepEachRow(1) FROM numbers(3);\nINSERT INTO a SELECT sleepEachRow(1) FROM numbers(3);\nCREATE TABLE c (x Int32) ENGINE = Memory;");
    CommandResult result;
    std::jthread one([&] { result = project.ysdb({"up"}); });
    REQUIRE(wait_until([&] { return at_work(project); }));
    run(project, "DROP TABLE " + lock_of(project));
    run(project, "CREATE TABLE " + lock_of(project) + " (at DateTime64(3) DEFAULT now64(3)) ENGINE = MergeTree ORDER BY tuple() COMMENT 'run r on another machine'");
    one.join();
    CAPTURE(result.err);
    CHECK(result.exit_code == 6);
    CHECK(has(result.err, "was taken over by another run"));
    CHECK(project.ch("EXISTS TABLE c") == "0");
    CHECK(project.ch("EXISTS TABLE " + lock_of(project)) == "1");  // the other one's stays
    run(project, "DROP TABLE " + lock_of(project));
}

TEST_CASE("golang-migrate's history on ClickHouse is taken over, older versions than its own included; dirty is refused") {
    MigrateProject project(Home::clickhouse);
    for (const char* name : {"1_a", "2_b", "3_c"}) project.file(std::string(name) + ".up.sql", std::string("CREATE TABLE ") + (name + 2) + " (x Int32) ENGINE = MergeTree ORDER BY x;");
    run(project, "CREATE TABLE schema_migrations (version Int64, dirty UInt8, sequence UInt64) ENGINE = TinyLog");
    run(project, "INSERT INTO schema_migrations VALUES (1, 1, 1), (1, 0, 2), (2, 1, 3)");
    const CommandResult dirty = adopt(project);
    CHECK(dirty.exit_code == 7);
    CHECK(has(dirty.err, "version 2 is dirty"));
    run(project, "INSERT INTO schema_migrations VALUES (2, 0, 4)");
    const CommandResult early = project.ysdb({"up"});
    CHECK(early.exit_code == 7);
    CHECK(has(early.err, "ysdb migrate adopt"));
    const CommandResult done = adopt(project);
    CAPTURE(done.err);
    REQUIRE(done.exit_code == 0);
    CHECK(states(project) == "1:applied 2:applied 3:pending");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.ch("EXISTS TABLE c") == "1");
    CHECK(project.ch("EXISTS TABLE a") == "0");  // nothing of theirs was run
}

TEST_CASE("goose's history on ClickHouse is taken over, with what it took back") {
    MigrateProject project(Home::clickhouse);
    for (const char* name : {"1_a", "2_b", "3_c"}) {
        project.file(std::string("0000") + name + ".sql", std::string("-- +goose Up\nCREATE TABLE ") + (name + 2) + " (x Int32) ENGINE = MergeTree ORDER BY x;\n-- +goose Down\nDROP TABLE " + (name + 2) + ";\n");
    }
    run(project, "CREATE TABLE goose_db_version (version_id Int64, is_applied UInt8, date Date DEFAULT now(), tstamp DateTime64(9, 'UTC') DEFAULT now64(9, 'UTC')) ENGINE = MergeTree ORDER BY date");
    run(project, "INSERT INTO goose_db_version (version_id, is_applied, tstamp) VALUES (0, 1, '2026-01-01 00:00:00'), (1, 1, '2026-01-02 00:00:00'), (2, 1, '2026-01-03 00:00:00'), (2, 0, '2026-01-04 00:00:00')");
    const CommandResult done = adopt(project);
    CAPTURE(done.err);
    REQUIRE(done.exit_code == 0);
    CHECK(states(project) == "00001:applied 00002:pending 00003:pending");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.ysdb({"down", "--yes"}).exit_code == 0);
    CHECK(project.ch("SELECT arrayStringConcat(arraySort(groupArray(name)), ' ') FROM system.tables WHERE database = currentDatabase()") == "b goose_db_version");
}

TEST_CASE("dbmate's history on ClickHouse is taken over, without what it rolled back") {
    MigrateProject project(Home::clickhouse);
    for (const char* name : {"1_a", "2_b"}) project.file(std::string("2026010") + name + ".sql", std::string("-- migrate:up\nCREATE TABLE ") + (name + 2) + " (x Int32) ENGINE = MergeTree ORDER BY x;\n\n-- migrate:down\nDROP TABLE " + (name + 2) + ";\n");
    run(project, "CREATE TABLE schema_migrations (version String, ts DateTime DEFAULT now(), applied UInt8 DEFAULT 1) ENGINE = ReplacingMergeTree(ts) PRIMARY KEY version ORDER BY version");
    run(project, "INSERT INTO schema_migrations (version, ts, applied) VALUES ('20260101', '2026-01-01 00:00:00', 1), ('20260102', '2026-01-01 00:00:00', 1)");
    run(project, "INSERT INTO schema_migrations (version, ts, applied) VALUES ('20260102', '2026-01-02 00:00:00', 0)");
    const CommandResult done = adopt(project);
    CAPTURE(done.err);
    REQUIRE(done.exit_code == 0);
    CHECK(states(project) == "20260101:applied 20260102:pending");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.ch("EXISTS TABLE b") == "1");
}

TEST_CASE("drift of a project on ClickHouse alone is found on a lab, and on a scratch server that --scratch names") {
    MigrateProject project(Home::clickhouse);
    const TempDir temporary;
    project.file("0001_a.sql", "CREATE TABLE a (x Int32, y String DEFAULT 'n') ENGINE = MergeTree ORDER BY x;\nALTER TABLE a ADD COLUMN z Int32;\nCREATE VIEW v AS SELECT x FROM a;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    OwnLab other;
    REQUIRE(other.run({"up", "--only", "clickhouse"}).exit_code == 0);
    const auto stores = nlohmann::json::parse(other.run({"env", "--output", "json"}).out);
    const std::string url = stores.at("stores").at("analytics").at("url").get<std::string>();
    const auto drift = [&](std::vector<std::string> more) {
        more.insert(more.begin(), "drift");
        return project.ysdb(more, "", {{"TMPDIR", temporary.string()}});
    };
    for (const std::vector<std::string>& where : {std::vector<std::string>{}, {"--scratch", url}}) {
        const CommandResult none = drift(where);
        CAPTURE(none.err);
        CHECK(none.exit_code == 0);
    }
    run(project, "ALTER TABLE a DROP COLUMN y");
    for (const std::vector<std::string>& where : {std::vector<std::string>{}, {"--scratch", url}}) {
        const CommandResult some = drift(where);
        CAPTURE(some.out);
        CHECK(some.exit_code == 1);
        CHECK(has(some.out, "table `a`: differs"));
        CHECK(has(some.out, "`y`"));
    }
    const CommandResult live = drift({"--scratch", project.analytics_url()});
    CHECK(live.exit_code == 7);  // never the live server
    StoreConfig scratch;
    scratch.name = "other";
    scratch.url = url;
    CHECK(open_store(scratch)->sql()->query("SELECT count() FROM system.databases WHERE name NOT IN ('system', 'default', 'INFORMATION_SCHEMA', 'information_schema')", soon()).row(0).text(0) == "0");
}
