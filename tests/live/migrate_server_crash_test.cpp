// needs: main analytics
// lock: own_lab
// The server of a migration dies by kill -9 in the middle of `up`, together with ysdb at each of its fault points, and alone in the middle of statements. It comes
// back with what reached its log: the same command then ends well, nothing has run twice and nothing is left out. A lab of its own, since it kills.
#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <future>
#include <initializer_list>
#include <string_view>

#include "tests/live/outage_lab.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr int killed = 128 + 9;

class Site {
public:
    explicit Site(std::string home) : home_(std::move(home)), server_(home_ == "main" ? "postgres" : "clickhouse") {
        lab_.up();
        server_url_ = lab_.url(home_);
        use(server_url_);
    }
    // From now on the project is a new one, over a database of its own.
    void begin() {
        const std::string database = unique_name();
        use(server_url_);
        ask("CREATE DATABASE " + database);
        use(server_url_.substr(0, server_url_.rfind('/') + 1) + database);
        std::filesystem::remove_all(lab_.directory() + "/migrations");
        std::filesystem::create_directory(lab_.directory() + "/migrations");
    }
    void file(const std::string& name, const std::string& text) const { write_file_atomically(lab_.directory() + "/migrations/" + name, text); }
    CommandResult up(const std::string& fault = {}) const {
        std::map<std::string, std::string> environment{{"XDG_CONFIG_HOME", "/nonexistent"}};
        if (!fault.empty()) environment["YSDB_FAULT"] = fault;
        return run_ysdb({"migrate", "up"}, std::move(environment), lab_.directory());
    }
    std::string ask(const std::string& sql) const {
        const SqlResult result = open_store(store_at(home_, url_))->sql()->query(sql, OutageLab::soon());
        return result.cells.empty() ? "" : result.cells[0].value_or("NULL");
    }
    // Steps that were begun, and of which nothing says that they were done.
    std::string unsettled() const {
        return ask("SELECT count(*) FROM (SELECT unit, step FROM ysdb.journal WHERE event = 'intent'" + std::string(home_ == "main" ? "" : " AND database = currentDatabase()") +
                   ") i WHERE (unit, step) NOT IN (SELECT unit, step FROM ysdb.journal WHERE event = 'done'" + (home_ == "main" ? "" : " AND database = currentDatabase()") + ")");
    }
    void crash() {
        REQUIRE(lab_.ysdb({"lab", "kill", server_, "--dir", "lab"}).exit_code == 0);
        REQUIRE(lab_.ysdb({"lab", "start", server_, "--dir", "lab"}).exit_code == 0);
    }

private:
    void use(const std::string& url) {
        url_ = url;
        write_file_atomically(lab_.directory() + "/ysdb.toml", "[stores." + home_ + "]\nurl = \"" + url + "\"\n[migrate]\nstore = \"" + home_ + "\"\n");
    }

    OutageLab lab_;
    std::string home_, server_, server_url_, url_;
};

// Each fault point of `points` at its first passing, its second and so on while there is one: ysdb dies there, `then` the server, and the next run goes on.
// Without --soak every `every`-th of them. Gives how many times ysdb died.
int crash_everywhere(Site& site, std::initializer_list<const char*> points, int every, const std::function<void()>& fill, const std::function<void()>& then, const std::function<void()>& check) {
    int kills = 0;
    auto turn = static_cast<int>(random_seed() % 100);
    for (const char* point : points) {
        for (int pass = 1; pass < 30; ++pass) {
            if (!soak() && ++turn % every != 0) continue;
            const std::string fault = std::string(point) + ":" + std::to_string(pass);
            CAPTURE(fault);
            site.begin();
            fill();
            const CommandResult first = site.up(fault);
            if (first.exit_code == 0) break;  // not passed so often
            CAPTURE(first.err);
            REQUIRE(first.exit_code == killed);
            ++kills;
            then();
            const CommandResult second = site.up();
            CAPTURE(second.err);
            REQUIRE(second.exit_code == 0);
            check();
            const CommandResult third = site.up();
            CHECK(third.exit_code == 0);
            CHECK_MESSAGE((third.out + third.err).find("nothing to apply") != std::string::npos, third.out << third.err);
            CHECK(site.unsettled() == "0");
        }
    }
    return kills;
}

void fill_postgres(const Site& site) {
    site.file("0001_plain.sql", "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);\nINSERT INTO a SELECT generate_series(1, 4);");
    site.file("0002_alone.sql", "-- migrate:up transaction:false\nINSERT INTO a VALUES (5);\nCREATE INDEX CONCURRENTLY a_n ON a (n);\nVACUUM a;\nREINDEX INDEX CONCURRENTLY a_n;\nINSERT INTO a VALUES (6);");
    site.file("0003_fill.sql", "-- migrate:up transaction:false\n-- migrate:batch size:3 target:0s pause:0%\nUPDATE a SET n = n + 1;\nDROP INDEX CONCURRENTLY a_n;");
    site.file("0004_last.sql", "INSERT INTO a VALUES (7, 1);");
}

void check_postgres(const Site& site) {
    CHECK(site.ask("SELECT string_agg(id || ':' || n, ' ' ORDER BY id) FROM a") == "1:1 2:1 3:1 4:1 5:1 6:1 7:1");
    CHECK(site.ask("SELECT count(*) FROM pg_index WHERE indrelid = 'a'::regclass") == "1");
    CHECK(site.ask("SELECT string_agg(version, ' ' ORDER BY seq) FROM ysdb.migrations") == "0001 0002 0003 0004");
    CHECK(site.ask("SELECT count(*) FROM ysdb.migrations") == "4");
}

