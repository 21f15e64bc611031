#include <doctest/doctest.h>

#include "core/migrate/classify.h"

using namespace ysdb;
using namespace ysdb::migrate;

namespace {
StatementFacts postgres(const std::string& sql) { return classify(sql, Dialect::postgres); }
StatementFacts clickhouse(const std::string& sql) { return classify(sql, Dialect::clickhouse); }
}  // namespace

TEST_CASE("a plan names what each statement does and the locks it takes, without its values") {
    CHECK(postgres("CREATE TABLE IF NOT EXISTS a.\"B\" (x text DEFAULT 'secret')").what == "CREATE TABLE a.\"B\"");
    CHECK(postgres("create unique index on only t (x)").what == "CREATE UNIQUE INDEX ON t");
    CHECK(postgres("CREATE INDEX i ON s.t (x)").locks == "SHARE on s.t: blocks writes");
    CHECK(postgres("ALTER TABLE ONLY t ADD COLUMN x int").locks == "ACCESS EXCLUSIVE on t: blocks reads and writes");
    CHECK(postgres("ALTER TABLE t VALIDATE CONSTRAINT c").locks == "SHARE UPDATE EXCLUSIVE on t: blocks neither reads nor writes");
    CHECK(postgres("DROP TABLE IF EXISTS t").what == "DROP TABLE t");
    CHECK(postgres("VACUUM FULL t").locks == "ACCESS EXCLUSIVE on t: blocks reads and writes");
    CHECK(postgres("VACUUM (ANALYZE) t").locks == "SHARE UPDATE EXCLUSIVE on t: blocks neither reads nor writes");
    CHECK(postgres("INSERT INTO t VALUES ('secret')").what == "INSERT t");
    CHECK(postgres("COMMENT ON TABLE t IS 'secret'").what == "COMMENT ON TABLE t");
    CHECK(clickhouse("ALTER TABLE t UPDATE a = 1 WHERE b").locks == "a mutation of t: rewrites its parts in the background");
    CHECK(clickhouse("CREATE MATERIALIZED VIEW IF NOT EXISTS d.v TO t AS SELECT 1").what == "CREATE MATERIALIZED VIEW d.v");
}

TEST_CASE("statements that no transaction can hold are known") {
    for (const char* sql : {"CREATE INDEX CONCURRENTLY i ON t (x)", "DROP INDEX CONCURRENTLY i", "REINDEX TABLE CONCURRENTLY t", "VACUUM", "CREATE DATABASE d", "ALTER SYSTEM SET a = 1",
                            "ALTER TABLE t DETACH PARTITION p CONCURRENTLY"}) {
        CAPTURE(sql);
        CHECK(postgres(sql).outside_transaction);
    }
    for (const char* sql : {"CREATE INDEX i ON t (x)", "REINDEX TABLE t", "ALTER TABLE t DETACH PARTITION p", "CREATE TABLE vacuum_log (x int)", "ALTER TYPE t ADD VALUE 'x'"}) {
        CAPTURE(sql);
        CHECK_FALSE(postgres(sql).outside_transaction);
    }
    CHECK(postgres("BEGIN").controls_transaction);
    CHECK(postgres("ROLLBACK").controls_transaction);
    CHECK_FALSE(postgres("ROLLBACK TO SAVEPOINT a").controls_transaction);
}

TEST_CASE("a statement has a probe only where the catalog proves that it took effect") {
    CHECK(postgres("CREATE INDEX CONCURRENTLY i ON t (x)").probe);
    CHECK_FALSE(postgres("CREATE INDEX CONCURRENTLY ON t (x)").probe);
    CHECK(postgres("DROP INDEX CONCURRENTLY i").probe);
    CHECK(clickhouse("CREATE TABLE t (x Int32) ENGINE = Memory").probe);
    CHECK(clickhouse("ALTER TABLE t ADD COLUMN a Int32 DEFAULT f(1, 2), ADD COLUMN b String AFTER a").probe->look.params.at(2) == "a/b");
    CHECK(clickhouse("RENAME TABLE a TO b").probe);
    for (const char* sql : {"CREATE TABLE t ENGINE = Memory AS SELECT 1", "CREATE MATERIALIZED VIEW v ENGINE = Memory POPULATE AS SELECT 1", "INSERT INTO t SELECT 1",
                            "ALTER TABLE t ADD COLUMN a Int32, DROP COLUMN b", "RENAME TABLE a TO b, c TO d"}) {
        CAPTURE(sql);
        CHECK_FALSE(clickhouse(sql).probe);
        CHECK_FALSE(clickhouse(sql).repeatable);
        CHECK(clickhouse(sql).may_leave_part);
    }
    CHECK(clickhouse("CREATE TABLE IF NOT EXISTS t (x Int32) ENGINE = Memory").repeatable);
    CHECK(clickhouse("ALTER TABLE t MODIFY TTL d + INTERVAL 1 DAY").repeatable);
}

TEST_CASE("a statement ON CLUSTER is known wherever its words stand, and looked for on every host") {
    for (const char* sql : {"CREATE TABLE t ON CLUSTER c (x Int32) ENGINE = Memory", "DROP TABLE t ON CLUSTER c SYNC", "ALTER TABLE t ON CLUSTER 'c' ADD COLUMN x Int32", "CREATE DATABASE d ON CLUSTER `c`"}) {
        CAPTURE(sql);
        const StatementFacts facts = clickhouse(sql);
        CHECK(facts.cluster.find('c') != std::string::npos);
        REQUIRE(facts.probe);
        CHECK(facts.probe->look.sql.find("clusterAllReplicas({p" + std::to_string(facts.probe->look.params.size()) + ":String}, system.") != std::string::npos);
        CHECK(facts.may_leave_part);
    }
    CHECK(clickhouse("CREATE TABLE t ON CLUSTER '{cluster}' (x Int32) ENGINE = Memory").cluster == "{cluster}");
    CHECK(clickhouse("ALTER TABLE t ON CLUSTER c UPDATE x = 1 WHERE 1").cluster == "c");
    CHECK_FALSE(clickhouse("ALTER TABLE t ON CLUSTER c UPDATE x = 1 WHERE 1").probe);
    CHECK(clickhouse("DELETE FROM t ON CLUSTER c WHERE 1").cluster == "c");
    CHECK(clickhouse("OPTIMIZE TABLE t ON CLUSTER c FINAL").cluster == "c");
    CHECK(clickhouse("RENAME TABLE a TO b ON CLUSTER c").cluster == "c");
    CHECK(clickhouse("CREATE TABLE t (x Int32) ENGINE = Memory").cluster.empty());
}

TEST_CASE("a mutation is found again by its own words, those of a lightweight DELETE in the server's") {
    const StatementFacts update = clickhouse("ALTER TABLE d.t UPDATE x = 1 WHERE y");
    REQUIRE(update.probe);
    CHECK(update.probe->mark);
    CHECK(update.probe->look.params == std::vector<std::optional<std::string>>{"d", "t", "ALTER TABLE d.t UPDATE x = 1 WHERE y"});
    CHECK(update.probe->end.find("KILL MUTATION") == 0);
    const StatementFacts deletes = clickhouse("DELETE FROM t /* where */ WHERE y = 'where'");
    REQUIRE(deletes.probe);
    CHECK(deletes.probe->look.params.at(2) == "ALTER TABLE t UPDATE _row_exists = 0 WHERE y = 'where'");
    CHECK(clickhouse("ALTER TABLE t MATERIALIZE INDEX i").probe);
    CHECK_FALSE(clickhouse("ALTER TABLE t DELETE WHERE x IN (" + std::string(70'000, '1') + ")").probe);
}
