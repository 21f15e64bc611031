// needs: main analytics
// takes: 60
// Tables that cannot be followed from somewhere on, and the copies that bring them back: what halted a table before its copy does not halt it again,
// and nothing that is told behind a halt is lost. For both ways to capture changes; `validate` is the judge.
#include <atomic>
#include <thread>

#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// Inserts rows until it is stopped.
class Inserter {
public:
    explicit Inserter(SyncSite& site, std::string value = "'while'") : value_(std::move(value)), session_(site.source_session()), thread_([this](const std::stop_token& stop) {
        for (int id = 1'000'000; !stop.stop_requested(); ++id) {
            session_->query("INSERT INTO t (id, v) VALUES (" + std::to_string(id) + ", " + value_ + ")", SyncSite::soon());
            ++rows_;
        }
    }) {}
    int rows() const { return rows_; }

private:
    std::string value_;
    std::atomic<int> rows_{0};
    std::unique_ptr<SqlSession> session_;
    std::jthread thread_;
};

// Catches up without halting anything on the way: a halt that a new copy mends would cost that copy.
void catch_up_undisturbed(const SyncSite& site) {
    const CommandResult result = site.ysdb({"sync", "run", "--until-caught-up"});
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    CHECK(result.err.find("sync.halted") == std::string::npos);
}

}  // namespace

