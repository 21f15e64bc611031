// needs: main analytics
// takes: 50
// `sync run` as a user runs it: the binary, real servers; `validate` is the judge.
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr const char* simple = "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 1000) g; ANALYZE t";

}  // namespace

TEST_CASE("a new set is installed and copied, then its changes follow: inserts, updates, removals, moved keys") {
    SyncSite site;
    site.source(simple);
    const auto first = site.catch_up();
    CHECK(first["tables"][0]["state"] == "following");
    CHECK(first["tables"][0]["copied"] == 1000);
    CHECK(site.equal());
    site.source("INSERT INTO t SELECT g, 'new' || g FROM generate_series(1001, 3000) g");
    site.source("UPDATE t SET v = 'changed' WHERE id <= 100; DELETE FROM t WHERE id BETWEEN 101 AND 200; UPDATE t SET id = id + 100000 WHERE id BETWEEN 201 AND 300");
    site.source("BEGIN; INSERT INTO t VALUES (9001, 'a'); DELETE FROM t WHERE id = 9001; INSERT INTO t VALUES (9001, 'b'); UPDATE t SET v = 'c' WHERE id = 9001; COMMIT");
    site.source("BEGIN; UPDATE t SET id = -1 WHERE id = 400; UPDATE t SET id = 400 WHERE id = 401; UPDATE t SET id = 401 WHERE id = -1; COMMIT");  // two rows change places
    site.source("BEGIN; INSERT INTO t VALUES (9002, 'never'); ROLLBACK");
    CHECK(site.catch_up()["tables"][0]["copied"] == 1000);  // not copied again
    CHECK(site.equal());
    CHECK(site.target("SELECT v FROM t_current WHERE id = 9001").row(0).text(0) == "c");
    CHECK(site.target_count("t_current WHERE id = 9002") == 0);
}

TEST_CASE("every type arrives the same through the copy, the stream's binary form and its text form") {
    // A column of a type that only its text tells (an address) has the whole stream come as text.
    for (const std::string net : {"", ", net inet DEFAULT '10.0.0.1', span int4range DEFAULT '[1,5)', pair pair DEFAULT '(1,\"a b\")'"}) {
        CAPTURE(net);
        SyncSite site;
        site.source(every_type_table(net));
        const std::string& rows = every_type_rows;
        site.source(rows + " FROM generate_series(1, 300) g WHERE false");
        site.catch_up();
        site.source(rows + " FROM generate_series(1, 300) g");
        site.source("ALTER TABLE t ALTER d DROP DEFAULT; UPDATE t SET d = date '1999-01-01' + (id % 5000)::int");  // ClickHouse's dates begin in 1900
        site.catch_up(8);  // those told before are dead letters
        CHECK(site.target_count("t_current") == 300);
        CHECK(site.equal());
    }
}

TEST_CASE("a value that an update did not send, since it is stored apart and unchanged, is the row's own") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, n int, big text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL;"
                "INSERT INTO t SELECT g, 0, repeat(md5(g::text), 300) FROM generate_series(1, 50) g");
    site.catch_up();
    site.source("UPDATE t SET n = 1 WHERE id <= 20");                                                             // big is not sent
    site.source("BEGIN; UPDATE t SET big = repeat('x', 9000) WHERE id = 5; UPDATE t SET n = 2 WHERE id = 5; COMMIT");  // sent, then not
    site.source("UPDATE t SET n = 3 WHERE id = 6"); site.source("DELETE FROM t WHERE id = 6");                        // gone when it is asked for
    site.source("UPDATE t SET n = 4 WHERE id = 7"); site.source("UPDATE t SET id = 1007 WHERE id = 7");               // elsewhere when it is asked for
    site.catch_up();
    CHECK(site.equal());
    CHECK(site.target("SELECT length(big) FROM t_current WHERE id = 1").row(0).integer(0) == 9600);
    site.source("ALTER TABLE t REPLICA IDENTITY FULL; UPDATE t SET n = 9");  // the old row brings it
    site.catch_up();
    CHECK(site.equal());
}

