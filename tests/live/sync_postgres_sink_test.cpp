// needs: main analytics
// takes: 70
// PostgreSQL as a target of a set: its table follows another PostgreSQL's, or a polled ClickHouse's; `validate` is the judge.
#include <atomic>
#include <thread>

#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// SyncSite's source, and a second PostgreSQL database that follows it beside ClickHouse.
struct SinkSite : SyncSite {
    explicit SinkSite(const std::string& tables = "\"public.t\"", const std::string& into = "") : SinkSite(tables, into, std::make_unique<TestDatabase>()) {}
    SinkSite(const std::string& tables, const std::string& into, std::unique_ptr<TestDatabase> database)
        : SyncSite(tables, "[[sync.to]]\nstore = \"aggregates\"\n" + into + "[stores.aggregates]\nurl = \"" + database->config().url + "\"\n"), database_(std::move(database)) {}
    void begin_anew() {
        database_->empty();
        SyncSite::begin_anew();
    }
    SqlResult sink(const std::string& sql) { return open_store(database_->config())->sql()->open_session("test", soon())->query(sql, soon()); }
    std::string text(const std::string& sql) { return sink(sql).row(0).text_or(0, "NULL"); }
    std::unique_ptr<TestDatabase> database_;
};

constexpr const char* simple = "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 1000) g; ANALYZE t";

}  // namespace

TEST_CASE("a table of PostgreSQL is copied into another, then follows: inserts, updates, removals, moved keys, truncation") {
    SinkSite site;
    site.source(simple);
    site.catch_up();
    CHECK(site.equal());
    site.source("INSERT INTO t SELECT g, 'new' || g FROM generate_series(1001, 3000) g");
    site.source("UPDATE t SET v = 'changed' WHERE id <= 100; DELETE FROM t WHERE id BETWEEN 101 AND 200; UPDATE t SET id = id + 100000 WHERE id BETWEEN 201 AND 300");
    site.source("BEGIN; INSERT INTO t VALUES (9001, 'a'); DELETE FROM t WHERE id = 9001; INSERT INTO t VALUES (9001, 'b'); UPDATE t SET v = 'c' WHERE id = 9001; COMMIT");
    site.source("BEGIN; UPDATE t SET id = -1 WHERE id = 400; UPDATE t SET id = 400 WHERE id = 401; UPDATE t SET id = 401 WHERE id = -1; COMMIT");
    site.catch_up();
    CHECK(site.equal());
    CHECK(site.text("SELECT v FROM t WHERE id = 9001") == "c");
    CHECK(site.text("SELECT string_agg(column_name::text, ' ' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 't'") == "id v");   // its own columns, and no others
    site.source("TRUNCATE t; INSERT INTO t VALUES (1, 'after')");
    site.catch_up();
    CHECK(site.equal());
    CHECK(site.text("SELECT count(*) FROM t") == "1");
}

TEST_CASE("every type that PostgreSQL tells arrives in PostgreSQL as it was") {
    SinkSite site;
    site.source(every_type_table(", net inet DEFAULT '10.0.0.1', span int4range DEFAULT '[1,5)'"));
    site.source(every_type_rows + " FROM generate_series(1, 100) g");
    site.catch_up(8);   // ClickHouse has no dates before 1900
    site.source(every_type_rows + " FROM generate_series(101, 200) g");
    site.catch_up(8);
    const std::string mark = "SELECT md5(string_agg(x, '|' ORDER BY x)) FROM (SELECT ROW(id, day, b, i2, i4, i8, f4, f8, n, w, free, p, tx, v, rtrim(c), by, u, d, tm, ts, iv, jb, j, m::text, ia, ta, na, ba, rtrim(net::text, '/32'), span::text)::text x FROM t) s";
    CHECK(site.text(mark) == site.ask_source(mark).row(0).text(0));
    CHECK(site.text("SELECT count(*) FROM t") == "200");
}

