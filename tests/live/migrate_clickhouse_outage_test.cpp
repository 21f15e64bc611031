// needs: main analytics
// lock: own_lab
// ClickHouse dies in the middle of a migration of a project that has nothing else. A lab of its own, since it kills.
#include <doctest/doctest.h>

#include <filesystem>
#include <future>

#include "tests/live/outage_lab.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class Project {
public:
    Project() {
        lab_.up();
        std::filesystem::create_directory(lab_.directory() + "/migrations");
        write_file_atomically(lab_.directory() + "/ysdb.toml", read_file(lab_.directory() + "/ysdb.toml") + "\n[migrate]\nstore = \"analytics\"\n");
    }
    void file(const std::string& name, const std::string& text) const { write_file_atomically(lab_.directory() + "/migrations/" + name, text); }
    CommandResult migrate(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "migrate");
        return lab_.ysdb(arguments);
    }
    std::string ask(const std::string& sql) {
        try {
            const SqlResult result = lab_.store("analytics")->sql()->query(sql, OutageLab::soon());
            return result.cells.empty() ? "" : result.cells[0].value_or("NULL");
        } catch (const Error& error) {
            return error.message();
        }
    }
    // Runs `up`, kills the server once `running` says 1, starts it again, and gives what `up` said.
    CommandResult up_killed(const std::string& running) {
        auto up = std::async(std::launch::async, [this] { return migrate({"up"}); });
        REQUIRE(wait_until([&] { return ask(running) == "1"; }));
        REQUIRE(lab_.ysdb({"lab", "kill", "clickhouse", "--dir", "lab"}).exit_code == 0);
        const CommandResult result = up.get();
        REQUIRE(lab_.ysdb({"lab", "start", "clickhouse", "--dir", "lab"}).exit_code == 0);
        ask("DROP TABLE IF EXISTS ysdb.`lock migrate default`");  // nobody could give it back; stale after 30 s
        return result;
    }

private:
    OutageLab lab_;
};

}  // namespace

TEST_CASE("ClickHouse killed in the middle of an INSERT ... SELECT: nobody guesses, and what the file's own look says is believed") {
    Project project;
    project.file("0001_a.sql", "CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x;\nINSERT INTO a SELECT sleepEachRow(1) FROM numbers(3);");
    const std::string running = "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO a SELECT sleepEachRow%'";
    const CommandResult killed = project.up_killed(running);
    CAPTURE(killed.err);
    CHECK(killed.exit_code == 4);
    const CommandResult unknown = project.migrate({"up"});
    CAPTURE(unknown.err);
    CHECK(unknown.exit_code == 8);
    CHECK(has(unknown.err, "migrations/0001_a.sql:2:1"));
    CHECK(has(unknown.err, "ysdb migrate repair 0001 --step 2 --again"));
    CHECK(project.ask("SELECT count() FROM a") == "0");
    CHECK(project.migrate({"repair", "0001", "--step", "2", "--again"}).exit_code == 0);
    CHECK(project.migrate({"up"}).exit_code == 0);
    CHECK(project.ask("SELECT count() FROM a") == "3");

    project.file("0002_b.sql", "-- migrate:probe SELECT count() > 3 FROM a\nINSERT INTO a SELECT sleepEachRow(1) FROM numbers(3);");
    CHECK(project.up_killed(running).exit_code == 4);
    CHECK(project.migrate({"up"}).exit_code == 0);
    CHECK(project.ask("SELECT count() FROM a") == "6");
}

TEST_CASE("ClickHouse killed in the middle of a mutation: it goes on with the server, and the same command waits for its end") {
    Project project;
    project.file("0001_a.sql", "CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY tuple();\nINSERT INTO a VALUES (1), (2);");
    REQUIRE(project.migrate({"up"}).exit_code == 0);
    project.file("0002_b.sql", "ALTER TABLE a UPDATE x = x + 1 WHERE NOT ignore(sleepEachRow(1));\nCREATE TABLE behind (x Int32) ENGINE = MergeTree ORDER BY x;");
    const CommandResult killed = project.up_killed("SELECT count() FROM system.mutations WHERE NOT is_done");
    CHECK(killed.exit_code == 4);
    const CommandResult next = project.migrate({"up"});
    CAPTURE(next.err);
    CHECK(next.exit_code == 0);
    CHECK(project.ask("SELECT arrayStringConcat(arraySort(groupArray(toString(x))), ' ') FROM a") == "2 3");
    CHECK(project.ask("SELECT count() FROM system.mutations") == "1");
    CHECK(project.ask("EXISTS TABLE behind") == "1");
}