TEST_CASE("a transaction larger than the server's memory is told before its commit, and written only after it, without what was rolled back") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text)");
    site.catch_up();
    const std::string small = "SET logical_decoding_work_mem = '64kB'";
    site.source("BEGIN; INSERT INTO t SELECT g, repeat('a', 100) FROM generate_series(1, 800000) g; SAVEPOINT s; INSERT INTO t SELECT g, 'undone' FROM generate_series(900001, 905000) g; ROLLBACK TO s;"
                " UPDATE t SET v = 'late' WHERE id <= 1000; COMMIT");
    site.source("BEGIN; INSERT INTO t SELECT g, repeat('b', 100) FROM generate_series(1000001, 1700000) g; ROLLBACK");
    site.catch_up();
    CHECK(site.target_count("t_current") == 800000);
    CHECK(site.target_count("t_current WHERE v = 'late'") == 1000);
    CHECK(site.equal());
    // It came through the spool: told while it was open.
    CHECK(site.ask_source("SELECT stream_txns > 0 FROM pg_stat_replication_slots WHERE slot_name = '" + site.slot() + "'").row(0).truth(0));
}

// The name of the origin comes in the stream, in a message that has another form then.
TEST_CASE("a large transaction of an origin is told before its commit like any other, and not at all where ysdb moved rows by it") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text)");
    site.source("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET logical_decoding_work_mem = ''64kB''', current_database()); END $$");
    site.catch_up();
    int from = 0;
    for (const std::string origin : {"ab", "ysdb_partition"}) {
        const auto session = site.source_session();
        session->query("SELECT pg_replication_origin_create('" + origin + "') WHERE NOT EXISTS (SELECT 1 FROM pg_replication_origin WHERE roname = '" + origin + "')", SyncSite::soon());
        session->query("SELECT pg_replication_origin_session_setup('" + origin + "')", SyncSite::soon());   // by itself: the transaction is told as its first record's origin's
        session->query("BEGIN; INSERT INTO t SELECT g, repeat('a', 100) FROM generate_series(" + std::to_string(from + 1) + ", " + std::to_string(from + 20000) + ") g; COMMIT", SyncSite::soon());
        session->query("SELECT pg_replication_origin_session_reset()", SyncSite::soon());
        from += 20000;
    }
    site.catch_up();
    CHECK(site.ask_source("SELECT stream_txns > 1 FROM pg_stat_replication_slots WHERE slot_name = '" + site.slot() + "'").row(0).truth(0));
    CHECK(site.target_count("t_current") == 20000);
    site.source("SELECT pg_replication_origin_drop('ab')");
}