constexpr auto postgres_points = {"migrate.lock.after", "plan.unit.before", "postgres.script.sent", "plan.intent.before", "plan.intent.after", "plan.run.before", "plan.run.after", "plan.outcome.before", "plan.outcome.after", "plan.record.before", "plan.record.after",
                                  "plan.batch.before", "plan.batch.sent", "plan.batch.after", "plan.unit.after"};

}  // namespace

TEST_CASE("PostgreSQL dies with ysdb at any fault point, and what was only on its way to the disk is lost: the same command ends well, nothing has run twice") {
    Site site("main");
    // What is committed without waiting for the disk now stays off it until another commit takes it along.
    site.ask("ALTER SYSTEM SET wal_writer_delay = '10s'");
    site.crash();
    int lost = 0;
    const auto lines = [&] { return site.ask("SELECT to_regclass('ysdb.journal') IS NULL") == "t" ? std::string("no journal yet") : site.ask("SELECT count(*) FROM ysdb.journal"); };
    const int kills = crash_everywhere(
        site, postgres_points, 5, [&] { fill_postgres(site); },
        [&] {
            const std::string before = lines();
            site.crash();
            lost += lines() != before ? 1 : 0;
        },
        [&] { check_postgres(site); });
    MESSAGE(kills << " crashes, " << lost << " of which took lines of the journal with them");
    CHECK(kills >= 8);

    // At least one certainly does: the intent of CREATE INDEX CONCURRENTLY is written, and nothing is committed behind it.
    site.begin();
    fill_postgres(site);
    REQUIRE(site.up("plan.intent.after:1").exit_code == killed);
    CHECK(site.ask("SELECT count(*) FROM ysdb.journal WHERE event = 'intent'") == "1");
    site.crash();
    CHECK(site.ask("SELECT count(*) FROM ysdb.journal WHERE event = 'intent'") == "0");
    CHECK(site.up().exit_code == 0);
    check_postgres(site);
}

TEST_CASE("PostgreSQL dies in the middle of a statement: up ends with 4, and once the server is back the same command goes on") {
    Site site("main");
    struct Case {
        const char *file, *running;
    };
    for (const Case& each : {Case{"INSERT INTO a VALUES (2);\nSELECT pg_sleep(60) WHERE NOT EXISTS (SELECT FROM again);", "%pg_sleep%"},
                             Case{"-- migrate:up transaction:false\nINSERT INTO a VALUES (2);\nCREATE INDEX CONCURRENTLY a_slow ON a (slow(id));", "CREATE INDEX CONCURRENTLY%"},
                             Case{"-- migrate:up transaction:false\n-- migrate:batch size:1 target:0s pause:0%\nUPDATE a SET n = n + slow(1);\nINSERT INTO a VALUES (2);", "%UPDATE a SET n%"}}) {
        CAPTURE(each.file);
        site.begin();
        site.ask("CREATE TABLE again ()");
        site.ask("CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL DEFAULT 0)");
        site.ask("INSERT INTO a VALUES (0), (1)");
        site.ask("CREATE TABLE pace (seconds float); INSERT INTO pace VALUES (60)");
        site.ask("CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(seconds) FROM public.pace; RETURN 1; END'");
        site.file("0001_a.sql", each.file);
        auto up = std::async(std::launch::async, [&] { return site.up(); });
        REQUIRE(wait_until([&] { return site.ask("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep' AND query LIKE '" + std::string(each.running) + "'") == "1"; }));
        site.crash();
        const CommandResult cut = up.get();
        CAPTURE(cut.err);
        CHECK(cut.exit_code == 4);
        site.ask("UPDATE pace SET seconds = 0; INSERT INTO again DEFAULT VALUES");
        const CommandResult next = site.up();
        CAPTURE(next.err);
        CHECK(next.exit_code == 0);
        CHECK(site.ask("SELECT string_agg(id::text, ' ' ORDER BY id) FROM a") == "0 1 2");
        CHECK(site.ask("SELECT max(n) - min(n) FROM a WHERE id < 2") == "0");
        CHECK(site.ask("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'a'::regclass") == "t");
        CHECK(site.ask("SELECT count(*) FROM ysdb.migrations") == "1");
    }
}

TEST_CASE("ClickHouse dies with ysdb at any fault point: the same command ends well, nothing has run twice") {
    Site site("analytics");
    const int kills = crash_everywhere(
        site, {"plan.intent.after", "plan.run.before", "plan.run.after", "plan.outcome.before", "plan.outcome.after", "plan.record.before", "plan.record.after", "plan.unit.after"}, 4,
        [&] {
            site.file("0001_a.sql", "CREATE TABLE a (x Int32, y Int32 DEFAULT 0) ENGINE = MergeTree ORDER BY x;\nALTER TABLE a ADD COLUMN z Int32;");
            site.file("0002_b.sql", "-- migrate:probe SELECT count() > 0 FROM a\nINSERT INTO a (x) SELECT number FROM numbers(3);\nALTER TABLE a UPDATE y = y + 1 WHERE 1;\nRENAME TABLE a TO b;");
        },
        [&] {
            site.crash();
            site.ask("DROP TABLE IF EXISTS ysdb.`lock migrate " + site.ask("SELECT currentDatabase()") + "`");  // of a run that could not give it back; stale after 30 s
        },
        [&] {
            CHECK(site.ask("SELECT concat(toString(count()), ' ', toString(sum(y))) FROM b") == "3 3");
            CHECK(site.ask("SELECT count() FROM system.mutations WHERE database = currentDatabase()") == "1");
            CHECK(site.ask("SELECT arrayStringConcat(groupArray(version), ' ') FROM (SELECT version FROM ysdb.migrations FINAL WHERE database = currentDatabase() ORDER BY seq)") == "0001 0002");
        });
    MESSAGE(kills << " crashes");
    CHECK(kills >= 5);
}