TEST_CASE("a table that is written anew in the middle of its copy is copied again by the same run, and nothing behind it is lost") {
    SyncSite site("\"public.t\"");
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        site.begin_anew(capture);
        site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat('x', 100) || g FROM generate_series(1, 60000) g; ANALYZE t");
        Running run(site, {"sync", "run", "--workers", "1", "--range-rows", "3000", "--view-age", "1ms"});
        REQUIRE(wait_until([&] { return site.state("public.t") == "copying" && site.ask_source("SELECT count(*) FROM ysdb.sync_copied_ranges").row(0).integer(0) > 1; }, Millis(60'000)));
        {
            const Inserter inserter(site);
            REQUIRE(wait_until([&] { return inserter.rows() > 20; }));
            site.source("ALTER TABLE t ADD r float8 DEFAULT random()");
            CHECK(site.state("public.t") != "following");   // it came in the middle
            const int then = inserter.rows();
            REQUIRE(wait_until([&] { return inserter.rows() > then + 20 && site.state("public.t") == "following"; }, Millis(120'000)));
            const int copied = inserter.rows();
            REQUIRE(wait_until([&] { return inserter.rows() > copied + 50; }));
        }
        run.signal(SIGINT);
        CAPTURE(run.log());
        CHECK(run.wait() == 130);
        site.catch_up();
        CHECK(site.state("public.t") == "following");
        CHECK(site.equal());
    }
}

TEST_CASE("what halted a table is told once more after a kill: the copy that was made since goes on") {
    SyncSite site("\"public.t\", \"public.u\"");
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        site.begin_anew(capture);
        site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 2000) g; CREATE TABLE u (id int PRIMARY KEY)");
        site.catch_up();
        site.source("ALTER TABLE t ALTER v TYPE text USING upper(v)");
        CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", "sync.confirm.before"}}).exit_code == 128 + SIGKILL);
        CHECK(site.state("public.t") == "halted");
        REQUIRE(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
        Running run(site, {"sync", "run"});
        REQUIRE(wait_until([&] { return site.state("public.t") == "following"; }, Millis(60'000)));
        site.source("INSERT INTO t SELECT g, 'n' FROM generate_series(5001, 5100) g; DELETE FROM t WHERE id = 7");
        CHECK(wait_until([&] { return site.target_count("t FINAL WHERE v = 'n'") == 100; }));
        run.signal(SIGINT);
        run.wait();
        CHECK(run.log().find("sync.halted") == std::string::npos);
        catch_up_undisturbed(site);
        CHECK(site.state("public.t") == "following");
        CHECK(site.equal());
    }
}

TEST_CASE("a column that got another type: what comes while the new copy is made is in that copy, and readers' table stays as it was until it is whole") {
    struct Retyped {
        std::string capture, from, to, value;
    };
    // Refused by the server, and made another value of without a word.
    for (const auto& [capture, from, to, value] : {Retyped{"wal", "int", "text USING 'n' || v", "'while'"}, Retyped{"trigger", "int", "bigint USING v * 10000000000", "70000000000"}}) {
        CAPTURE(capture);
        CAPTURE(from);
        CAPTURE(to);
        SyncSite site("\"public.t\"", "", capture);
        site.source("CREATE TABLE t (id int PRIMARY KEY, v " + from + " NOT NULL, filler text); INSERT INTO t SELECT g, g::" + from + ", repeat('x', 100) FROM generate_series(1, 20000) g; ANALYZE t");
        site.catch_up();
        site.source("ALTER TABLE t ALTER v TYPE " + to);
        site.catch_up(8);
        REQUIRE(site.state("public.t") == "halted");
        REQUIRE(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
        const auto looks = [&] { return site.target("SELECT toString(count()) || toString(groupBitXor(cityHash64(id, toString(v)))) || any(toTypeName(v)) FROM t FINAL").row(0).text(0); };
        const std::string before = looks();
        {
            const Inserter inserter(site, value);
            const auto killed = [&](const std::string& point) {
                CAPTURE(point);
                const int then = inserter.rows();
                REQUIRE(wait_until([&] { return inserter.rows() > then + 20; }));
                CHECK(site.ysdb({"sync", "run", "--until-caught-up", "--workers", "1", "--range-rows", "3000"}, {{"YSDB_FAULT", point}}).exit_code == 128 + SIGKILL);
            };
            killed("sync.copy.range.after:3");
            killed("sync.copy.finish.before");   // all that was told by now went wherever the table's changes go
            CHECK(looks() == before);
        }
        site.catch_up();
        CHECK(site.state("public.t") == "following");
        CHECK(site.ask_source("SELECT count(*) FROM ysdb.dead_letters").row(0).integer(0) == 0);
        CHECK(site.equal());
    }
}

TEST_CASE("columns that changed between installing and the first run, in one transaction with rows, are in the copy, and halt nothing") {
    SyncSite site("\"public.t\"");
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        site.begin_anew(capture);
        site.source("CREATE TABLE t (id int PRIMARY KEY, a smallint, x text); INSERT INTO t SELECT g, g, 'x' FROM generate_series(1, 500) g");
        REQUIRE(site.ysdb({"sync", "install"}).exit_code == 0);
        site.source("BEGIN; ALTER TABLE t RENAME a TO n; INSERT INTO t VALUES (1000, 1, 'in'); ALTER TABLE t ALTER n TYPE int; UPDATE t SET n = n + 1; COMMIT");
        site.source("ALTER TABLE t DROP x; ALTER TABLE t ADD y int DEFAULT 4; INSERT INTO t VALUES (1001, 2, 5)");
        catch_up_undisturbed(site);
        CHECK(site.state("public.t") == "following");
        CHECK(site.equal());
        site.source("BEGIN; ALTER TABLE t RENAME n TO m; INSERT INTO t VALUES (2000, 1, 1); ALTER TABLE t ALTER m TYPE bigint; UPDATE t SET y = y + 1 WHERE id < 10; COMMIT;"
                    "ALTER TABLE t DROP y; ALTER TABLE t ADD z int DEFAULT 9; UPDATE t SET z = 1 WHERE id = 3");
        catch_up_undisturbed(site);
        CHECK(site.state("public.t") == "following");
        CHECK(site.equal());
    }
}

// The server tells a message and the record right behind it in either order when they are of different subtransactions.
TEST_CASE("rows that follow a change of columns at once are told after it, with savepoints or without") {
    SyncSite site("\"public.t\", \"public.p\"");
    site.source("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT g FROM generate_series(1, 300) g;"
                "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000); INSERT INTO p SELECT g FROM generate_series(1, 300) g");
    site.catch_up();
    for (int i = 1; i <= 12; ++i) {
        const std::string n = std::to_string(i);
        const bool inner = i % 2 == 0;
        site.source("BEGIN; " + std::string(inner ? "SAVEPOINT s; " : "") + "ALTER TABLE t ADD c" + n + " int DEFAULT " + n + (inner ? "; RELEASE s" : "") + "; INSERT INTO t (id) VALUES (1000 + " + n + "); COMMIT");
        site.source("BEGIN; SAVEPOINT s; TRUNCATE p; RELEASE s; INSERT INTO p VALUES (" + n + "); COMMIT");
    }
    catch_up_undisturbed(site);
    CHECK(site.equal());
}

TEST_CASE("rows that somebody else's event trigger writes before ysdb's has told the new columns keep the columns' defaults") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0); INSERT INTO t SELECT g FROM generate_series(1, 50) g");
    site.catch_up();
    site.source("CREATE FUNCTION aaa_count() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET n = n + 1 WHERE id = 1; END'; CREATE EVENT TRIGGER aaa_count ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION aaa_count()");
    site.source("ALTER TABLE t ADD a int DEFAULT 1");
    site.source("ALTER TABLE t ADD b int DEFAULT 2");
    site.source("DROP EVENT TRIGGER aaa_count");
    site.catch_up();
    CHECK(site.state("public.t") == "following");
    CHECK(site.equal());
}

TEST_CASE("one table that its store refuses is halted with the way out; the others are copied and followed") {
    SyncSite site("\"public.t\", \"public.u\"");
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)");
    site.target("CREATE TABLE t (id Int32, v String) ENGINE = MergeTree ORDER BY id");   // somebody's
    const auto report = site.catch_up(8);
    CAPTURE(report.dump());
    CHECK(site.state("public.t") == "halted");
    CHECK(site.state("public.u") == "following");
    CHECK(report["next"].get<std::string>().find("ysdb sync reset public.t") == 0);
    site.target("DROP TABLE t");
    REQUIRE(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
    site.catch_up();
    CHECK(site.equal());
}