// Addresses have no binary form that is read, and the choice between the two is the whole stream's.
TEST_CASE("a column that only its text tells is told right when it comes while changes are read as bytes") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 100) g");
    site.catch_up();
    Running running(site, {"sync", "run"});
    REQUIRE(site.is_read());
    site.source("ALTER TABLE t ADD net inet DEFAULT '10.0.0.1'; INSERT INTO t VALUES (200, 'x', '192.168.0.1/24'); ALTER TABLE t DROP v; UPDATE t SET net = '10.0.0.2' WHERE id = 7");
    CHECK(site.arrives("t_current WHERE id = 200 AND net = '192.168.0.1/24'", 1, Millis(30'000)));
    CHECK(site.arrives("t_current WHERE net = '10.0.0.2'", 1, Millis(30'000)));
    running.signal(SIGTERM);
    running.wait();
    CHECK(site.equal());
}

TEST_CASE("a source that does not answer what it is asked is given up and asked again when --timeout says so") {
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        SyncSite site("\"public.t\", \"public.u\"", "", capture);
        site.source("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY)");
        site.catch_up();
        Running running(site, {"sync", "run", "--timeout", "1s"});
        site.source("INSERT INTO u VALUES (1)");
        REQUIRE(site.arrives("u_current", 1));   // it reads
        const auto session = site.source_session();
        // What a row's first change has it ask for; what it asks all the time.
        session->query("BEGIN; LOCK TABLE " + std::string(capture == "wal" ? "pg_description" : "cdc.ticks") + " IN ACCESS EXCLUSIVE MODE", SyncSite::soon());
        site.source("INSERT INTO t VALUES (2, 'b')");
        CHECK_MESSAGE(wait_until([&] { return running.log().find("warning sync.source") != std::string::npos; }, Millis(15'000)), running.log());
        session->query("COMMIT", SyncSite::soon());
        CHECK(site.arrives("t_current WHERE id = 2", 1));
        running.signal(SIGTERM);
        CHECK(running.wait() == 143);
        CHECK(site.equal());
    }
}

TEST_CASE("generated columns, which the stream leaves out, are left out of copy and comparison alike") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, b text); INSERT INTO t (id, a, b) SELECT g, g, 'b' FROM generate_series(1, 10) g");
    site.catch_up();
    site.source("INSERT INTO t (id, a, b) VALUES (11, 11, 'c'); UPDATE t SET a = 50 WHERE id = 5");
    site.catch_up();
    CHECK(site.equal());
}

TEST_CASE("truncating takes what was there before, and only that") {
    SyncSite site;
    site.source(simple);
    site.catch_up();
    site.source("INSERT INTO t VALUES (5000, 'x'); TRUNCATE t; INSERT INTO t VALUES (1, 'again'), (5001, 'y')");
    site.source("BEGIN; INSERT INTO t VALUES (6000, 'z'); TRUNCATE t; INSERT INTO t VALUES (6001, 'kept'); COMMIT; INSERT INTO t VALUES (6002, 'kept')");
    site.catch_up();
    CHECK(site.target_count("t_current") == 2);
    CHECK(site.equal());
}

TEST_CASE("new columns, renamed, wider and dropped ones are followed, though all happened before any was read") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(10,2), w int)");
    site.source("INSERT INTO t SELECT g, 'v' || g, g, g FROM generate_series(1, 100) g");
    site.catch_up();
    site.source("UPDATE t SET v = 'before' WHERE id = 1");
    site.source("ALTER TABLE t ADD extra int DEFAULT 7, ADD note text DEFAULT 'it''s', ADD at timestamptz DEFAULT '2026-02-03 04:05:06+02', ADD ok bool DEFAULT true, ADD plain int");
    site.source("INSERT INTO t (id, v, extra) VALUES (1000, 'x', NULL), (1001, 'y', 8)");
    site.source("ALTER TABLE t RENAME v TO vv");
    site.source("INSERT INTO t (id, vv) VALUES (1002, 'renamed'); UPDATE t SET vv = 'after' WHERE id = 2");
    site.source("ALTER TABLE t ALTER w TYPE bigint, ALTER n TYPE numeric(20,4), ALTER extra DROP DEFAULT");
    site.source("INSERT INTO t (id, w, n) VALUES (1003, 5000000000, 1.2345)");
    site.source("ALTER TABLE t DROP note; ALTER TABLE t ADD note int");  // the same name is another column
    site.source("INSERT INTO t (id, note) VALUES (1004, 42)");
    site.catch_up();
    CHECK(site.equal());
    CHECK(site.target("SELECT extra, note FROM t_current WHERE id = 3").row(0).text(0) == "7");
    CHECK(site.target("SELECT count() FROM t_current WHERE note IS NOT NULL").row(0).integer(0) == 1);
    CHECK(site.target("SELECT _dropped_note FROM t FINAL WHERE id = 3").row(0).text(0) == "it's");  // what it held stays readable
}

TEST_CASE("a change of columns that leaves rows changed without a word halts the table, and reset copies it anew while the others go on") {
    SyncSite site("\"public.t\", \"public.other\"");
    site.source(simple);
    site.source("CREATE TABLE other (id int PRIMARY KEY)");
    site.catch_up();
    site.source("ALTER TABLE t ADD r double precision DEFAULT random()");  // each row has its own
    site.source("INSERT INTO t (id, v) VALUES (5000, 'x'); INSERT INTO other VALUES (1)");
    const auto report = site.catch_up(8);
    CHECK(site.state("public.t") == "halted");
    CHECK(report["tables"][1]["reason"].get<std::string>().find("default that each row has its own value of") != std::string::npos);
    CHECK(site.target_count("other_current") == 1);
    CHECK(site.target_count("t_current WHERE id = 5000") == 0);
    site.source("INSERT INTO other VALUES (2)");
    site.catch_up(8);  // still halted, and the others go on
    CHECK(site.target_count("other_current") == 2);
    REQUIRE(site.ysdb({"sync", "reset", "public.t"}).exit_code == 0);
    site.source("INSERT INTO t (id, v) VALUES (5001, 'waits while the table is copied'); UPDATE t SET v = 'too' WHERE id = 7");
    site.catch_up();
    CHECK(site.state("public.t") == "following");
    CHECK(site.equal());
}

TEST_CASE("a row that ClickHouse cannot hold becomes a dead letter with its key and the reason, and everything else follows") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, at timestamptz, v text)");
    site.catch_up();
    site.source("INSERT INTO t VALUES (1, now(), 'a'), (2, 'infinity', 'b'), (3, now(), 'c')");
    CHECK(site.catch_up(8)["dead_letters"] == 1);
    CHECK(site.target_count("t_current") == 2);
    const auto status = site.json({"sync", "status", "--dead-letters"}, 1);
    CHECK(status["dead_letters"][0]["key"] == "id=2");
    CHECK(status["dead_letters"][0]["column"] == "at");
}

TEST_CASE("retry tells a row again once it can be held, drops the letter of a row that is gone, and keeps what is refused again") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, at timestamptz, v text)");
    site.catch_up();
    site.source("INSERT INTO t VALUES (1, 'infinity', 'a'), (2, 'infinity', 'b'), (3, 'infinity', 'c'), (4, now(), 'd')");
    CHECK(site.catch_up(8)["dead_letters"] == 3);
    // Mended behind ysdb's back: by a transaction of the tool's own that moves rows, which is not told.
    const auto session = site.source_session();
    session->query("SELECT pg_replication_origin_create('ysdb_partition') WHERE NOT EXISTS (SELECT 1 FROM pg_replication_origin WHERE roname = 'ysdb_partition'); SELECT pg_replication_origin_session_setup('ysdb_partition');"
                   " BEGIN; UPDATE t SET at = '2026-01-01' WHERE id = 1; DELETE FROM t WHERE id = 2; COMMIT; SELECT pg_replication_origin_session_reset()", SyncSite::soon());
    CHECK(site.catch_up(8)["dead_letters"] == 3);
    for (const char* point : {"sync.retry.before", "sync.retry.after"}) CHECK(site.ysdb({"sync", "retry"}, {{"YSDB_FAULT", point}}).exit_code == 128 + SIGKILL);
    const auto report = site.json({"sync", "retry"}, 8);
    CHECK(report["tables"][0]["arrived"] == 1);
    CHECK(report["tables"][0]["gone"] == 1);
    CHECK(report["tables"][0]["left"] == 1);
    CHECK(site.target_count("t_current WHERE id = 1") == 1);
    CHECK(site.catch_up(8)["dead_letters"] == 1);
}

