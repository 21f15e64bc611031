// needs: main analytics
// takes: 60
// A table that is another one than before under the same name, and partitions that come with rows: what no change tells. `validate` is the judge.
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// The next run halts the table for that reason, and a new copy heals it.
void halts_and_heals(SyncSite& site, const std::string& reason) {
    const auto table = site.catch_up(8)["tables"][0];
    CHECK(table["state"] == "halted");
    CHECK_MESSAGE(table["reason"].get<std::string>().find(reason) != std::string::npos, table.dump());
    REQUIRE(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
    site.catch_up();
    site.source("UPDATE t SET v = 'later'");
    site.catch_up();
    CHECK(site.state("public.t") == "following");
    CHECK(site.equal());
}

constexpr const char* simple = "CREATE TABLE t (id bigint PRIMARY KEY, v text, n int); ALTER TABLE t ALTER v SET STORAGE EXTERNAL; INSERT INTO t SELECT g, repeat('v' || g, 2000), g FROM generate_series(1, 100) g";
constexpr const char* made_anew = "DROP TABLE t; CREATE TABLE t (id bigint PRIMARY KEY, v text, n int); INSERT INTO t VALUES (5, 'another', 5), (7000, 'new', 7)";
constexpr const char* swapped = "CREATE TABLE t_new (id bigint PRIMARY KEY, v text, n int); INSERT INTO t_new VALUES (6, 'swapped', 6), (8000, 'new', 8);"
                                "BEGIN; ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t; COMMIT; INSERT INTO t VALUES (8001, 'newer', 9)";

}  // namespace

TEST_CASE("a table that was dropped and made anew, or swapped for another, halts: the rows it has now were not told") {
    SyncSite site;
    for (const std::string capture : {"wal", "trigger"}) {
        for (const std::string change : {made_anew, swapped}) {
            CAPTURE(capture);
            CAPTURE(change);
            site.begin_anew(capture);
            site.source(simple);
            site.catch_up();
            site.source("UPDATE t SET n = n + 1 WHERE id <= 10");   // values stored apart, which are looked up where the table is by then
            site.source(change);
            halts_and_heals(site, capture == "wal" ? "another table" : "changes are missing");
        }
    }
}

TEST_CASE("by triggers a table that was swapped away, and a partition that left, tell nothing more: at once where there are event triggers, else from the next install on") {
    for (const bool event_triggers : {true, false}) {
        CAPTURE(event_triggers);
        SyncSite site("\"public.t\", \"public.zoned\"", "", "trigger");
        site.source(simple);
        site.source("CREATE TABLE zoned (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF zoned FOR VALUES FROM (0) TO (100)");
        site.catch_up();
        if (!event_triggers) site.source("DROP EVENT TRIGGER ysdb_log_tables");
        const auto left = [&] { return site.ask_source("SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('t_old'::regclass, 'p1'::regclass) AND NOT tgisinternal").row(0).integer(0); };
        site.source("ALTER TABLE t RENAME TO t_old");
        CHECK(site.ask_source("SELECT count(*) FROM pg_trigger WHERE tgrelid = 't_old'::regclass AND NOT tgisinternal").row(0).integer(0) == 3);   // it may get its name back
        site.source("ALTER TABLE t_old RENAME TO t");
        site.source(swapped);
        site.source("ALTER TABLE zoned DETACH PARTITION p1");
        CHECK(left() == (event_triggers ? 0 : 4));
        const CommandResult installed = site.ysdb({"sync", "install"});
        CAPTURE(installed.err);
        REQUIRE(installed.exit_code == 0);
        CHECK(left() == 0);
        CHECK(site.ask_source("SELECT count(*) FROM pg_proc WHERE proname LIKE 'tell\\_%' AND proname <> 'tell_tables' AND pronamespace = 'cdc'::regnamespace").row(0).integer(0) == 2);
        site.source("UPDATE t_old SET n = 0; TRUNCATE p1");
        CHECK(site.ask_source("SELECT count(*) FROM cdc.change_log WHERE operation IN ('UPDATE', 'PARTITION', 'TRUNCATE')").row(0).integer(0) == 0);
        halts_and_heals(site, "changes are missing");
        CHECK(site.state("public.zoned") == "following");
    }
}

