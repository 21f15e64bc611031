// needs: main analytics
// takes: 120
// `sync run` with capture = "trigger": changes told by triggers, read by ticks; `validate` is the judge.
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr const char* simple = "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 1000) g; ANALYZE t";

struct TriggerSite : SyncSite {
    explicit TriggerSite(const std::string& tables = "\"public.t\"") : SyncSite(tables, {}, "trigger") {}
};

}  // namespace

TEST_CASE("by triggers a new set is copied, then its changes follow: inserts, updates, removals, moved keys, and nothing that was rolled back") {
    TriggerSite site;
    site.source(simple);
    CHECK(site.catch_up()["tables"][0]["copied"] == 1000);
    CHECK(site.equal());
    site.source("INSERT INTO t SELECT g, 'new' || g FROM generate_series(1001, 3000) g");
    site.source("UPDATE t SET v = 'changed' WHERE id <= 100; DELETE FROM t WHERE id BETWEEN 101 AND 200; UPDATE t SET id = id + 100000 WHERE id BETWEEN 201 AND 300");
    site.source("BEGIN; INSERT INTO t VALUES (9001, 'a'); DELETE FROM t WHERE id = 9001; INSERT INTO t VALUES (9001, 'b'); UPDATE t SET v = 'c' WHERE id = 9001; COMMIT");
    site.source("BEGIN; UPDATE t SET id = -1 WHERE id = 400; UPDATE t SET id = 400 WHERE id = 401; UPDATE t SET id = 401 WHERE id = -1; COMMIT");
    site.source("INSERT INTO t VALUES (500, 'conflict'), (9003, NULL), (9004, '') ON CONFLICT (id) DO UPDATE SET v = excluded.v");
    site.source("MERGE INTO t USING (VALUES (501, 'm'), (502, 'm'), (9005, 'm')) s(id, v) ON t.id = s.id WHEN MATCHED AND t.id = 501 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v)");
    site.source("BEGIN; INSERT INTO t VALUES (9002, 'never'); ROLLBACK");
    site.source("BEGIN; SAVEPOINT s; INSERT INTO t VALUES (9006, 'undone'); ROLLBACK TO s; INSERT INTO t VALUES (9007, 'kept'); COMMIT");
    CHECK(site.catch_up()["tables"][0]["copied"] == 1000);  // not copied again
    CHECK(site.equal());
    CHECK(site.target("SELECT v FROM t_current WHERE id = 9001").row(0).text(0) == "c");
    CHECK(site.target_count("t_current WHERE id IN (9002, 9006)") == 0);
    CHECK(site.ask_source("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()").row(0).integer(0) == 0);
    // For whoever reads the log: the record as JSON, with its transaction.
    CHECK(site.ask_source("SELECT new_record ->> 'v' FROM cdc.change_log WHERE operation = 'INSERT' AND new_record ->> 'id' = '9007' AND old_record IS NULL AND transaction_id = xid::text").row(0).text(0) == "kept");
}

TEST_CASE("by triggers nothing is lost of who begins first and commits last, nor of two who write at once") {
    TriggerSite site;
    site.source(simple);
    site.catch_up();
    const auto early = site.source_session(), other = site.source_session(), undone = site.source_session();
    const auto soon = SyncSite::soon();
    early->query("BEGIN; INSERT INTO t VALUES (5001, 'began first')", soon);       // the lowest transaction, the lowest numbers in the log
    undone->query("BEGIN; INSERT INTO t VALUES (5002, 'rolled back'); UPDATE t SET v = 'rolled back' WHERE id = 7", soon);
    other->query("BEGIN; INSERT INTO t VALUES (5003, 'overlaps'); UPDATE t SET v = 'overlaps' WHERE id = 8", soon);
    site.source("INSERT INTO t VALUES (5004, 'in between')");
    site.catch_up();                                                               // a tick that sees the last only
    CHECK(site.target_count("t_current WHERE id > 5000") == 1);
    early->query("UPDATE t SET v = 'began first' WHERE id = 9", soon);
    other->query("COMMIT", soon);
    site.catch_up();
    CHECK(site.target_count("t_current WHERE id > 5000") == 2);
    site.source("UPDATE t SET v = 'later' WHERE id = 8");
    site.catch_up();
    undone->query("ROLLBACK", soon);
    early->query("COMMIT", soon);
    site.catch_up();
    CHECK(site.target_count("t_current WHERE id > 5000") == 3);
    CHECK(site.target("SELECT v FROM t_current WHERE id = 8").row(0).text(0) == "later");
    CHECK(site.equal());
}

