// needs: main analytics
// lock: own_lab
// takes: 60
// Two-phase commit: a transaction that is prepared is told once, when it is committed, whoever was killed in between, and never when it is rolled
// back; whoever has to wait for one says for which. A prepared transaction holds up the slots of its whole cluster, so these tests take one of their own.
#include <signal.h>

#include "tests/live/sync_outage.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

SyncLab& shared_lab() {
    static SyncLab lab;
    return lab;
}

// What is still prepared at the end is rolled back, or the lab's other tests would wait for it.
class PreparedSite : public SyncSite {
public:
    explicit PreparedSite(const std::string& capture = "wal") : SyncSite("\"public.t\"", {}, capture, shared_lab().direct("main")) { fill(); }
    ~PreparedSite() { roll_back(); }
    void begin_anew(const std::string& capture) {
        roll_back();
        SyncSite::begin_anew(capture);
        set_tables("\"public.t\"");
        fill();
    }
    // `gid`: as inside a literal.
    void prepare(const std::string& gid, const std::string& sql) {
        const auto session = source_session();
        for (const std::string& each : {std::string("BEGIN"), sql, "PREPARE TRANSACTION '" + gid + "'"}) session->query(each, soon());
    }

private:
    void fill() {
        source("CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 100) g");
        // Larger transactions are told before they end.
        source("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET logical_decoding_work_mem = ''64kB''', current_database()); END $$");
    }
    void roll_back() {
        const SqlResult left = ask_source("SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = current_database()");
        for (std::size_t i = 0; i < left.rows(); ++i) source(left.row(i).text(0));
    }
};

}  // namespace