TEST_CASE("a set that is followed is not copied by snapshot: a copy without a position could be older than what was told") {
    SyncSite site;
    site.source(simple);
    site.catch_up();
    const CommandResult refused = site.ysdb({"sync", "snapshot"});
    CHECK(refused.exit_code == 7);
    CHECK(refused.err.find("sync reset") != std::string::npos);
}

TEST_CASE("a table that joins the set later is copied while the others are followed; one that leaves it is left as it is") {
    SyncSite site;
    site.source(simple);
    site.source("CREATE TABLE late (id int PRIMARY KEY, v text); INSERT INTO late SELECT g, 'l' FROM generate_series(1, 500) g");
    site.catch_up();
    site.set_tables("\"public.t\", \"public.late\"");
    site.source("INSERT INTO late VALUES (501, 'x'); INSERT INTO t VALUES (2000, 'y')");
    site.catch_up();
    CHECK(site.equal());
    CHECK(site.state("public.late") == "following");
    site.set_tables("\"public.late\"");
    site.source("INSERT INTO t VALUES (2001, 'z'); INSERT INTO late VALUES (502, 'x')");
    site.catch_up();
    CHECK(site.equal());
    CHECK(site.target_count("t_current WHERE id = 2001") == 0);
}

TEST_CASE("what cannot be followed is refused before anything is made, with what mends it") {
    SyncSite site;
    site.source("CREATE TABLE t (v text)");
    CommandResult refused = site.ysdb({"sync", "run"});
    CHECK(refused.exit_code == 7);
    CHECK(refused.err.find("no primary key") != std::string::npos);
    site.source("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY NOTHING");
    refused = site.ysdb({"sync", "run"});
    CHECK(refused.exit_code == 7);
    CHECK(refused.err.find("REPLICA IDENTITY DEFAULT") != std::string::npos);
    CHECK(site.ask_source("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" + site.slot() + "'").row(0).integer(0) == 0);
}

