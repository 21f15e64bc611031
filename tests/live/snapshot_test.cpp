// needs: main analytics
// takes: 40
// `sync snapshot` as a user runs it: the binary, a configuration file, real servers; `validate` is the judge.
#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(60'000)); }

// A source database, a target database and a directory with the ysdb.toml that joins them.
class Site {
public:
    explicit Site(const std::string& tables = "\"public.t\"") : directory_("/tmp/ysdb_" + unique_name()) {
        std::filesystem::create_directories(directory_);
        write_config(source_.config().url, target_.config().url, tables);
    }
    ~Site() { std::filesystem::remove_all(directory_); }

    void write_config(const std::string& source, const std::string& target, const std::string& tables) const {
        write_file_atomically(directory_ + "/ysdb.toml", "[stores.main]\nurl = \"" + source + "\"\n[stores.analytics]\nurl = \"" + target +
                                                             "\"\n[[sync]]\nname = \"" + set_ + "\"\ntables = [" + tables + "]\n[[sync.to]]\nstore = \"analytics\"\n");
    }
    void source(const std::string& sql) { open_store(source_.config())->sql()->open_session("test", soon())->query(sql, soon()); }
    SqlResult target(const std::string& sql) { return open_store(target_.config())->sql()->query(sql, soon()); }
    CommandResult ysdb(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) const {
        return run_ysdb(std::move(arguments), std::move(environment), directory_);
    }
    nlohmann::json json(std::vector<std::string> arguments, int exit_code = 0) const {
        arguments.insert(arguments.end(), {"--output", "json"});
        const CommandResult result = ysdb(arguments);
        CAPTURE(result.out);
        CAPTURE(result.err);
        REQUIRE(result.exit_code == exit_code);
        return nlohmann::json::parse(result.out);
    }
    const std::string& source_url() const { return source_.config().url; }
    const std::string& target_url() const { return target_.config().url; }

private:
    TestDatabase source_;
    TestClickHouse target_;
    std::string set_ = unique_name();
    std::string directory_;
};

constexpr const char* every_type =
    "CREATE TYPE mood AS ENUM ('sad', 'happy');"
    "CREATE TABLE t (id bigint, day timestamptz, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(36,18), w numeric(60,10), free numeric, tx text, v varchar(9),"
    " by bytea, u uuid, d date, tm time, ts timestamp, iv interval, jb jsonb, j json, m mood, ia int[], ta text[], net inet, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);"
    "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2026-01-01+00') TO ('2026-02-01+00'); CREATE TABLE t2 PARTITION OF t DEFAULT;"
    "INSERT INTO t SELECT g, timestamptz '2026-01-01+00' + g * interval '10 minutes', g % 2 = 0, g % 30000, g, g * 1000000007::bigint, g / 3.0, g / 7.0, g * 1.000000000000000001,"
    " g * 12345678901234567890.5, g / 11.0, 'text ' || g || ' \u00e9\U0001F600', CASE WHEN g % 5 = 0 THEN NULL ELSE 'v' || g END, decode(md5(g::text), 'hex'), md5(g::text)::uuid,"
    " date '2000-01-01' + (g % 9000)::int, time '00:00' + g * interval '1 second', timestamp '1950-01-01' + g * interval '1 hour', g * interval '1 day', jsonb_build_object('g', g, 'n', NULL),"
    " '{\"raw\" :  1}', (ARRAY['sad', 'happy'])[1 + g % 2]::mood, ARRAY[g, NULL, -g]::int[], ARRAY['a', NULL, 'c' || g], '10.0.0.1'"
    " FROM generate_series(1, 20000) g; ANALYZE t";

}  // namespace

TEST_CASE("a copy of a partitioned table with every type is equal row for row") {
    Site site;
    site.source(every_type);
    const auto report = site.json({"sync", "snapshot"});
    CHECK(report["rows"] == 20000);
    CHECK(report["tables"][0]["state"] == "complete");
    CHECK(site.json({"validate"})["tables"][0]["verdict"] == "equal");
    CHECK(site.target("SELECT count() FROM t FINAL").row(0).integer(0) == 20000);
}

TEST_CASE("a second snapshot replaces the first: changed rows are new and deleted ones are gone") {
    Site site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 1000) g");
    site.json({"sync", "snapshot"});
    site.source("DELETE FROM t WHERE id <= 100; UPDATE t SET v = 'new' WHERE id = 500; INSERT INTO t VALUES (2000, NULL)");
    const auto different = site.json({"validate"}, 1);
    CHECK(different["tables"][0]["extra"] == 100);
    CHECK(different["tables"][0]["missing"] == 1);
    CHECK(different["tables"][0]["different"] == 1);
    site.json({"sync", "snapshot"});
    CHECK(site.json({"validate"})["tables"][0]["verdict"] == "equal");
    CHECK(site.target("SELECT count() FROM t FINAL").row(0).integer(0) == 901);
}

