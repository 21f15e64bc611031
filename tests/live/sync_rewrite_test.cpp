// needs: main analytics
// takes: 50
// What changes rows without telling them: a table that is written anew. Noticed by event triggers, for both ways to capture changes; `validate` is
// the judge.
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

struct Case {
    const char* what;
    const char* statement;   // # is the table's number
    const char* reason;      // of the halt; null: the table goes on
};

constexpr Case cases[] = {
    {"USING to the same type", "ALTER TABLE t# ALTER v TYPE text USING upper(v)", "USING"},
    {"USING to a wider type", "ALTER TABLE t# ALTER w TYPE bigint USING w * 10", "USING"},
    {"USING in a function, whose text the server does not show", "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN ALTER TABLE t# ALTER w TYPE int USING -w; END'", "USING"},
    {"a default that each row has its own value of", "ALTER TABLE t# ADD r float8 DEFAULT random()", "column r was added"},
    {"numbers from a sequence", "ALTER TABLE t# ADD n serial", "column n was added"},
    {"a constant default beside something that writes every row anew", "ALTER TABLE t# ADD five int DEFAULT 5, ADD twice int GENERATED ALWAYS AS (w * 2) STORED", "column five was added"},
    {"an enum's value gets another name", "ALTER TYPE mood# RENAME VALUE 'happy' TO 'merry'", "enum"},
    {"a wider type without USING", "ALTER TABLE t# ALTER w TYPE bigint", nullptr},
    {"a constant default, then something that writes every row anew", "ALTER TABLE t# ADD five int DEFAULT 5; ALTER TABLE t# ADD twice int GENERATED ALWAYS AS (w * 2) STORED", nullptr},
    {"the same, rolled back", "BEGIN; ALTER TABLE t# ALTER v TYPE text USING upper(v); ROLLBACK", nullptr},
    {"an enum's value is added", "ALTER TYPE mood# ADD VALUE 'calm'", nullptr},
    {"a type is given another owner", "ALTER TYPE mood# OWNER TO CURRENT_USER", nullptr},
    {"other storage, the same rows", "CLUSTER t# USING t#_pkey", nullptr},   // last: partitioned tables have none before 16
};

std::string numbered(std::string text, std::size_t number) {
    for (auto at = text.find('#'); at != std::string::npos; at = text.find('#', at)) text.replace(at, 1, std::to_string(number));
    return text;
}

void write_anew(SyncSite& site, const std::string& capture, bool partitioned) {
    CAPTURE(capture);
    CAPTURE(partitioned);
    const std::size_t count = std::size(cases) - (partitioned ? 1 : 0);
    std::string tables;
    for (std::size_t i = 0; i < count; ++i) tables += (tables.empty() ? "\"public.t" : ", \"public.t") + std::to_string(i) + "\"";
    site.begin_anew(capture);
    site.set_tables(tables);
    for (std::size_t i = 0; i < count; ++i) {
        site.source(numbered("CREATE TYPE mood# AS ENUM ('sad', 'happy'); CREATE DOMAIN moods# AS mood#[];"
                             "CREATE TABLE t# (id int PRIMARY KEY, v text, w int, m mood# DEFAULT 'sad', ms moods# NOT NULL DEFAULT '{happy}')" +
                                 std::string(partitioned ? " PARTITION BY RANGE (id); CREATE TABLE t#_1 PARTITION OF t# FOR VALUES FROM (1) TO (50); CREATE TABLE t#_2 PARTITION OF t# DEFAULT" : "") +
                                 "; INSERT INTO t# (id, v, w) SELECT g, 'v' || g, g FROM generate_series(1, 100) g", i));
    }
    site.catch_up();
    // Compiling what the trigger asks the catalog takes half a second, in which the table is locked.
    CHECK(site.ask_source("SELECT bool_and('jit=off' = ANY (proconfig)) FROM pg_proc WHERE proname = 'tell_tables'").row(0).truth(0));
    for (std::size_t i = 0; i < count; ++i) {
        site.source(numbered(cases[i].statement, i));
        if (cases[i].statement[0] == 'C' && cases[i].reason != nullptr) site.source("SELECT f()");
        if (cases[i].reason == nullptr) site.source(numbered("VACUUM FULL t#", i));
    }
    const auto report = site.catch_up(8);   // at once: no row has to change first
    for (std::size_t i = 0; i < count; ++i) {
        CAPTURE(cases[i].what);
        const std::string name = numbered("public.t#", i);
        std::string reason, state;
        for (const auto& row : report["tables"]) {
            if (row["table"] == name) {
                reason = row["reason"];
                state = row["state"];
            }
        }
        CHECK(state == (cases[i].reason == nullptr ? "following" : "halted"));
        if (cases[i].reason != nullptr) {
            CHECK_MESSAGE(reason.find(cases[i].reason) != std::string::npos, reason);
            REQUIRE(site.ysdb({"sync", "reset", name}).exit_code == 0);
        }
    }
    for (std::size_t i = 0; i < count; ++i) site.source(numbered("INSERT INTO t# (id, v, w) VALUES (1000, 'x', 7); UPDATE t# SET v = 'y' WHERE id = 5", i));
    site.catch_up();
    CHECK(site.equal());
}

}  // namespace

