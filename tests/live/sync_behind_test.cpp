// needs: main analytics
// What the stream tells of a table that the catalog knows otherwise by then: other names, another key, columns that are gone.
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// Large values, stored apart: an update of another column does not send them.
constexpr const char* large = "CREATE TABLE t (id int PRIMARY KEY, n int, v text, must text NOT NULL, a int[]); ALTER TABLE t ALTER v SET STORAGE EXTERNAL, ALTER must SET STORAGE EXTERNAL, ALTER a SET STORAGE EXTERNAL;"
                              "INSERT INTO t SELECT g, 0, repeat('v' || g, 3000), repeat('m' || g, 3000), array_agg(h) FROM generate_series(1, 10) g, generate_series(1, 3000) h GROUP BY g";

}  // namespace

TEST_CASE("a value that an update did not send is found under the name that its column has by then") {
    SyncSite site;
    site.source(large);
    site.catch_up();
    site.source("UPDATE t SET n = 1 WHERE id <= 5");
    site.source("ALTER TABLE t RENAME v TO vv");
    site.source("ALTER TABLE t RENAME must TO v");   // the old name is another column
    site.source("UPDATE t SET n = 2 WHERE id = 7");
    site.catch_up();
    CHECK(site.state("public.t") == "following");
    CHECK(site.equal());
    CHECK(site.target("SELECT sum(n) FROM t FINAL").row(0).integer(0) == 7);
}

TEST_CASE("a value that an update did not send, of a column that is gone by then, is not missed") {
    SyncSite site;
    site.source(large);
    site.catch_up();
    site.source("UPDATE t SET n = 1 WHERE id <= 5");
    site.source("ALTER TABLE t DROP v, DROP must");
    site.catch_up();
    CHECK(site.state("public.t") == "following");
    CHECK(site.equal());
    CHECK(site.target("SELECT sum(n) FROM t FINAL").row(0).integer(0) == 5);
}

TEST_CASE("a row whose unsent value cannot be read any more is a dead letter, not a row that was never told") {
    SyncSite site;
    site.source(large);
    site.catch_up();
    site.source("UPDATE t SET n = 1 WHERE id = 5");
    site.source("ALTER TABLE t ALTER a TYPE text[] USING ARRAY['x' || id]");
    site.catch_up(8);
    const CommandResult letters = site.ysdb({"sync", "status", "--dead-letters", "--output", "json"});
    CHECK_MESSAGE(letters.out.find("\"column\": \"a\"") != std::string::npos, letters.out);
}

TEST_CASE("a key's column that has another name by the time its changes are read is the key all the same") {
    TestDatabase aggregates;
    SyncSite site("\"public.t\", \"public.pair\"", "[[sync.to]]\nstore = \"aggregates\"\n[stores.aggregates]\nurl = \"" + aggregates.config().url + "\"\n");
    const auto sink = [&](const std::string& sql) { return open_store(aggregates.config())->sql()->query(sql, SyncSite::soon()).row(0).text_or(0, "NULL"); };
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 100) g; CREATE TABLE pair (v text, b int, a int, PRIMARY KEY (a, b)); INSERT INTO pair VALUES ('x', 1, 2)");
    site.catch_up();
    site.source("UPDATE t SET v = 'before' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO pair VALUES ('y', 3, 4)");
    site.source("ALTER TABLE t RENAME id TO ident; ALTER TABLE pair RENAME a TO aa; ALTER TABLE pair RENAME b TO a");
    site.source("UPDATE t SET v = 'after' WHERE ident = 3; DELETE FROM t WHERE ident = 4; UPDATE pair SET v = 'z' WHERE aa = 2");
    site.ysdb({"sync", "run", "--until-caught-up"});   // ClickHouse cannot rename a column that it sorts by
    for (const std::string table : {"public.t", "public.pair"}) CHECK(site.state(table, "aggregates") == "following");
    CHECK(sink("SELECT string_agg(v, ',' ORDER BY ident) FROM t WHERE ident <= 5") == "before,after,v5");
    CHECK(sink("SELECT count(*) FROM t") == "98");
    CHECK(sink("SELECT string_agg(concat_ws(' ', aa, a, v), ',' ORDER BY aa) FROM pair") == "2 1 z,4 3 y");
}

TEST_CASE("a column that was added and renamed before anybody read it, while no event trigger told so, halts its table: its default is not lost without a word") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT g FROM generate_series(1, 100) g");
    site.catch_up();
    site.source("DROP EVENT TRIGGER ysdb_tell_tables; ALTER TABLE t ADD plain int DEFAULT 5; INSERT INTO t (id) VALUES (1000)");
    site.catch_up();   // this one the catalog still has
    CHECK(site.equal());
    site.source("DROP EVENT TRIGGER ysdb_tell_tables; ALTER TABLE t ADD c int DEFAULT 7; INSERT INTO t (id) VALUES (1001)");
    site.source("ALTER TABLE t RENAME c TO d");
    const auto report = site.catch_up(8);
    CHECK_MESSAGE(report["tables"][0]["reason"].get<std::string>().find("column c was added, and has another name by now") == 0, report.dump());
    REQUIRE(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
    site.catch_up();
    CHECK(site.equal());
}