TEST_CASE("a slot that is gone, or that somebody else has read, is not taken for a continuation") {
    SyncSite site;
    site.source(simple);
    site.catch_up();
    site.source("INSERT INTO t VALUES (2000, 'lost?')");
    site.ask_source("SELECT pg_replication_slot_advance('" + site.slot() + "', pg_current_wal_insert_lsn())");
    CommandResult refused = site.ysdb({"sync", "run", "--until-caught-up"});
    CHECK(refused.exit_code == 7);
    CHECK(refused.err.find("somebody else has read it") != std::string::npos);
    site.ask_source("SELECT pg_drop_replication_slot('" + site.slot() + "')");
    refused = site.ysdb({"sync", "run", "--until-caught-up"});
    CHECK(refused.exit_code == 7);
    CHECK(refused.err.find("slot of sync") != std::string::npos);
    REQUIRE(site.ysdb({"sync", "reset", "--yes"}).exit_code == 0);
    site.catch_up();
    CHECK(site.equal());
    CHECK(site.target("SELECT max(bitShiftRight(_version, 96)) FROM t").row(0).text(0) == "2");  // a new epoch: positions may have gone back
}

TEST_CASE("of two runs of a set one works and the other says who does; SIGTERM drains") {
    SyncSite site;
    site.source(simple);
    site.catch_up();
    Running run(site, {"sync", "run"});
    REQUIRE(wait_until([&] { return site.ask_source("SELECT active FROM pg_replication_slots WHERE slot_name = '" + site.slot() + "'").row(0).truth(0); }));
    const CommandResult second = site.ysdb({"sync", "run"});
    CHECK(second.exit_code == 6);
    site.source("INSERT INTO t SELECT g, 'late' FROM generate_series(5001, 9000) g");
    REQUIRE(wait_until([&] { return site.target_count("t_current WHERE v = 'late'") == 4000; }));
    run.signal(SIGTERM);
    CHECK(run.wait() == 143);
    // Everything that it had written was told to the server.
    CHECK(site.ask_source("SELECT count(*) FROM pg_logical_slot_peek_binary_changes('" + site.slot() + "', NULL, NULL, 'proto_version', '1', 'publication_names', '" + site.slot() + "')").row(0).integer(0) == 0);
    CHECK(site.equal());
}

TEST_CASE("a dry run says what would be made and copied, and makes nothing") {
    SyncSite site;
    site.source(simple);
    const auto plan = site.json({"sync", "run", "--dry-run"});
    CHECK(plan["install"].size() >= 2);
    CHECK(plan["tables"][0]["then"] == "copy, then follow");
    CHECK(site.ask_source("SELECT count(*) FROM pg_publication").row(0).integer(0) == 0);
    CHECK(site.ask_source("SELECT to_regclass('ysdb.sync_sets') IS NULL").row(0).truth(0));
}

TEST_CASE("removing a set takes its slot, its publication and what was remembered; the copies stay") {
    SyncSite site;
    site.source(simple);
    site.catch_up();
    CHECK(site.ysdb({"sync", "remove"}).exit_code == 7);  // unattended and not confirmed
    REQUIRE(site.ysdb({"sync", "remove", "--yes"}).exit_code == 0);
    CHECK(site.ask_source("SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_event_trigger) + (SELECT count(*) FROM ysdb.sync_sets)").row(0).integer(0) == 0);
    CHECK(site.target_count("t_current") == 1000);
}