// Its messages carry the number of the transaction, not of the part that was rolled back.
TEST_CASE("what was rolled back to a savepoint halts nothing and changes no columns, also in a transaction that is told before its commit") {
    SyncSite site("\"public.t\", \"public.p\", \"public.big\"");
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 100) g; CREATE TABLE big (id serial PRIMARY KEY, v text);"
                "CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000); INSERT INTO p SELECT g, 'v' || g FROM generate_series(1, 100) g");
    site.source("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET logical_decoding_work_mem = ''64kB''', current_database()); END $$");
    site.catch_up();
    Running running(site, {"sync", "run"});
    REQUIRE(site.is_read());
    const std::string much = "INSERT INTO big (v) SELECT repeat('x', 100) FROM generate_series(1, 5000)";
    const auto streamed = [&] { return site.ask_source("SELECT stream_count FROM pg_stat_replication_slots WHERE slot_name = '" + site.slot() + "'").row(0).integer(0); };
    const auto session = site.source_session();
    int number = 500;
    for (const char* statement : {"ALTER TABLE t ALTER v TYPE text USING upper(v)", "ALTER TABLE t ADD c int DEFAULT 5", "TRUNCATE p1", "SAVEPOINT inner_one; ALTER TABLE t ADD c int DEFAULT 5; RELEASE inner_one"}) {
        CAPTURE(std::string(statement));
        const auto before = streamed();
        ++number;
        session->query("BEGIN; " + much + "; SAVEPOINT s; " + statement + "; " + much, SyncSite::soon());
        CHECK(wait_until([&] { return streamed() > before + 5; }));   // the messages are out
        session->query("ROLLBACK TO s; " + much + "; INSERT INTO t VALUES (" + std::to_string(number) + ", 'w'); INSERT INTO p VALUES (" + std::to_string(number) + ", 'w'); COMMIT", SyncSite::soon());
    }
    // And what was not rolled back is told.
    session->query("BEGIN; " + much + "; SAVEPOINT s; ALTER TABLE t ADD kept int DEFAULT 7; " + much + "; RELEASE s; INSERT INTO t VALUES (2000, 'w', 8); COMMIT", SyncSite::soon());
    CHECK(site.arrives("t_current WHERE id = 2000 AND kept = 8", 1, Millis(30'000)));
    running.signal(SIGTERM);
    running.wait();
    site.catch_up();
    for (const std::string table : {"t", "p", "big"}) CHECK(site.state("public." + table) == "following");
    CHECK(site.target("SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 't' AND name LIKE '%c'").row(0).integer(0) == 0);
    CHECK(site.equal());
}

TEST_CASE("event triggers that an earlier version made are made anew") {
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        SyncSite site("\"public.t\"", "", capture);
        site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 10) g");
        site.catch_up();
        CHECK(site.json({"sync", "run", "--dry-run"})["install"].empty());
        site.source("CREATE OR REPLACE FUNCTION " + std::string(capture == "wal" ? "ysdb" : "cdc") + ".tell_tables() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'");
        site.catch_up();
        site.source("ALTER TABLE t ALTER v TYPE text USING upper(v)");
        site.catch_up(8);
        CHECK(site.state("public.t") == "halted");
    }
}

TEST_CASE("rows that are written anew without being told halt the table at once, with the reason; what leaves them as they are does not") {
    SyncSite site;
    for (const std::string capture : {"wal", "trigger"}) {
        for (const bool partitioned : {false, true}) write_anew(site, capture, partitioned);
    }
}