TEST_CASE("killed at every fault point, nothing is lost, and each change is applied once") {
    SinkSite site;
    for (const std::string point : {"postgres.copy.create.before", "postgres.copy.create.after", "postgres.copy.insert.before", "postgres.copy.insert.after", "postgres.copy.finish.before", "postgres.copy.finish.after",
                                    "postgres.follow.insert.before", "postgres.follow.insert.after", "postgres.follow.insert.after:2", "postgres.follow.truncate.before", "postgres.follow.truncate.after", "postgres.follow.alter.before",
                                    "postgres.follow.alter.after", "sync.flush.after", "sync.confirm.before"}) {
        CAPTURE(point);
        site.begin_anew();
        site.source(simple);
        const bool copying = point.starts_with("postgres.copy");
        if (!copying) site.catch_up();
        if (!copying) {
            // Whoever writes there counts what is done to each row.
            site.sink("CREATE TABLE done (id bigint, what text); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO done VALUES (coalesce(NEW.id, OLD.id), TG_OP); RETURN NULL; END$$;"
                      "CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note()");
        }
        site.source("INSERT INTO t VALUES (5000, 'a'); UPDATE t SET v = 'b' WHERE id = 1; DELETE FROM t WHERE id = 2");
        const bool truncated = point.find("truncate") != std::string::npos || point == "postgres.follow.insert.after:2";   // in the middle of it, and behind what came after it
        if (truncated) site.source("TRUNCATE t; INSERT INTO t VALUES (7, 'after')");
        if (point.find("alter") != std::string::npos) site.source("ALTER TABLE t ADD n int DEFAULT 3; UPDATE t SET n = 4 WHERE id = 3");
        CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", point}}).exit_code == 128 + SIGKILL);
        site.catch_up();
        CHECK(site.equal());
        CHECK(site.text("SELECT count(*) FROM pg_class WHERE relname LIKE 'copy\\_%'") == "0");
        if (!copying) CHECK(site.text("SELECT count(*) FROM done WHERE id = 5000 AND what = 'INSERT'") == "1");
        if (!copying) CHECK(site.text("SELECT count(*) FROM done WHERE id = 1 AND what = 'UPDATE'") == "1");
        if (truncated) CHECK(site.text("SELECT count(*) FROM done WHERE id = 7 AND what = 'INSERT'") == "1");
    }
}

TEST_CASE("columns that come, go, are renamed and grow are followed there") {
    SinkSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(10,2), w int); INSERT INTO t SELECT g, 'v' || g, g, g FROM generate_series(1, 100) g");
    site.catch_up();
    for (const std::string each : {"ALTER TABLE t ADD extra int DEFAULT 7, ADD note text DEFAULT 'it''s'", "INSERT INTO t (id, v, extra) VALUES (1000, 'x', NULL)", "ALTER TABLE t RENAME v TO vv",
                                   "INSERT INTO t (id, vv) VALUES (1002, 'renamed')", "ALTER TABLE t ALTER w TYPE bigint, ALTER n TYPE numeric(20,4)", "UPDATE t SET w = 6000000000, n = 1.2345 WHERE id = 3"}) {
        site.source(each);
    }
    site.source("ALTER TABLE t DROP note");
    site.source("INSERT INTO t (id) VALUES (1003)");
    site.source("ALTER TABLE t ADD note int");   // the same name is another column
    site.source("INSERT INTO t (id, note) VALUES (1004, 42)");
    site.catch_up();
    CHECK(site.equal());
    CHECK(site.state("public.t", "aggregates") == "following");
    CHECK(site.text("SELECT w FROM t WHERE id = 3") == "6000000000");
}