TEST_CASE("a running set notices within seconds that a table was dropped and made anew, or swapped for another") {
    SyncSite site("\"public.t\", \"public.other\"");
    for (const auto& [capture, change] : std::vector<std::pair<std::string, std::string>>{{"wal", made_anew}, {"wal", swapped}, {"trigger", made_anew}, {"trigger", swapped}}) {
        CAPTURE(capture);
        CAPTURE(change);
        site.begin_anew(capture);
        site.source(simple);
        site.source("CREATE TABLE other (id int PRIMARY KEY)");
        site.catch_up();
        Running running(site, {"sync", "run"});
        site.source("INSERT INTO other VALUES (1)");
        REQUIRE(wait_until([&] { return site.target_count("other_current") == 1; }));
        site.source(change);
        CHECK(wait_until([&] { return site.state("public.t") == "halted"; }));
        site.source("INSERT INTO other VALUES (2)");
        CHECK(wait_until([&] { return site.target_count("other_current") == 2; }));
        running.signal(SIGTERM);
        CHECK(running.wait() == 143);
        CHECK(site.state("public.other") == "following");
        REQUIRE(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
        site.catch_up();
        CHECK(site.equal());
    }
}

TEST_CASE("a partition that comes with rows halts the table, one without does not, and one that left and was written to comes with rows") {
    SyncSite site;
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        const auto said = [&](const std::string& partition) { return capture == "wal" ? partition + " was attached with rows" : "attached with rows in it, which no change tells: public." + partition; };
        site.begin_anew(capture);
        site.source("CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)");   // no partition is there when the set is installed
        site.catch_up();
        site.source("CREATE TABLE p1 PARTITION OF t FOR VALUES FROM (0) TO (100); INSERT INTO t VALUES (1, 'a')");
        site.source("CREATE TABLE p2 (LIKE t INCLUDING ALL); ALTER TABLE t ATTACH PARTITION p2 FOR VALUES FROM (100) TO (200); INSERT INTO t VALUES (101, 'b')");
        site.source("BEGIN; CREATE TABLE p3 PARTITION OF t FOR VALUES FROM (200) TO (300); INSERT INTO t VALUES (201, 'c'); ALTER TABLE t ADD w int; COMMIT; INSERT INTO t VALUES (202, 'd', 5)");
        site.catch_up();
        CHECK(site.state("public.t") == "following");
        CHECK(site.equal());
        site.source("CREATE TABLE p4 (LIKE t INCLUDING ALL); INSERT INTO p4 VALUES (301, 'silent'); ALTER TABLE t ATTACH PARTITION p4 FOR VALUES FROM (300) TO (400)");
        halts_and_heals(site, said("p4"));
        const auto written_while_away = [&](const std::string& partition, const std::string& how, const std::string& row, const std::string& range, const std::string& holds_it) {
            site.source("ALTER TABLE t DETACH PARTITION " + partition + how);
            site.source("INSERT INTO " + partition + " VALUES (" + row + ")");
            site.source("ALTER TABLE t ATTACH PARTITION " + partition + " FOR VALUES " + range);
            halts_and_heals(site, said(holds_it));
        };
        written_while_away("p4", "", "302, 'while it was away'", "FROM (300) TO (400)", "p4");
        written_while_away("p4", " CONCURRENTLY", "303, 'and again'", "FROM (300) TO (400)", "p4");
        site.source("CREATE TABLE deep (LIKE t INCLUDING ALL) PARTITION BY RANGE (id); CREATE TABLE leaf PARTITION OF deep DEFAULT; INSERT INTO deep VALUES (401, 'deep')");
        site.source("ALTER TABLE t ATTACH PARTITION deep FOR VALUES FROM (400) TO (500)");
        halts_and_heals(site, said("leaf"));
        written_while_away("deep", "", "402, 'deeper'", "FROM (400) TO (500)", "leaf");
        site.source("TRUNCATE leaf");
        halts_and_heals(site, "truncated by itself");
    }
}