TEST_CASE("by triggers a run sees the first change of all when it is the only one, and what commits long after it wrote, though nobody writes anything else") {
    TriggerSite site;
    site.source(simple);
    site.catch_up();
    Running run(site, {"sync", "run"});
    // It has looked since, with nothing to see yet.
    const auto has_looked = [&, log = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'ysdb sync " + site.set() + " log' AND query_start > "] {
        const std::string then = "timestamptz '" + site.ask_source("SELECT clock_timestamp() + interval '200 ms'").row(0).text(0) + "'";
        return wait_until([&] { return site.ask_source(log + then).row(0).truth(0); });
    };
    for (int looks = 0; looks < 5; ++looks) REQUIRE(has_looked());   // and found out that nobody who could have drawn a number is at work
    site.source("INSERT INTO t VALUES (5000, 'first')");
    REQUIRE(wait_until([&] { return site.target_count("t_current WHERE id = 5000") == 1; }, Millis(10'000)));
    const auto writer = site.source_session();
    writer->query("BEGIN; INSERT INTO t VALUES (5001, 'late')", SyncSite::soon());   // the newest transaction there is
    REQUIRE(has_looked());
    writer->query("COMMIT", SyncSite::soon());
    CHECK_MESSAGE(wait_until([&] { return site.target_count("t_current WHERE id = 5001") == 1; }, Millis(10'000)), run.log());
    run.signal(SIGTERM);
    CHECK(run.wait() == 143);
}

TEST_CASE("by triggers every type arrives as the copy has it, through JSON's losses and whatever the writer's session prints") {
    TriggerSite site;
    for (const bool partitioned : {true, false}) {
        CAPTURE(partitioned);
        site.begin_anew();
        std::string table = every_type_table(", net inet DEFAULT '10.0.0.1', span int4range DEFAULT '[1,5)', pair pair DEFAULT '(1,\"a b\")'");
        if (!partitioned) table = table.substr(0, table.find(" PARTITION BY"));
        site.source(table);
        site.catch_up();
        site.source("SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'; SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = -9; SET bytea_output = 'escape'; " + every_type_rows + " FROM generate_series(1, 300) g");
        site.source("SET DateStyle = 'SQL, DMY'; SET extra_float_digits = 0; UPDATE t SET d = date '1999-01-01' + (id % 5000)::int, f8 = CASE id % 4 WHEN 0 THEN '-0' WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE f8 / 3 END,"
                    " free = CASE id % 3 WHEN 0 THEN 'NaN' WHEN 1 THEN 1.500 ELSE free END, j = '{ \"a\":1,\"a\" : 2 }', tx = CASE id % 3 WHEN 0 THEN '' WHEN 1 THEN E'(\\\\\",\\n' ELSE NULL END");
        site.catch_up(8);  // dates before 1900 were dead letters
        CHECK(site.target_count("t_current") == 300);
        CHECK(site.equal());
    }
}

TEST_CASE("by triggers a writer's session prints as it did before, whatever became of its statement") {
    for (const bool partitioned : {true, false}) {
        CAPTURE(partitioned);
        TriggerSite site;
        site.source("CREATE TABLE t (id int PRIMARY KEY, at timestamptz)" + std::string(partitioned ? " PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t DEFAULT" : ""));
        REQUIRE(site.ysdb({"sync", "install"}).exit_code == 0);
        site.source("ALTER TABLE cdc.change_log ADD CHECK (new_text NOT LIKE '(13,%')");
        const auto session = site.source_session();
        const auto does = [&](const std::string& sql) { session->query(sql, SyncSite::soon()); };
        const auto prints = [&] {
            return session->query("SELECT concat_ws(' ', current_setting('TimeZone'), current_setting('DateStyle'), current_setting('IntervalStyle'), current_setting('bytea_output'), current_setting('extra_float_digits'))",
                                  SyncSite::soon()).row(0).text(0);
        };
        const std::string own = "Asia/Tokyo German, DMY iso_8601 escape -9";
        does("SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'escape'; SET extra_float_digits = -9");
        REQUIRE(prints() == own);
        does("BEGIN; SET LOCAL TimeZone = 'Europe/Berlin'");
        does("INSERT INTO t SELECT g, '2026-01-01 09:00' FROM generate_series(1, 3) g; UPDATE t SET at = at + interval '1 h'; DELETE FROM t WHERE id = 3");
        CHECK(prints() == "Europe/Berlin German, DMY iso_8601 escape -9");
        does("SAVEPOINT s");
        CHECK_THROWS_AS(does("INSERT INTO t VALUES (13, now())"), Error);   // in the middle of telling it
        does("ROLLBACK TO s");
        CHECK(prints() == "Europe/Berlin German, DMY iso_8601 escape -9");
        does("SET TimeZone = 'America/Lima'; INSERT INTO t VALUES (20, now())");
        CHECK(prints() == "America/Lima German, DMY iso_8601 escape -9");
        does("COMMIT");
        CHECK(prints() == "America/Lima German, DMY iso_8601 escape -9");
        does("INSERT INTO t VALUES (21, now())");
        CHECK(prints() == "America/Lima German, DMY iso_8601 escape -9");
        CHECK(site.ask_source("SELECT new_text FROM cdc.change_log WHERE operation = 'UPDATE' ORDER BY sequence LIMIT 1").row(0).text(0) == "(1,\"2026-01-01 09:00:00+00\")");
    }
}

TEST_CASE("by triggers a partitioned table is told whatever partition is written to, also one that comes later") {
    TriggerSite site;
    site.source("CREATE TABLE t (id int, d date, v text, PRIMARY KEY (id, d)) PARTITION BY RANGE (d); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')");
    site.source("INSERT INTO t SELECT g, '2026-01-01', 'v' FROM generate_series(1, 100) g");
    site.catch_up();
    site.source("INSERT INTO t1 VALUES (200, '2026-01-02', 'into the partition'); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2026-02-01') TO ('2026-03-01'); INSERT INTO t2 VALUES (201, '2026-02-02', 'new')");
    site.source("UPDATE t SET d = '2026-02-05' WHERE id <= 10; DELETE FROM t2 WHERE id = 3; UPDATE t1 SET v = 'w' WHERE id = 50");  // rows move
    site.catch_up();
    CHECK(site.target_count("t_current") == 101);
    CHECK(site.equal());
    // A partition whose columns stand in another order would be read wrongly.
    site.source("CREATE TABLE t3 (v text, d date NOT NULL, id int NOT NULL); ALTER TABLE t ATTACH PARTITION t3 FOR VALUES FROM ('2026-03-01') TO ('2026-04-01'); INSERT INTO t VALUES (300, '2026-03-02', 'x')");
    site.catch_up(8);
    CHECK(site.state("public.t") == "halted");
}

TEST_CASE("by triggers a change that another trigger makes of the same row is not overtaken by the first") {
    TriggerSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, n int, parent int REFERENCES t ON UPDATE CASCADE ON DELETE CASCADE)");
    site.source("CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
                " IF NEW.n = 1 THEN UPDATE t SET n = 100 WHERE id = NEW.id; ELSIF NEW.n = 2 THEN DELETE FROM t WHERE id = NEW.id; ELSIF NEW.n = 3 THEN UPDATE t SET id = id + 1000, n = 0 WHERE id = NEW.id; END IF; RETURN NULL; END$$;"
                "CREATE TRIGGER aaa AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again()");
    site.catch_up();
    site.source("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4)");
    site.source("INSERT INTO t VALUES (11, 4), (12, 4), (13, 4); UPDATE t SET n = id - 10 WHERE id IN (11, 12, 13)");
    site.source("INSERT INTO t VALUES (20, 5, NULL), (21, 5, 20), (22, 5, 21); UPDATE t SET id = id + 10 WHERE id IN (20, 21)");  // each cascades into the next
    site.source("DELETE FROM t WHERE id = 30");
    site.catch_up();
    CHECK(site.target("SELECT n FROM t_current WHERE id = 1").row(0).text(0) == "100");
    CHECK(site.target_count("t_current WHERE id IN (2, 3, 12, 13)") == 0);
    CHECK(site.equal());
}

TEST_CASE("by triggers new columns, renamed, wider and dropped ones are followed, though all happened before any was read, and by one session") {
    TriggerSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(10,2), w int)");
    site.source("INSERT INTO t SELECT g, 'v' || g, g, g FROM generate_series(1, 100) g");
    site.catch_up();
    const auto session = site.source_session();   // its plans are from before
    const auto say = [&](const std::string& sql) { session->query(sql, SyncSite::soon()); };
    for (int i = 0; i < 10; ++i) say("UPDATE t SET v = 'before' WHERE id = 1");   // from the sixth on by a plan that is kept
    say("INSERT INTO t VALUES (999)");
    site.source("ALTER TABLE t ADD extra int DEFAULT 7, ADD note text DEFAULT 'it''s'");
    say("INSERT INTO t (id, v, extra) VALUES (1000, 'x', NULL), (1001, 'y', 8)");
    site.source("ALTER TABLE t RENAME v TO vv");
    say("INSERT INTO t (id, vv) VALUES (1002, 'renamed'); UPDATE t SET vv = 'after' WHERE id = 2");
    say("BEGIN; UPDATE t SET vv = 'mine' WHERE id = 3; ALTER TABLE t ALTER w TYPE bigint, ALTER n TYPE numeric(20,4); UPDATE t SET w = 6000000000 WHERE id = 3; COMMIT");
    say("BEGIN; ALTER TABLE t RENAME vv TO lost; INSERT INTO t (id, lost) VALUES (5000, 'rolled back'); ROLLBACK; INSERT INTO t (id, w, n) VALUES (1003, 5000000000, 1.2345)");
    site.source("ALTER TABLE t DROP note; ALTER TABLE t ADD note int");  // the same name is another column
    say("INSERT INTO t (id, note) VALUES (1004, 42); UPDATE t SET note = 1 WHERE id = 4; DELETE FROM t WHERE id = 5");
    say("INSERT INTO t (id, note) VALUES (1005, 43)");
    site.source("ALTER TABLE t RENAME TO old_t; INSERT INTO old_t (id, note) VALUES (1006, NULL); UPDATE old_t SET vv = 'elsewhere' WHERE id = 8; ALTER TABLE old_t RENAME TO t");  // whoever writes goes on
    site.catch_up();
    CHECK(site.state("public.t") == "following");
    CHECK(site.equal());
    CHECK(site.target_count("t_current WHERE note IS NOT NULL") == 3);
}

TEST_CASE("by triggers what cannot be told halts the table: triggers that were gone, a table made anew or renamed, columns a transaction cannot name") {
    TriggerSite site("\"public.t\", \"public.other\"");
    for (const std::string what : {"ALTER TABLE t DISABLE TRIGGER ysdb_change; UPDATE t SET v = 'unseen' WHERE id = 1", "DROP TRIGGER ysdb_insert ON t; INSERT INTO t VALUES (5000, 'unseen')",
                                   "DROP TABLE t; CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'another')", "ALTER TABLE t RENAME id TO ident; INSERT INTO t VALUES (5000, 'whoever writes goes on'); DELETE FROM t WHERE ident = 5000; ALTER TABLE t RENAME ident TO id; INSERT INTO t VALUES (5000, 'x')",
                                   "ALTER TABLE t ALTER v TYPE varchar(3) USING left(v, 3); INSERT INTO t VALUES (5000, 'x')"}) {
        CAPTURE(what);
        site.begin_anew();
        site.source(simple);
        site.source("CREATE TABLE other (id int PRIMARY KEY)");
        site.catch_up();
        site.source(what);
        site.source("INSERT INTO other VALUES (1)");
        site.catch_up(8);
        CHECK(site.state("public.t") == "halted");
        CHECK(site.target_count("other_current") == 1);
        REQUIRE(site.ysdb({"sync", "reset", "public.t"}).exit_code == 0);
        site.source("UPDATE t SET v = 'new' WHERE id = 1");
        site.catch_up();
        CHECK(site.state("public.t") == "following");
        CHECK(site.equal());
    }
    // Its view of the catalog is older than the column it writes.
    site.begin_anew();
    site.set_tables("\"public.t\"");
    site.source(simple);
    site.catch_up();
    const auto session = site.source_session();
    session->query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1", SyncSite::soon());
    site.source("ALTER TABLE t RENAME v TO w");
    session->query("INSERT INTO t VALUES (5000, 'which'); COMMIT", SyncSite::soon());
    site.catch_up(8);
    CHECK(site.state("public.t") == "halted");
    REQUIRE(site.ysdb({"sync", "reset", "public.t"}).exit_code == 0);
    session->query("BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO t VALUES (5001, 'plain'); COMMIT", SyncSite::soon());
    site.catch_up();
    session->query("BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO t VALUES (5002, 'plain'); COMMIT", SyncSite::soon());
    site.catch_up();
    CHECK(site.state("public.t") == "following");
    CHECK(site.equal());
}

TEST_CASE("by triggers a run that works notices triggers that are switched off or dropped: they are made again, and the table is halted, the others go on") {
    TriggerSite site("\"public.t\", \"public.other\"");
    for (const std::string away : {"ALTER TABLE t DISABLE TRIGGER ysdb_change", "DROP TRIGGER ysdb_insert ON t"}) {
        CAPTURE(away);
        site.begin_anew();
        site.source(simple);
        site.source("CREATE TABLE other (id int PRIMARY KEY)");
        site.catch_up();
        Running run(site, {"sync", "run"});
        site.source("INSERT INTO other VALUES (1)");
        REQUIRE(wait_until([&] { return site.target_count("other_current") == 1; }));
        site.source(away);
        CHECK_MESSAGE(wait_until([&] { return site.state("public.t") == "halted"; }), run.log());
        site.source("INSERT INTO other VALUES (2)");
        CHECK_MESSAGE(wait_until([&] { return site.target_count("other_current") == 2; }), run.log());
        run.signal(SIGTERM);
        CHECK(run.wait() == 143);
        CHECK(run.log().find("triggers were gone for a time") != std::string::npos);
        REQUIRE(site.ysdb({"sync", "reset", "public.t"}).exit_code == 0);
        site.source("UPDATE t SET v = 'told again' WHERE id = 5; INSERT INTO t VALUES (5000, 'told again')");
        site.catch_up();
        CHECK(site.equal());
    }
}

TEST_CASE("a table that a subscription writes is refused: its inserts would fire no trigger") {
    TriggerSite site;
    site.source(simple);
    site.source("CREATE SUBSCRIPTION " + site.set() + " CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)");
    site.source("SET allow_system_table_mods = on; INSERT INTO pg_subscription_rel SELECT oid, 't'::regclass, 'r', NULL FROM pg_subscription WHERE subname = '" + site.set() + "'");
    const CommandResult refused = site.ysdb({"sync", "install"});
    CHECK(refused.exit_code == 7);
    CHECK_MESSAGE(refused.err.find("a subscription writes it") != std::string::npos, refused.err);
    site.source("DROP SUBSCRIPTION " + site.set());
    CHECK(site.ysdb({"sync", "install"}).exit_code == 0);
}

TEST_CASE("what a trigger set lacks is called by its name") {
    TriggerSite site;
    site.source(simple);
    site.catch_up();
    site.source("UPDATE cdc.sets SET position = position + 100");
    CommandResult refused = site.ysdb({"sync", "run", "--until-caught-up"});
    CHECK(refused.exit_code == 7);
    CHECK_MESSAGE(refused.err.find("place in cdc.change_log") != std::string::npos, refused.err);
    CHECK(refused.err.find("ahead of tick") != std::string::npos);
    site.source("DELETE FROM cdc.sets");
    refused = site.ysdb({"sync", "run", "--until-caught-up"});
    CHECK(refused.exit_code == 7);
    CHECK(refused.err.find("slot") == std::string::npos);
}

TEST_CASE("by triggers truncating takes what was there before, and only that") {
    TriggerSite site;
    site.source(simple);
    site.catch_up();
    site.source("INSERT INTO t VALUES (5000, 'x'); TRUNCATE t; INSERT INTO t VALUES (1, 'again'), (5001, 'y')");
    site.source("BEGIN; INSERT INTO t VALUES (6000, 'z'); TRUNCATE t; INSERT INTO t VALUES (6001, 'kept'); COMMIT; INSERT INTO t VALUES (6002, 'kept')");
    site.catch_up();
    CHECK(site.target_count("t_current") == 2);
    CHECK(site.equal());
}

TEST_CASE("triggers need no right to replicate: a plain role that owns the tables follows them, and one that may not is told what it lacks") {
    TriggerSite site;
    const std::string role = "plain_" + site.set();
    site.source(simple);
    const std::string database = site.ask_source("SELECT current_database()").row(0).text(0);
    site.source("CREATE ROLE " + role + " LOGIN PASSWORD 'pw'; GRANT CREATE ON DATABASE " + database + " TO " + role + "; GRANT SELECT ON t TO " + role);
    site.come_as(role, "pw");
    const CommandResult refused = site.ysdb({"sync", "run", "--until-caught-up"});
    CHECK(refused.exit_code == 7);
    CHECK(refused.err.find("GRANT TRIGGER") != std::string::npos);
    site.source("ALTER TABLE t OWNER TO " + role + "; GRANT CREATE ON SCHEMA public TO " + role);
    site.catch_up();
    site.source("CREATE ROLE w_" + role + " LOGIN; GRANT INSERT, UPDATE ON t TO w_" + role + "; SET ROLE w_" + role + "; INSERT INTO t VALUES (5000, 'by somebody who knows nothing of the log')");
    site.source("SET session_replication_role = replica; INSERT INTO t VALUES (5001, 'as a subscription writes')");
    site.catch_up();
    CHECK(site.target_count("t_current WHERE id >= 5000") == 2);
    CHECK(site.equal());
    CHECK(site.ysdb({"sync", "remove", "--yes"}).exit_code == 0);
    site.source("DROP OWNED BY " + role + ", w_" + role + " CASCADE; DROP ROLE " + role + "; DROP ROLE w_" + role);
}

TEST_CASE("the log is cleaned by partition once every set has what is in it, and status says how far it is") {
    TriggerSite site;
    site.source(simple);
    site.catch_up();
    site.source("INSERT INTO t VALUES (5000, 'x')");
    auto status = site.json({"sync", "status"});
    CHECK(status["sets"][0]["capture"] == "trigger");
    CHECK(status["sets"][0]["behind_ticks"].get<int>() > 0);
    site.catch_up();
    status = site.json({"sync", "status"});
    CHECK(status["sets"][0]["behind_ticks"] == 0);
    // As if these changes had been made some days ago, and others while no partition was there.
    site.source("CREATE TABLE cdc.change_log_20200102 PARTITION OF cdc.change_log FOR VALUES FROM ('2020-01-02') TO ('2020-01-03');"
                "UPDATE cdc.change_log SET timestamp = '2020-01-02 12:00:00+00'");
    const auto open = site.source_session();
    open->query("BEGIN; INSERT INTO t VALUES (5001, 'y')", SyncSite::soon());
    site.source("INSERT INTO t VALUES (5002, 'z'); UPDATE cdc.change_log SET timestamp = '2019-01-01' WHERE new_record ->> 'id' = '5002'");
    site.catch_up();
    site.catch_up();  // cleans what the run before acknowledged
    CHECK(site.ask_source("SELECT (SELECT count(*) FROM cdc.change_log_20200102) + (SELECT count(*) FROM cdc.change_log_default)").row(0).integer(0) == 0);
    open->query("COMMIT", SyncSite::soon());
    site.catch_up();  // nobody holds the log any more: what is empty is dropped
    CHECK(site.ask_source("SELECT to_regclass('cdc.change_log_20200102') IS NULL").row(0).truth(0));
    CHECK(site.ask_source("SELECT count(*) FROM pg_inherits WHERE inhparent = 'cdc.change_log'::regclass").row(0).integer(0) == 9);  // today's, a week's, the default one
    CHECK(site.equal());
}

TEST_CASE("removing a trigger set leaves nothing of it behind, and installing one shows what it makes") {
    TriggerSite site;
    site.source(simple);
    CHECK(site.json({"sync", "install", "--dry-run"})["statements"].size() == 4);
    CHECK(site.ask_source("SELECT to_regnamespace('cdc') IS NULL").row(0).truth(0));
    site.catch_up();
    REQUIRE(site.ysdb({"sync", "remove", "--yes"}).exit_code == 0);
    CHECK(site.ask_source("SELECT to_regnamespace('cdc') IS NULL AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 't'::regclass)").row(0).truth(0));
    site.source("CREATE SCHEMA cdc; CREATE TABLE cdc.change_log (id uuid)");
    const CommandResult refused = site.ysdb({"sync", "run"});
    CHECK(refused.exit_code == 7);
    CHECK(refused.err.find("that ysdb did not make") != std::string::npos);
    site.source("DROP SCHEMA cdc CASCADE; ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id) DEFERRABLE");
    CHECK(site.ysdb({"sync", "run"}).err.find("deferrable") != std::string::npos);
}

TEST_CASE("killed at every fault point of its own, trigger capture goes on where it was, beside a writer") {
    TriggerSite site;
    for (const std::string point : {"sync.install.before:2", "sync.install.after", "sync.install.after:2", "sync.trigger.snapshot.before", "sync.trigger.snapshot.after", "sync.trigger.tick.before", "sync.trigger.tick.after",
                                    "sync.trigger.acknowledge.before", "sync.trigger.acknowledge.after", "sync.confirm.after", "sync.trigger.clean.before", "sync.trigger.clean.after"}) {
        CAPTURE(point);
        site.begin_anew();
        site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 500) g");
        const bool later = point.find("install") == std::string::npos && point.find("snapshot") == std::string::npos;
        if (later) {
            site.catch_up();
            site.source("UPDATE t SET v = 'w' WHERE id <= 10; UPDATE cdc.change_log SET timestamp = '2020-01-01'");
            if (point.find("clean") != std::string::npos) site.catch_up();
        }
        site.source("UPDATE t SET v = 'x' WHERE id <= 5");
        CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", point}}).exit_code == 128 + SIGKILL);
        site.source("DELETE FROM t WHERE id = 11; UPDATE t SET v = 'y' WHERE id = 3; INSERT INTO t VALUES (3000, 'n'); TRUNCATE t; INSERT INTO t SELECT g, 'z' FROM generate_series(1, 20) g");
        site.catch_up();
        CHECK(site.target_count("t_current") == 20);
        CHECK(site.equal());
    }
}

TEST_CASE("by triggers the catalog is asked once a batch, not once a row, for rows whose transaction cannot say in which columns it wrote") {
    TriggerSite site;
    site.source(simple);
    site.catch_up();
    site.source("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET track_functions = pl', current_database()); END $$");
    const auto asked = [&] { return site.ask_source("SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_user_functions WHERE funcname = 'note_shape'").row(0).integer(0); };
    site.source("BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE t SET v = 'x' WHERE id <= 500; COMMIT");
    REQUIRE(wait_until([&] { return asked() >= 500; }));   // by the writer
    const std::int64_t before = asked();
    site.catch_up();
    CHECK(site.equal());
    REQUIRE(wait_until([&] { return site.ask_source("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ysdb sync%'").row(0).integer(0) == 0; }));
    CHECK(asked() - before < 20);
}