TEST_CASE("a table that is there keeps its types and more of its own; rows that it refuses are dead letters, and can be told again") {
    SinkSite site("\"public.t\"", "into = \"reports.people\"\n");
    site.source("CREATE TABLE t (id int PRIMARY KEY, name text, born date); INSERT INTO t VALUES (1, 'Ann', '1990-01-01'), (2, 'Bartholomew', '1991-01-01')");
    site.sink("CREATE SCHEMA reports; CREATE TABLE reports.people (id bigint PRIMARY KEY, name varchar(5), born date CHECK (born > '1900-01-01'), seen timestamptz DEFAULT now())");
    site.catch_up(8);
    CHECK(site.text("SELECT string_agg(name, ',' ORDER BY id) FROM reports.people") == "Ann");
    site.source("INSERT INTO t VALUES (3, 'Eve', '1800-01-01'), (4, 'Zoe', '1995-01-01')");
    site.catch_up(8);
    CHECK(site.text("SELECT string_agg(name, ',' ORDER BY id) FROM reports.people WHERE seen IS NOT NULL") == "Ann,Zoe");
    site.source("UPDATE t SET name = 'Bob' WHERE id = 2");
    site.source("ALTER TABLE t ADD x int");
    site.source("UPDATE t SET name = 'Bart' WHERE id = 2; UPDATE t SET born = '1980-01-01' WHERE id = 3");
    site.source("ALTER TABLE t DROP x");
    // Told out of order: what the stream still has is older, and must not win.
    const CommandResult retried = site.ysdb({"sync", "retry"});
    CAPTURE(retried.out);
    CAPTURE(retried.err);
    CHECK(retried.exit_code == 0);
    CHECK(site.text("SELECT string_agg(name, ',' ORDER BY id) FROM reports.people") == "Ann,Bart,Eve,Zoe");
    CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", "postgres.follow.alter.before"}}).exit_code == 128 + SIGKILL);   // half way through it
    CHECK(site.text("SELECT string_agg(name, ',' ORDER BY id) FROM reports.people") == "Ann,Bart,Eve,Zoe");
    site.source("DELETE FROM t WHERE id = 2");
    site.catch_up();
    CHECK(site.text("SELECT string_agg(name, ',' ORDER BY id) FROM reports.people") == "Ann,Eve,Zoe");
    CHECK(site.text("SELECT count(*) FROM ysdb.sync_ahead") == "0");
}

TEST_CASE("a table that others filled, that cannot hold the values, or whose rows the key does not tell apart is refused with the way out") {
    SinkSite site;
    for (const auto& [made, says] : std::vector<std::pair<std::string, std::string>>{{"CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'somebody''s')", "holds rows that sync"},
                                                                                     {"CREATE TABLE t (id bigint, v text)", "not unique by (id)"},
                                                                                     {"CREATE TABLE t (id bigint PRIMARY KEY, v bytea)", "cannot hold every text"},
                                                                                     {"CREATE TABLE t (id bigint PRIMARY KEY)", "has no column v"}}) {
        CAPTURE(made);
        site.begin_anew();
        site.source(simple);
        site.sink(made);
        const CommandResult result = site.ysdb({"sync", "run", "--until-caught-up"});
        CAPTURE(result.out);
        CAPTURE(result.err);
        CHECK(result.exit_code == 8);   // the set's other tables are followed
        CHECK((result.out + result.err).find(says) != std::string::npos);
        if (says.starts_with("holds")) CHECK(site.text("SELECT v FROM t") == "somebody's");
    }
}