TEST_CASE("values the target cannot hold are left out, named by key, and the rest is copied unchanged") {
    Site site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, at timestamptz, d date, n numeric(10,2), v text, a int[]);"
                "INSERT INTO t VALUES (1, 'infinity', NULL, 1, 'a', '{}'), (2, now(), '2500-01-01', 1, 'b', '{}'), (3, now(), NULL, 'NaN', 'c', '{}'), (4, '1492-10-12', NULL, 2, 'd', '{}'),"
                " (5, now(), now(), 5, 'e', '{1,NULL}'), (6, now(), now(), 6, 'f', NULL)");
    const auto report = site.json({"sync", "snapshot"}, 8);
    REQUIRE(report["rejected"].size() == 5);  // ClickHouse knows no NULL array, and an empty one is something else
    std::map<std::string, std::string> columns;
    for (const auto& row : report["rejected"]) columns[row["key"].get<std::string>()] = row["column"].get<std::string>();
    CHECK(columns == std::map<std::string, std::string>{{"id=1", "at"}, {"id=2", "d"}, {"id=3", "n"}, {"id=4", "at"}, {"id=6", "a"}});
    CHECK(site.target("SELECT v FROM t FINAL").row(0).text(0) == "e");
    const auto validation = site.json({"validate"}, 1);
    CHECK(validation["tables"][0]["missing"] == 5);
}

TEST_CASE("a dry run tells what would be copied and changes nothing") {
    Site site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'x')");
    const auto plan = site.json({"sync", "snapshot", "--dry-run"});
    CHECK(plan["tables"][0]["key"] == "id");
    CHECK(site.target("SELECT count() FROM system.tables WHERE database = currentDatabase()").row(0).integer(0) == 0);
}

TEST_CASE("a table without a primary key is refused before anything is read") {
    Site site;
    site.source("CREATE TABLE t (v text)");
    const CommandResult result = site.ysdb({"sync", "snapshot"});
    CHECK(result.exit_code == 7);
    CHECK(result.err.find("no primary key") != std::string::npos);
}

TEST_CASE("killed at every fault point, the same command completes the copy without a duplicate") {
    for (const std::string point : {"snapshot.run.before", "snapshot.run.after", "snapshot.begin.before", "snapshot.begin.after", "snapshot.range.before",
                                     "snapshot.batch.before:2", "snapshot.batch.after:2", "snapshot.range.after", "snapshot.swap.before", "snapshot.swap.after", "snapshot.state.after",
                                     "snapshot.finish.before", "snapshot.finish.after", "clickhouse.replace.create.before", "clickhouse.replace.create.after", "clickhouse.replace.insert.before:2",
                                     "clickhouse.replace.insert.after:2"}) {
        CAPTURE(point);
        Site site("\"public.a\", \"public.t\"");
        site.source("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 100);"
                    "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat('v', 200) || g FROM generate_series(1, 6000) g; ANALYZE t");
        const std::vector<std::string> command{"sync", "snapshot", "--batch", "64KiB", "--workers", "2"};
        const CommandResult killed = site.ysdb(command, {{"YSDB_FAULT", point}});
        CHECK(killed.exit_code == 128 + SIGKILL);
        const CommandResult again = site.ysdb(command);
        CAPTURE(again.err);
        CHECK(again.exit_code == 0);
        CHECK(site.ysdb({"validate"}).exit_code == 0);
        CHECK(site.target("SELECT count() FROM t FINAL").row(0).integer(0) == 6000);
        // Nothing is left beside the live tables and their views.
        CHECK(site.target("SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%ysdb%'").row(0).integer(0) == 0);
    }
}

TEST_CASE("after a kill between two tables the finished one is not copied again") {
    Site site("\"public.a\", \"public.b\"");
    site.source("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 100); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b SELECT generate_series(1, 100)");
    CHECK(site.ysdb({"sync", "snapshot"}, {{"YSDB_FAULT", "snapshot.begin.before:2"}}).exit_code == 128 + SIGKILL);
    const auto report = site.json({"sync", "snapshot"});
    CHECK(report["tables"][0]["state"] == "complete since the interrupted run");
    CHECK(report["tables"][1]["state"] == "complete");
    CHECK(site.json({"sync", "snapshot"})["tables"][0]["state"] == "complete");
}

TEST_CASE("a second run of the same set ends with exit 6 and says who holds the lock, and the first is not disturbed") {
    Site site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat(md5(g::text), 8) FROM generate_series(1, 200000) g; ANALYZE t");
    auto first = std::async(std::launch::async, [&] { return site.ysdb({"sync", "snapshot", "--batch", "64KiB", "--workers", "1"}); });
    REQUIRE(wait_until([&] { return site.target("SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%staging%'").row(0).integer(0) == 1; }));
    const CommandResult second = site.ysdb({"sync", "snapshot"});
    CHECK(second.exit_code == 6);
    CHECK(second.err.find("ysdb sync snapshot") != std::string::npos);
    CHECK(first.get().exit_code == 0);
    CHECK(site.ysdb({"validate"}).exit_code == 0);
}

TEST_CASE("a target or a source that is not there is exit 4 and named") {
    Site site;
    site.source("CREATE TABLE t (id int PRIMARY KEY)");
    site.write_config(site.source_url(), "clickhouse://127.0.0.1:1/db", "\"public.t\"");
    CommandResult result = site.ysdb({"sync", "snapshot", "--timeout", "2s"});
    CHECK(result.exit_code == 4);
    CHECK(result.err.find("'analytics'") != std::string::npos);
    site.write_config("postgres://u@127.0.0.1:1/db", site.target_url(), "\"public.t\"");
    result = site.ysdb({"sync", "snapshot", "--timeout", "2s"});
    CHECK(result.exit_code == 4);
    CHECK(result.err.find("'main'") != std::string::npos);
}