TEST_CASE("a prepared transaction is told once, when it is committed, though ysdb is killed in between, and never when it is rolled back; others go on meanwhile") {
    PreparedSite site;
    for (const std::string capture : {"wal", "trigger"}) {
        for (const int rows : {1, 3000}) {
            CAPTURE(capture);
            CAPTURE(rows);
            site.begin_anew(capture);
            site.catch_up();
            const auto values = [&](int from) { return "SELECT g, repeat(md5(g::text), 3) FROM generate_series(" + std::to_string(from) + ", " + std::to_string(from + rows - 1) + ") g"; };
            site.prepare("stays", "INSERT INTO t " + values(10'001) + "; UPDATE t SET v = 'prepared' WHERE id = 1; DELETE FROM t WHERE id = 2");
            site.prepare("goes", "INSERT INTO t " + values(20'001) + "; UPDATE t SET v = 'never' WHERE id = 3; DELETE FROM t WHERE id = 4");
            site.source("INSERT INTO t VALUES (5000, 'meanwhile')");
            {
                Running run(site, {"sync", "run"});
                CHECK_MESSAGE(wait_until([&] { return site.target_count("t_current WHERE id = 5000") == 1; }), run.log());
                site.source("INSERT INTO t VALUES (5001, 'meanwhile')");
                CHECK_MESSAGE(wait_until([&] { return site.target_count("t_current WHERE id = 5001") == 1; }), run.log());
                run.signal(SIGKILL);
                CHECK(run.wait() == 128 + SIGKILL);
            }
            CHECK(site.target_count("t_current") == 102);
            CHECK(site.equal());
            site.source("COMMIT PREPARED 'stays'");
            site.source("ROLLBACK PREPARED 'goes'");
            site.catch_up();
            CHECK(site.target_count("t_current") == 101 + rows);
            CHECK(site.target_count("t WHERE id BETWEEN 10001 AND 20000") == rows);   // versions, not rows: each was told once
            CHECK(site.target_count("t WHERE id > 20000") == 0);
            CHECK(site.equal());
        }
    }
}

TEST_CASE("a transaction that was prepared before PostgreSQL crashed is told when it is committed after it, to a run that lived through the crash") {
    PreparedSite site;
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        site.begin_anew(capture);
        site.catch_up();
        Running run(site, {"sync", "run"});
        site.prepare("stays", "INSERT INTO t VALUES (10001, 'prepared'); UPDATE t SET v = 'prepared' WHERE id = 1");
        site.prepare("goes", "INSERT INTO t VALUES (20001, 'never')");
        site.source("INSERT INTO t VALUES (5000, 'before')");
        REQUIRE_MESSAGE(wait_until([&] { return site.target_count("t_current WHERE id = 5000") == 1; }), run.log());
        shared_lab().kill("postgres");
        shared_lab().start("postgres");
        site.source("INSERT INTO t VALUES (5001, 'after')");
        CHECK_MESSAGE(wait_until([&] { return site.target_count("t_current WHERE id = 5001") == 1; }), run.log());
        CHECK(site.target_count("t_current WHERE id > 10000") == 0);
        site.source("ROLLBACK PREPARED 'goes'");
        site.source("COMMIT PREPARED 'stays'");
        CHECK_MESSAGE(wait_until([&] { return site.target_count("t_current WHERE v = 'prepared'") == 2; }), run.log());
        run.signal(SIGTERM);
        CHECK(run.wait() == 143);
        CHECK(site.target_count("t WHERE id = 10001") == 1);
        CHECK(site.target_count("t WHERE id = 20001") == 0);
        CHECK(site.equal());
    }
}

TEST_CASE("a transaction that was prepared before the set was installed is waited for by name, not silently, and what it wrote is there once it is committed") {
    PreparedSite site;
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        site.begin_anew(capture);
        site.prepare("it''s old", "INSERT INTO t VALUES (10001, 'prepared')");
        for (const std::string command : {"install", "run"}) {
            const CommandResult waited = site.ysdb({"sync", command, "--timeout", "2s"});
            CHECK(waited.exit_code != 0);
            CHECK_MESSAGE(waited.err.find("prepared transaction 'it''s old'") != std::string::npos, waited.err);
            CHECK_MESSAGE(waited.err.find("ROLLBACK PREPARED 'it''s old'") != std::string::npos, waited.err);
        }
        // The same of a session that has not ended.
        site.source("COMMIT PREPARED 'it''s old'");
        if (capture == "wal") {
            const auto session = site.source_session();
            session->query("BEGIN; INSERT INTO t VALUES (10002, 'open')", SyncSite::soon());
            const CommandResult waited = site.ysdb({"sync", "run", "--timeout", "2s"});
            CHECK_MESSAGE(waited.err.find("the transaction of session " + std::to_string(session->backend_id())) != std::string::npos, waited.err);
            session->query("COMMIT", SyncSite::soon());
        }
        site.catch_up();
        CHECK(site.target_count("t_current WHERE id = 10001") == 1);
        CHECK(site.equal());
        if (capture == "trigger") continue;
        // A table that comes later is copied beside a slot of its own.
        site.source("CREATE TABLE other (id int PRIMARY KEY)");
        site.prepare("later", "INSERT INTO t VALUES (10003, 'prepared')");
        site.set_tables("\"public.t\", \"public.other\"");
        Running run(site, {"sync", "run", "--until-caught-up", "--timeout", "2s"});
        CHECK_MESSAGE(wait_until([&] { return run.log().find("prepared transaction 'later'") != std::string::npos; }), run.log());
        site.source("INSERT INTO t VALUES (10004, 'goes on')");
        CHECK_MESSAGE(wait_until([&] { return site.target_count("t_current WHERE id = 10004") == 1; }), run.log());
        site.source("COMMIT PREPARED 'later'");
        CHECK(run.wait() == 0);
        CHECK(site.state("public.other") == "following");
        CHECK(site.equal());
    }
}

TEST_CASE("status and doctor name a transaction that was prepared and forgotten, for which the log is kept") {
    PreparedSite wal("wal"), trigger("trigger");
    wal.catch_up();
    trigger.catch_up();
    CHECK(wal.ysdb({"sync", "status"}).err.find("prepared") == std::string::npos);
    trigger.prepare("forgotten", "INSERT INTO t VALUES (10001, 'prepared')");
    REQUIRE(wait_until([&] { return trigger.ask_source("SELECT clock_timestamp() - prepared > interval '16 s' FROM pg_prepared_xacts").row(0).truth(0); }));
    for (PreparedSite* site : {&wal, &trigger}) {   // a log is the whole cluster's
        const CommandResult status = site->ysdb({"sync", "status"});
        CHECK_MESSAGE((status.out + status.err).find("prepared transaction 'forgotten'") != std::string::npos, status.out << status.err);
        const CommandResult doctor = site->ysdb({"doctor"});
        CHECK_MESSAGE((doctor.out + doctor.err).find("prepared transaction 'forgotten'") != std::string::npos, doctor.out << doctor.err);
    }
    trigger.source("ROLLBACK PREPARED 'forgotten'");
    const CommandResult doctor = wal.ysdb({"doctor"});
    CHECK_MESSAGE((doctor.out + doctor.err).find("no prepared transaction") != std::string::npos, doctor.out << doctor.err);
}