TEST_CASE("a new copy removes what the source no longer has, and writes only rows that differ; readers see all of it at once") {
    SinkSite site;
    site.source(simple);
    site.catch_up();
    site.sink("DELETE FROM t WHERE id = 5; INSERT INTO t VALUES (-1, 'not the source''s'); UPDATE t SET v = 'spoiled' WHERE id = 6");
    site.sink("CREATE TABLE done (id bigint); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO done VALUES (coalesce(NEW.id, OLD.id)); RETURN NULL; END$$;"
              "CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note()");
    // Whoever reads has the time to see what is between a removal and a row that comes.
    site.sink("CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.id = 5 THEN PERFORM pg_sleep(0.5); END IF; RETURN NEW; END$$; CREATE TRIGGER linger BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION linger()");
    CHECK(site.ysdb({"validate"}).exit_code == 1);
    CHECK(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
    site.source("UPDATE t SET v = 'meanwhile' WHERE id = 10");
    std::atomic<int> looks{0}, torn{0};
    std::jthread reader([&](const std::stop_token& stop) {
        const auto session = open_store(site.database_->config())->sql()->open_session("reader", SyncSite::soon());
        while (!stop.stop_requested()) {
            torn += session->query("SELECT (SELECT count(*) FROM t WHERE id = 5) + (SELECT count(*) FROM t WHERE id = -1)", SyncSite::soon()).row(0).integer(0) == 1 ? 0 : 1;
            ++looks;
        }
    });
    REQUIRE(wait_until([&] { return looks > 0; }));
    site.catch_up();
    reader.request_stop();
    reader.join();
    CHECK(torn == 0);
    CHECK(site.equal());
    CHECK(site.text("SELECT string_agg(DISTINCT id::text, ',' ORDER BY id::text) FROM done") == "-1,10,5,6");
}

TEST_CASE("changes go on while a copy is made, and the newer of the two stays, whichever comes first") {
    SinkSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text, filler text); INSERT INTO t SELECT g, 'v', repeat('x', 200) FROM generate_series(1, 60000) g; ANALYZE t");
    Running running(site, {"sync", "run", "--workers", "1", "--range-rows", "1000"});
    const auto copying = [&] {
        const auto known = site.ask_source("SELECT to_regclass('ysdb.sync_tables') IS NOT NULL");
        return known.row(0).truth(0) && site.ask_source("SELECT count(*) FROM ysdb.sync_tables WHERE sink = 'aggregates' AND state = 'copying'").row(0).integer(0) == 1;
    };
    REQUIRE_MESSAGE(wait_until(copying), running.log());
    int meanwhile = 0;   // changes that were committed while it was copied
    for (int i = 0; i < 40; ++i) {
        site.source("UPDATE t SET v = 'w" + std::to_string(i) + "' WHERE id % 97 = " + std::to_string(i) + "; DELETE FROM t WHERE id = " + std::to_string(i * 1000 + 1) + "; INSERT INTO t VALUES (" + std::to_string(100000 + i) + ", 'n', '')");
        if (copying()) ++meanwhile;
    }
    CHECK(meanwhile > 0);
    CHECK(wait_until([&] { return site.state("public.t", "aggregates") == "following" && site.state("public.t") == "following"; }, Millis(60'000)));
    site.source("UPDATE t SET v = 'last' WHERE id = 50");
    CHECK(wait_until([&] { return site.text("SELECT v FROM t WHERE id = 50") == "last"; }));
    running.signal(SIGTERM);
    CHECK(running.wait() == 143);
    site.catch_up();
    CHECK(site.equal());
}

TEST_CASE("a table that could not follow its source keeps what readers know until its new copy is whole, then has the new columns, types and key") {
    SinkSite site("\"public.t\", \"public.other\"");
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text, w date DEFAULT '2026-01-01'); INSERT INTO t SELECT g, 'v' || g, date '2026-01-01' + g FROM generate_series(1, 100) g; CREATE TABLE other (id int PRIMARY KEY)");
    site.catch_up();
    site.sink("ALTER TABLE t ADD seen timestamptz DEFAULT now(); ALTER TABLE t ALTER w SET DEFAULT '2026-01-09'; CREATE VIEW known AS SELECT id, v FROM t");
    const std::string columns = "SELECT string_agg(column_name::text, ' ' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 't'";
    const auto healed = [&](const std::string& change, const std::string& change_after) {
        CAPTURE(change);
        const std::string before = site.text(columns);
        site.source(change);
        site.catch_up(8);
        CHECK(site.state("public.t", "aggregates") == "halted");
        site.source("UPDATE t SET v = 'while halted' WHERE id = 3; INSERT INTO other SELECT count(*) + 1 FROM other");
        REQUIRE(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
        CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", "postgres.copy.finish.before"}}).exit_code == 128 + SIGKILL);
        CHECK(site.text(columns) == before);
        CHECK(site.text("SELECT count(*) FROM known") == "100");
        site.catch_up();
        site.source(change_after);
        site.catch_up();
        CHECK(site.state("public.t", "aggregates") == "following");
        CHECK(site.text("SELECT v FROM known WHERE id = 3") == "while halted");
    };
    healed("ALTER TABLE t ADD r float8 DEFAULT random()", "UPDATE t SET r = 0.5 WHERE id = 1; DELETE FROM t WHERE id = 100; INSERT INTO t VALUES (101, 'x', '2026-01-06', 0.25)");
    CHECK(site.equal());
    CHECK(site.text(columns) == "id v w seen r");
    healed("ALTER TABLE t ALTER w DROP DEFAULT; ALTER TABLE t ALTER w TYPE timestamp USING w + interval '1 hour'", "UPDATE t SET w = NULL WHERE id = 1");
    CHECK(site.equal());
    CHECK(site.text("SELECT count(*) FROM t WHERE w = '2026-01-06 01:00:00'") == "2");
}

TEST_CASE("a column whose type changed in the source gets it with the new copy; one that somebody chose for what the source still tells keeps it") {
    SinkSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, code int, born int, total int, note text, doc text); INSERT INTO t SELECT g, g, g, g, g, '{\"g\": ' || g || '}' FROM generate_series(1, 100) g");
    site.sink("CREATE TABLE t (id bigint PRIMARY KEY, code int, born int, total bigint, note varchar(5), doc jsonb)");
    site.catch_up();
    CHECK(site.equal());
    site.source("ALTER TABLE t ALTER code TYPE text USING 'n' || code, ALTER born TYPE bigint USING born * 10000000000, ALTER total TYPE bigint USING total * 10000000000, ALTER note TYPE varchar(9) USING upper(note)");
    site.catch_up(8);
    CHECK(site.state("public.t", "aggregates") == "halted");
    site.source("INSERT INTO t VALUES (101, 'while halted', 70000000000, 70000000000, 'n', '{}')");
    REQUIRE(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
    // Killed with the copy as good as done: the next begins anew, and knows as much.
    CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", "postgres.copy.finish.before"}}).exit_code == 128 + SIGKILL);
    site.catch_up();
    site.source("UPDATE t SET code = 'x' WHERE id = 1");
    site.catch_up();
    CHECK(site.text("SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0") ==
          "bigint, text, bigint, bigint, character varying(5), jsonb");
    CHECK(site.ask_source("SELECT count(*) FROM ysdb.dead_letters").row(0).integer(0) == 0);
    CHECK(site.text("SELECT code || born FROM t WHERE id = 101") == "while halted70000000000");
    CHECK(site.equal());
}

TEST_CASE("a table whose source has another primary key can be copied anew, and is unique by that one") {
    SinkSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, w int NOT NULL); INSERT INTO t SELECT g, g FROM generate_series(1, 100) g");
    site.catch_up();
    site.source("ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, w); INSERT INTO t VALUES (1, 2)");
    site.catch_up(8);
    CHECK(site.state("public.t", "aggregates") == "halted");
    REQUIRE(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
    site.ysdb({"sync", "run", "--until-caught-up"});
    site.source("UPDATE t SET w = 3 WHERE w = 2 AND id = 1; INSERT INTO t VALUES (1, 5)");
    site.ysdb({"sync", "run", "--until-caught-up"});
    CHECK(site.state("public.t", "aggregates") == "following");
    CHECK(site.text("SELECT string_agg(w::text, ',' ORDER BY w) FROM t WHERE id = 1") == "1,3,5");
    CHECK(site.text("SELECT count(*) FROM t") == "102");
}

TEST_CASE("rows that were told ahead of a truncation are not lost with it: the changes behind it bring them back") {
    SinkSite site("\"public.t\"", "into = \"people\"\n");
    site.source("CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'Ann')");
    site.sink("CREATE TABLE people (id int PRIMARY KEY, name varchar(5))");
    site.catch_up();
    site.source("INSERT INTO t VALUES (5, 'Bartholomew'), (6, 'Ferdinand')");
    site.catch_up(8);
    site.source("TRUNCATE t; INSERT INTO t VALUES (5, 'Bart'), (6, 'Ferdi'), (7, 'Zoe')");
    CHECK(site.ysdb({"sync", "retry"}).exit_code == 0);
    CHECK(site.text("SELECT string_agg(name, ',' ORDER BY id) FROM people") == "Ann,Bart,Ferdi");
    CHECK(site.text("SELECT count(*) FROM ysdb.sync_ahead") == "2");
    site.catch_up();
    CHECK(site.text("SELECT string_agg(name, ',' ORDER BY id) FROM people") == "Bart,Ferdi,Zoe");
    CHECK(site.text("SELECT count(*) FROM ysdb.sync_ahead") == "0");
}
