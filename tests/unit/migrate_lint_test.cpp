#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/text.h"
#include "core/migrate/lint/judge.h"
#include "core/migrate/lint/output.h"
#include "core/migrate/lint/parse_tree.h"
#include "core/migrate/lint/sizes.h"

using namespace ysdb;
using namespace ysdb::migrate;
using namespace ysdb::migrate::lint;
using Json = nlohmann::json;

namespace {

Migration file_of(const std::string& text, Dialect dialect, const std::string& version = "0001") {
    return parse_migration(version, "x", {"migrations/" + version + "_x.sql", text}, "main", [&](const std::string&) { return dialect; });
}

// The findings of one file over tables that are in use, as "rule" in the order of places.
std::string rules_found(const std::string& text, Dialect dialect = Dialect::postgres, const std::vector<std::string>& ignored = {}) {
    const Migration file = file_of(text, dialect);
    std::vector<std::string> ids;
    for (const Finding& finding : findings_of(judge({}, {&file}, false)[0], ignored)) ids.emplace_back(finding.rule->id);
    return join(ids, " ");
}

bool finds(const std::string& rule, const std::string& text, Dialect dialect) {
    const auto ids = split(rules_found(text, dialect), ' ');
    return std::find(ids.begin(), ids.end(), rule) != ids.end();
}

struct Case {
    std::string rule, bad, good;
};

const std::string alone = "-- migrate:up transaction:false\n";

const std::vector<Case> postgres_cases{
    {"index-not-concurrent", "CREATE INDEX i ON t (a)", alone + "CREATE INDEX CONCURRENTLY i ON t (a)"},
    {"index-not-concurrent", "CREATE UNIQUE INDEX i ON s.t (a)", "CREATE INDEX i ON ONLY parts (a)"},
    {"index-not-concurrent", "CREATE TABLE u (a bigint PRIMARY KEY); CREATE INDEX i ON t (a)", "CREATE TABLE t (a bigint PRIMARY KEY); CREATE INDEX i ON public.t (a)"},
    {"drop-index-not-concurrent", "DROP INDEX i", alone + "DROP INDEX CONCURRENTLY i"},
    {"reindex-not-concurrent", "REINDEX TABLE t", alone + "REINDEX TABLE CONCURRENTLY t"},
    {"reindex-not-concurrent", alone + "REINDEX (VERBOSE) INDEX i", alone + "REINDEX (CONCURRENTLY) INDEX i"},
    {"not-in-transaction", "CREATE INDEX CONCURRENTLY i ON t (a)", alone + "CREATE INDEX CONCURRENTLY i ON t (a)"},
    {"not-in-transaction", "VACUUM t", alone + "VACUUM t"},
    {"not-in-transaction", "ALTER TABLE t DETACH PARTITION p CONCURRENTLY", alone + "ALTER TABLE t DETACH PARTITION p CONCURRENTLY"},
    {"index-if-not-exists", alone + "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)", alone + "CREATE INDEX CONCURRENTLY i ON t (a)"},
    {"unique-index-duplicates", alone + "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "CREATE TABLE t (a bigint PRIMARY KEY); CREATE UNIQUE INDEX i ON t (a)"},
    {"not-repeatable", alone + "CREATE TABLE t (a bigint PRIMARY KEY)", alone + "CREATE TABLE IF NOT EXISTS t (a bigint PRIMARY KEY)"},
    {"not-repeatable", alone + "DROP TABLE t", "DROP TABLE t"},
    {"add-not-null-column", "ALTER TABLE t ADD COLUMN a bigint NOT NULL", "ALTER TABLE t ADD COLUMN a bigint NOT NULL DEFAULT 0"},
    {"add-column-volatile-default", "ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid()", "ALTER TABLE t ADD a timestamptz DEFAULT now()"},
    {"add-column-volatile-default", "ALTER TABLE t ADD a text DEFAULT lower(my_function())", "ALTER TABLE t ADD a text DEFAULT lower('A')"},
    {"add-serial-column", "ALTER TABLE t ADD a bigserial", "ALTER TABLE t ADD a bigint"},
    {"add-identity-column", "ALTER TABLE t ADD a bigint GENERATED ALWAYS AS IDENTITY", "CREATE TABLE t (a bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)"},
    {"add-generated-column", "ALTER TABLE t ADD a bigint GENERATED ALWAYS AS (b + 1) STORED", "ALTER TABLE t ADD a bigint DEFAULT 1"},
    {"set-not-null", "ALTER TABLE t ALTER a SET NOT NULL", "ALTER TABLE t VALIDATE CONSTRAINT c"},
    {"change-column-type", "ALTER TABLE t ADD a int; ALTER TABLE t ALTER a TYPE bigint", "ALTER TABLE t ADD a varchar(20); ALTER TABLE t ALTER a TYPE varchar(40)"},
    {"change-column-type", "ALTER TABLE t ALTER a TYPE text USING upper(a)", "ALTER TABLE t ADD a varchar(20); ALTER TABLE t ALTER a TYPE text USING a::text"},
    {"change-column-type-unknown", "ALTER TABLE t ALTER a TYPE text", "CREATE TABLE t (a int PRIMARY KEY); ALTER TABLE t ALTER a TYPE bigint"},
    {"drop-column", "ALTER TABLE t DROP COLUMN a", "ALTER TABLE t ALTER a DROP DEFAULT"},
    {"rename-column", "ALTER TABLE t RENAME a TO b", "CREATE TABLE t (a bigint PRIMARY KEY); ALTER TABLE t RENAME a TO b"},
    {"drop-not-null", "ALTER TABLE t ALTER a DROP NOT NULL", "ALTER TABLE t ALTER a SET NOT NULL"},
    {"drop-default", "ALTER TABLE t ALTER a DROP DEFAULT", "ALTER TABLE t ALTER a SET DEFAULT 1"},
    {"char-type", "ALTER TABLE t ADD a char(3)", "ALTER TABLE t ADD a text"},
    {"varchar-limit", "ALTER TABLE t ADD a varchar(3)", "ALTER TABLE t ADD a varchar"},
    {"timestamp-without-time-zone", "ALTER TABLE t ADD a timestamp", "ALTER TABLE t ADD a timestamptz"},
    {"time-with-time-zone", "ALTER TABLE t ADD a timetz", "ALTER TABLE t ADD a time"},
    {"small-integer-key", "CREATE TABLE t (a int PRIMARY KEY)", "CREATE TABLE t (a bigint PRIMARY KEY, b int)"},
    {"small-integer-key", "CREATE TABLE t (a serial, PRIMARY KEY (a)); CREATE TABLE u (b smallint, PRIMARY KEY (b))", "CREATE TABLE t (a bigint, b int, PRIMARY KEY (a, b))"},
    {"serial-type", "CREATE TABLE t (a bigserial PRIMARY KEY)", "CREATE TABLE t (a bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)"},
    {"json-type", "ALTER TABLE t ADD a json", "ALTER TABLE t ADD a jsonb"},
    {"money-type", "ALTER TABLE t ADD a money", "ALTER TABLE t ADD a numeric"},
    {"column-padding", "CREATE TABLE t (a bool, b bigint PRIMARY KEY, c bool, d timestamptz)", "CREATE TABLE t (b bigint PRIMARY KEY, d timestamptz, a bool, c bool)"},
    {"no-primary-key", "CREATE TABLE t (a bigint)", "CREATE TABLE t (a bigint); ALTER TABLE t ADD PRIMARY KEY (a)"},
    {"no-primary-key", "CREATE TABLE t AS SELECT 1", "CREATE TABLE p PARTITION OF t DEFAULT"},
    {"identifier-too-long", "CREATE TABLE " + std::string(64, 'a') + " (a bigint PRIMARY KEY)", "CREATE TABLE " + std::string(63, 'a') + " (a bigint PRIMARY KEY)"},
    {"add-foreign-key", "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u", "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u NOT VALID"},
    {"add-foreign-key", "ALTER TABLE t ADD a bigint DEFAULT 1 REFERENCES u", "ALTER TABLE t ADD a bigint REFERENCES u"},
    {"add-check", "ALTER TABLE t ADD CHECK (a > 0)", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID"},
    {"add-check", "ALTER TABLE t ADD a int CHECK (a > 0)", "CREATE TABLE t (a bigint PRIMARY KEY CHECK (a > 0))"},
    {"validate-in-same-transaction", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c", "ALTER TABLE t VALIDATE CONSTRAINT c"},
    {"add-unique", "ALTER TABLE t ADD UNIQUE (a)", "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i"},
    {"add-unique", "ALTER TABLE t ADD a int UNIQUE", "ALTER TABLE t ADD a int"},
    {"add-primary-key", "ALTER TABLE t ADD PRIMARY KEY (a)", "ALTER TABLE t ADD CONSTRAINT c PRIMARY KEY USING INDEX i"},
    {"add-exclusion", "ALTER TABLE t ADD EXCLUDE USING gist (a WITH &&)", "CREATE TABLE t (a int4range, EXCLUDE USING gist (a WITH &&))"},
    {"drop-constraint", "ALTER TABLE t DROP CONSTRAINT c", "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t DROP CONSTRAINT c"},
    {"domain-constraint", "ALTER DOMAIN d ADD CHECK (value > 0)", "ALTER DOMAIN d ADD CONSTRAINT c CHECK (value > 0) NOT VALID"},
    {"create-domain-constraint", "CREATE DOMAIN d AS int CHECK (value > 0)", "CREATE DOMAIN d AS int"},
    {"drop-table", "DROP TABLE IF EXISTS a.t", "CREATE TABLE a.t (a bigint PRIMARY KEY); DROP TABLE a.t"},
    {"drop-schema", "DROP SCHEMA s", "CREATE SCHEMA s; DROP SCHEMA s"},
    {"drop-database", alone + "DROP DATABASE d", alone + "CREATE DATABASE d"},
    {"drop-cascade", "DROP VIEW v CASCADE", "DROP VIEW v"},
    {"drop-object", "DROP FUNCTION f(int)", "CREATE VIEW v AS SELECT 1; DROP VIEW v"},
    {"drop-object", "DROP TRIGGER tr ON t", "CREATE TYPE e AS ENUM ('a'); DROP TYPE e"},
    {"rename-table", "ALTER TABLE t RENAME TO u", "ALTER INDEX i RENAME TO j"},
    {"rename-table", "ALTER TABLE t SET SCHEMA s", "CREATE TABLE t (a bigint PRIMARY KEY); ALTER TABLE t RENAME TO u"},
    {"rename-object", "ALTER FUNCTION f() RENAME TO g", "ALTER TABLE t RENAME CONSTRAINT a TO b"},
    {"rename-object", "ALTER VIEW v RENAME TO w; ALTER TYPE e RENAME TO f; ALTER SCHEMA s RENAME TO z", "CREATE TYPE e AS ENUM ('a'); ALTER TYPE e RENAME TO f"},
    {"truncate", "TRUNCATE t", "CREATE TABLE t (a bigint PRIMARY KEY); TRUNCATE t"},
    {"truncate-cascade", "TRUNCATE t CASCADE", "TRUNCATE t"},
    {"set-logged", "ALTER TABLE t SET UNLOGGED", "CREATE UNLOGGED TABLE t (a bigint PRIMARY KEY); ALTER TABLE t SET LOGGED"},
    {"set-tablespace", "ALTER TABLE t SET TABLESPACE s", "ALTER TABLE t SET (fillfactor = 90)"},
    {"set-tablespace", "ALTER INDEX i SET TABLESPACE s", "ALTER INDEX i SET (fillfactor = 90)"},
    {"set-access-method", "ALTER TABLE t SET ACCESS METHOD heap", "ALTER TABLE t ALTER a SET STATISTICS 1000"},
    {"attach-partition-scan", "ALTER TABLE t ATTACH PARTITION p FOR VALUES FROM (1) TO (2)",
     "ALTER TABLE p ADD CONSTRAINT c CHECK (a >= 1 AND a < 2) NOT VALID; ALTER TABLE p VALIDATE CONSTRAINT c; ALTER TABLE t ATTACH PARTITION p FOR VALUES FROM (1) TO (2)"},
    {"detach-partition", "ALTER TABLE t DETACH PARTITION p", alone + "ALTER TABLE t DETACH PARTITION p CONCURRENTLY"},
    {"create-partition-of", "CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (2)", "CREATE TABLE t (a bigint) PARTITION BY RANGE (a); CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (2)"},
    {"create-references", "CREATE TABLE t (a bigint PRIMARY KEY REFERENCES u)", "CREATE TABLE t (a bigint PRIMARY KEY, b bigint REFERENCES t)"},
    {"create-trigger", "CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "CREATE TABLE t (a bigint PRIMARY KEY); CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"},
    {"disable-trigger", "ALTER TABLE t DISABLE TRIGGER ALL", "ALTER TABLE t ENABLE TRIGGER ALL"},
    {"row-level-security", "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON t USING (true)"},
    {"create-rule", "CREATE RULE r AS ON INSERT TO t DO NOTHING", "CREATE VIEW v AS SELECT 1"},
    {"replica-identity", "ALTER TABLE t REPLICA IDENTITY FULL", "ALTER TABLE t ALTER a SET STORAGE EXTERNAL"},
    {"enum-value-in-transaction", "ALTER TYPE e ADD VALUE 'new'; UPDATE t SET a = 'new' WHERE id = 1", "ALTER TYPE e ADD VALUE 'new'; UPDATE t SET a = 'old' WHERE id = 1"},
    {"enum-value-in-transaction", "ALTER TYPE e ADD VALUE 'new'; ALTER TABLE t ALTER a SET DEFAULT 'new'", "CREATE TYPE e AS ENUM (); ALTER TYPE e ADD VALUE 'new'; INSERT INTO t VALUES ('new')"},
    {"rename-enum-value", "ALTER TYPE e RENAME VALUE 'a' TO 'b'", "ALTER TYPE e ADD VALUE 'b'"},
    {"enum-value-order", "ALTER TYPE e ADD VALUE 'b'", "ALTER TYPE e ADD VALUE 'b' AFTER 'a'"},
    {"revoke", "REVOKE SELECT ON t FROM app", "REVOKE ALL ON t FROM PUBLIC"},
    {"duplicate-column", "UPDATE t SET a = 1, a = 2 WHERE id = 1", "UPDATE t SET a[1] = 1, a[2] = 2 WHERE id = 1"},
    {"grant-to-public", "GRANT SELECT ON t TO PUBLIC", "GRANT SELECT ON t TO app; REVOKE ALL ON t FROM PUBLIC"},
    {"alter-system", alone + "ALTER SYSTEM SET work_mem = '1GB'", "SET work_mem = '1GB'"},
    {"vacuum-full", alone + "VACUUM (FULL, ANALYZE) t", alone + "VACUUM (FULL false) t"},
    {"cluster", "CLUSTER t USING i", "ALTER TABLE t CLUSTER ON i"},
    {"refresh-not-concurrent", "REFRESH MATERIALIZED VIEW v", "REFRESH MATERIALIZED VIEW CONCURRENTLY v"},
    {"lock-table", "LOCK TABLE t", "LOCK TABLE t IN ROW SHARE MODE"},
    {"unbounded-update", "UPDATE t SET a = 1", "UPDATE t SET a = 1 WHERE id < 100"},
    {"unbounded-update", "UPDATE t SET a = 1 WHERE true", "UPDATE t SET a = u.a FROM u WHERE u.id = t.id"},
    {"unbounded-delete", "DELETE FROM t", "DELETE FROM t USING u WHERE u.id = t.id"},
    {"transaction-control", "BEGIN", "SAVEPOINT a"},
    {"backfill-under-lock", "ALTER TABLE t ADD a int; UPDATE t SET a = 1 WHERE id < 100", "UPDATE t SET a = 1 WHERE id < 100; ALTER TABLE t ADD a int"},
    {"backfill-under-lock", "ALTER TABLE t ADD a int; INSERT INTO t SELECT * FROM u", alone + "ALTER TABLE t ADD a int; INSERT INTO t SELECT * FROM u"},
    {"several-rewrites", "ALTER TABLE t ADD CHECK (a > 0); ALTER TABLE t ADD CHECK (b > 0)", "ALTER TABLE t ADD CHECK (a > 0), ADD CHECK (b > 0); ALTER TABLE u ADD CHECK (b > 0)"},
};

const std::string mergetree = " ENGINE = MergeTree ORDER BY a";

const std::vector<Case> clickhouse_cases{
    {"ch-mutation", "ALTER TABLE t UPDATE a = 1, b = 2 WHERE c", "ALTER TABLE t ADD COLUMN a Int32, ADD COLUMN b Int32"},
    {"ch-mutation", "ALTER TABLE d.t ON CLUSTER c DELETE WHERE a", "CREATE TABLE t (a Int32)" + mergetree + "; ALTER TABLE t DELETE WHERE a"},
    {"ch-lightweight-delete", "DELETE FROM t WHERE a", "SELECT 1"},
    {"ch-materialize", "ALTER TABLE t MATERIALIZE INDEX i", "ALTER TABLE t ADD INDEX i a TYPE minmax"},
    {"ch-modify-order-by", "ALTER TABLE t ADD COLUMN b Int32, MODIFY ORDER BY (a, b)", "ALTER TABLE t MODIFY SETTING a = 1"},
    {"ch-modify-column", "ALTER TABLE t MODIFY COLUMN a Int64", "ALTER TABLE t MODIFY COLUMN a DEFAULT 1"},
    {"ch-modify-column", "ALTER TABLE t ALTER COLUMN a TYPE Int64", "ALTER TABLE t MODIFY COLUMN a REMOVE TTL"},
    {"ch-drop-column", "ALTER TABLE t DROP COLUMN IF EXISTS a", "ALTER TABLE t DROP INDEX a"},
    {"ch-clear-column", "ALTER TABLE t CLEAR COLUMN a IN PARTITION 1", "ALTER TABLE t CLEAR INDEX a IN PARTITION 1"},
    {"ch-rename-column", "ALTER TABLE t RENAME COLUMN a TO b", "ALTER TABLE t COMMENT COLUMN a 'b'"},
    {"ch-drop-table", "DROP TABLE t", "CREATE TABLE t (a Int32)" + mergetree + "; DROP TABLE t"},
    {"ch-drop-database", "DROP DATABASE d", "CREATE DATABASE d"},
    {"ch-rename-table", "RENAME TABLE a TO b", "EXCHANGE TABLES a AND b"},
    {"ch-truncate", "TRUNCATE TABLE IF EXISTS t", "CREATE TABLE t (a Int32)" + mergetree + "; TRUNCATE TABLE t"},
    {"ch-drop-partition", "ALTER TABLE t DROP PARTITION 202601", "ALTER TABLE t ATTACH PARTITION 202601"},
    {"ch-detach-partition", "ALTER TABLE t DETACH PARTITION 202601", "ALTER TABLE t FREEZE PARTITION 202601"},
    {"ch-optimize-final", "OPTIMIZE TABLE t FINAL", "OPTIMIZE TABLE t"},
    {"ch-missing-on-cluster", "CREATE TABLE a ON CLUSTER c (a Int32)" + mergetree + "; ALTER TABLE t ADD COLUMN b Int32", "ALTER TABLE t ADD COLUMN b Int32"},
    {"ch-nullable-key", "CREATE TABLE t (a Nullable(Int32), b Int32) ENGINE = MergeTree ORDER BY (b, a)", "CREATE TABLE t (a Int32, b Nullable(Int32)) ENGINE = MergeTree ORDER BY (a, ifNull(b, 0))"},
    {"ch-nullable-key", "CREATE TABLE t (a LowCardinality(Nullable(String)), b Int32) ENGINE = MergeTree ORDER BY a", "CREATE TABLE t (a Nullable(Int32)) ENGINE = MergeTree ORDER BY a SETTINGS allow_nullable_key = 1"},
    {"ch-no-order-by", "CREATE TABLE t (a Int32) ENGINE = ReplacingMergeTree(a)", "CREATE TABLE t (a Int32) ENGINE = Memory"},
    {"ch-order-by-tuple", "CREATE TABLE t (a Int32) ENGINE = MergeTree ORDER BY tuple()", "CREATE TABLE t (a Int32) ENGINE = MergeTree ORDER BY (a)"},
    {"ch-populate", "CREATE MATERIALIZED VIEW v ENGINE = MergeTree ORDER BY a POPULATE AS SELECT 1 AS a", "CREATE MATERIALIZED VIEW v TO t AS SELECT 1 AS a"},
    {"ch-modify-ttl", "ALTER TABLE t MODIFY TTL a + INTERVAL 1 DAY", "ALTER TABLE t MODIFY TTL a + INTERVAL 1 DAY SETTINGS materialize_ttl_after_modify = 0"},
    {"ch-no-probe", "INSERT INTO t SELECT * FROM u", "-- migrate:probe SELECT count() > 0 FROM t\nINSERT INTO t SELECT * FROM u"},
};

const std::vector<Case> common_cases{
    {"not-parsed", "CREATE TABL t (a int)", "CREATE TABLE t (a int)"},
    {"not-parsed", "DO $$ BEGIN EXECUTE 'DROP TABLE t'; END $$", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"},
    {"allow-without-reason", "-- ysdb:allow truncate\nTRUNCATE t", "-- ysdb:allow truncate rows are test data\nTRUNCATE t"},
    {"allow-unknown-rule", "-- ysdb:allow truncat rows are test data\nTRUNCATE t", "-- ysdb:allow truncate rows are test data\nTRUNCATE t"},
    {"allow-unused", "-- ysdb:allow truncate rows are test data\nSELECT 1", "-- ysdb:allow truncate rows are test data\nTRUNCATE t"},
};

}  // namespace

TEST_CASE("each rule finds the bad form and leaves the good one alone") {
    std::set<std::string> tried;
    for (const auto* cases : {&postgres_cases, &clickhouse_cases, &common_cases}) {
        const Dialect dialect = cases == &clickhouse_cases ? Dialect::clickhouse : Dialect::postgres;
        for (const Case& one : *cases) {
            tried.insert(one.rule);
            CAPTURE(one.rule);
            INFO("bad: " << one.bad << " -> " << rules_found(one.bad, dialect));
            INFO("good: " << one.good << " -> " << rules_found(one.good, dialect));
            CHECK(finds(one.rule, one.bad, dialect));
            CHECK_FALSE(finds(one.rule, one.good, dialect));
        }
    }
    std::string untried;
    for (const Rule& rule : rule_table()) {
        if (tried.count(std::string(rule.id)) == 0) untried += std::string(rule.id) + " ";
    }
    CHECK(untried == "");
}

TEST_CASE("every rule says what, why and what instead, under a name of its own") {
    std::set<std::string_view> ids;
    for (const Rule& rule : rule_table()) {
        CAPTURE(rule.id);
        CHECK(ids.insert(rule.id).second);
        CHECK(rule.summary.size() > 10);
        CHECK(rule.why.ends_with("."));
        CHECK(rule.instead.size() > 5);
        CHECK((rule.dialect == Dialect::clickhouse) == rule.id.starts_with("ch-"));
    }
}

TEST_CASE("a good statement of each kind has no finding at all") {
    CHECK(rules_found("CREATE TABLE t (a bigint PRIMARY KEY, b text NOT NULL, c timestamptz DEFAULT now()); CREATE INDEX ON t (b); INSERT INTO t VALUES (1, 'x'); COMMENT ON TABLE t IS 'x'") == "");
    CHECK(rules_found("ALTER TABLE t ADD COLUMN a text, ADD CONSTRAINT c CHECK (a <> '') NOT VALID") == "");
    CHECK(rules_found("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$") == "");
    CHECK(rules_found("CREATE TABLE t (a Int32)" + mergetree + "; ALTER TABLE u ADD COLUMN a Int32; INSERT INTO t VALUES (1)", Dialect::clickhouse) == "");
}

TEST_CASE("rows changed under a lock are told once a file") {
    CHECK(rules_found("ALTER TABLE t ADD a int; UPDATE t SET a = 1 WHERE id < 100; UPDATE t SET a = 2 WHERE id > 100") == "backfill-under-lock");
}

TEST_CASE("a variable stands for a name, and places stay where they are") {
    const Migration file = file_of("ALTER TABLE ${schema}.t SET UNLOGGED;\nSELECT 1 LIMIT ${a b};", Dialect::postgres);
    const auto findings = findings_of(judge({}, {&file}, false)[0], {});
    REQUIRE(findings.size() == 2);
    CHECK(findings[0].rule->id == "set-logged");
    CHECK(findings[0].offset == 12);
    CHECK(findings[1].rule->id == "not-parsed");
}

TEST_CASE("a NOT NULL that a validated CHECK proves needs no read") {
    CHECK(rules_found(alone + "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t DROP CONSTRAINT c") == "");
    const Migration before = file_of("ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID", Dialect::postgres, "0001");
    const Migration proof = file_of("ALTER TABLE t VALIDATE CONSTRAINT c", Dialect::postgres, "0002");
    const Migration now = file_of("ALTER TABLE t ALTER a SET NOT NULL", Dialect::postgres, "0003");
    CHECK(findings_of(judge({&before, &proof}, {&now}, true)[0], {}).empty());
    CHECK(findings_of(judge({&before}, {&now}, true)[0], {}).size() == 1);
}

TEST_CASE("what a pending file creates is new to the next; what an applied one created is not") {
    const Migration one = file_of("CREATE TABLE t (a varchar(10) PRIMARY KEY)", Dialect::postgres, "0001");
    const Migration two = file_of("CREATE INDEX ON t (a); ALTER TABLE t ALTER a TYPE varchar(5)", Dialect::postgres, "0002");
    CHECK(findings_of(judge({}, {&one, &two}, true)[1], {}).empty());
    const auto after = findings_of(judge({&one}, {&two}, true)[0], {});
    REQUIRE(after.size() == 2);
    CHECK(after[0].rule->id == "index-not-concurrent");
    CHECK(after[1].rule->id == "change-column-type");
    CHECK(findings_of(judge({}, {&one, &two}, false)[1], {}).size() == 2);
}

TEST_CASE("changes of types that only the catalog sees rewrite nothing") {
    const auto rewrites = [](ColumnType from, ColumnType to) { return change_rewrites(from, to); };
    CHECK_FALSE(rewrites({"varchar", {20}}, {"varchar", {40}}));
    CHECK_FALSE(rewrites({"varchar", {20}}, {"text", {}}));
    CHECK_FALSE(rewrites({"numeric", {10, 2}}, {"numeric", {12, 2}}));
    CHECK_FALSE(rewrites({"numeric", {10, 2}}, {"numeric", {}}));
    CHECK_FALSE(rewrites({"timestamptz", {3}}, {"timestamptz", {}}));
    CHECK_FALSE(rewrites({"cidr", {}}, {"inet", {}}));
    CHECK(rewrites({"varchar", {40}}, {"varchar", {20}}));
    CHECK(rewrites({"text", {}}, {"varchar", {20}}));
    CHECK(rewrites({"numeric", {10, 2}}, {"numeric", {12, 3}}));
    CHECK(rewrites({"numeric", {}}, {"numeric", {12, 3}}));
    CHECK(rewrites({"int4", {}}, {"int8", {}}));
    CHECK(rewrites({"bpchar", {3}}, {"bpchar", {5}}));
    CHECK(rewrites({"bpchar", {3}}, {"text", {}}));
    CHECK(rewrites({"timestamp", {}}, {"timestamptz", {}}));
    CHECK(type_from_catalog("numeric", ((12 << 16) | 3) + 4).modifiers == std::vector<int>{12, 3});
    CHECK(type_from_catalog("varchar", 24).modifiers == std::vector<int>{20});
    CHECK(type_from_catalog("_int4", -1).name == "int4[]");
}

TEST_CASE("a statement has its locks, reads and rewrites, for plan") {
    const auto touches = [](const std::string& text) {
        const Migration file = file_of(text, Dialect::postgres);
        std::string out;
        const Judged judged = judge({}, {&file}, false)[0];
        for (const Touch& touch : judged.up.back().touches) out += lock_text(touch.lock, touch.table) + (touch.rewrites ? ", rewrites" : "") + (touch.scans ? ", scans" : "") + "; ";
        return out;
    };
    CHECK(touches("CREATE INDEX i ON t (a)") == "SHARE on t: blocks writes, scans; ");
    CHECK(touches("ALTER TABLE t ADD a int") == "ACCESS EXCLUSIVE on t: blocks reads and writes; ");
    CHECK(touches("ALTER TABLE t ADD a serial") == "ACCESS EXCLUSIVE on t: blocks reads and writes, rewrites, scans; ");
    CHECK(touches("ALTER TABLE t VALIDATE CONSTRAINT c") == "SHARE UPDATE EXCLUSIVE on t: blocks neither reads nor writes, scans; ");
    CHECK(touches("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES \"U\" NOT VALID") == "SHARE ROW EXCLUSIVE on \"U\": blocks writes; SHARE ROW EXCLUSIVE on t: blocks writes; ");
    CHECK(touches("CREATE TABLE n (a bigint PRIMARY KEY); CREATE INDEX ON n (a)") == "");
    CHECK(touches("ALTER TABLE t ATTACH PARTITION p DEFAULT") == "ACCESS EXCLUSIVE on p: blocks reads and writes, scans; SHARE UPDATE EXCLUSIVE on t: blocks neither reads nor writes; ");
}

TEST_CASE("an allow comment stands above, in or behind its statement, and allows one rule there") {
    CHECK(rules_found("-- ysdb:allow truncate rows are test data\nTRUNCATE t;\nTRUNCATE u;") == "truncate");
    CHECK(rules_found("TRUNCATE t; -- ysdb:allow truncate rows are test data\nTRUNCATE u;") == "truncate");
    CHECK(rules_found("TRUNCATE -- ysdb:allow truncate rows are test data\n t;\nTRUNCATE u -- ysdb:allow truncate these too") == "");
    CHECK(rules_found("TRUNCATE t; -- ysdb:allow truncate rows are test data") == "");
    CHECK(rules_found("-- ysdb:allow truncate both are test data\n-- ysdb:allow truncate-cascade both are test data\nTRUNCATE t CASCADE") == "");
    CHECK(rules_found("-- ysdb:allow drop-table not this\nTRUNCATE t") == "allow-unused truncate");
    CHECK(rules_found("COPY t FROM STDIN;\n-- ysdb:allow truncate no comment but a row\n\\.\nTRUNCATE t;") == "truncate");
    CHECK(rules_found("TRUNCATE t; TRUNCATE u", Dialect::postgres, {"truncate"}) == "");
    const Migration file = file_of("-- ysdb:allow trunkate x\nTRUNCATE t", Dialect::postgres);
    CHECK(findings_of(judge({}, {&file}, false)[0], {})[0].message == "ysdb:allow names no rule: 'trunkate'; did you mean 'truncate'?");
}

TEST_CASE("the way back is looked at for who waits and what is lost beside what the file itself made") {
    const std::string made = "-- migrate:up\nCREATE TABLE u (id bigint PRIMARY KEY);\nALTER TABLE t ADD a bigint, ADD b bigint;\nCREATE INDEX i ON u (id);\n-- migrate:down\n";
    // What it made goes with it, and nobody's program is told of.
    CHECK(rules_found(made + "DROP INDEX i; ALTER TABLE u ADD CHECK (id > 0); DROP TABLE u; ALTER TABLE t DROP a, DROP COLUMN b;") == "");
    CHECK(rules_found(made + "DROP VIEW v; ALTER TABLE t RENAME COLUMN c TO d; REVOKE SELECT ON t FROM me") == "");
    CHECK(rules_found(made + "DROP TABLE t") == "drop-table");
    CHECK(rules_found(made + "ALTER TABLE t DROP c") == "drop-column");
    CHECK(rules_found(made + "DROP TABLE u CASCADE; TRUNCATE t") == "truncate");
    CHECK(rules_found(made + "CREATE INDEX k ON t (c)") == "index-not-concurrent");
    CHECK(rules_found(made + "DROP INDEX k") == "drop-index-not-concurrent");
    CHECK(rules_found(made + "CREATE INDEX CONCURRENTLY k ON t (c)") == "not-in-transaction");
    CHECK(rules_found("-- migrate:up\nALTER TABLE t ALTER c DROP NOT NULL;\n-- migrate:down\nALTER TABLE t ALTER c SET NOT NULL", Dialect::postgres, {"drop-not-null"}) == "set-not-null");
    CHECK(rules_found("-- migrate:up\nALTER TABLE t ALTER c TYPE bigint;\n-- migrate:down\nALTER TABLE t ALTER c TYPE int", Dialect::postgres, {"change-column-type-unknown"}) == "change-column-type");
    const std::string clickhouse = "-- migrate:up\nCREATE TABLE u (a Int32) ENGINE = MergeTree ORDER BY a; ALTER TABLE t ADD COLUMN IF NOT EXISTS x Int32;\n-- migrate:down\n";
    CHECK(rules_found(clickhouse + "DROP TABLE u; ALTER TABLE t DROP COLUMN x; ALTER TABLE t RENAME COLUMN a TO b", Dialect::clickhouse) == "");
    CHECK(rules_found(clickhouse + "DROP TABLE t; ALTER TABLE t DROP COLUMN y", Dialect::clickhouse) == "ch-drop-table ch-drop-column");

    // At its line; what an earlier pending file made is in use by then.
    const Migration first = file_of("-- migrate:up\nCREATE TABLE u (id bigint PRIMARY KEY);\n-- migrate:down\nDROP TABLE u;", Dialect::postgres, "0001");
    const Migration second = file_of("-- migrate:up\nDROP INDEX CONCURRENTLY x;\n\n-- migrate:down\nCREATE INDEX x ON u (id);", Dialect::postgres, "0002");
    const auto judged = judge({}, {&first, &second}, true);
    CHECK(findings_of(judged[0], {}).empty());
    const auto findings = findings_of(judged[1], {"not-in-transaction"});
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].rule->id == "index-not-concurrent");
    CHECK(second.source.place(findings[0].offset).line == 5);
}

TEST_CASE("an allow comment holds in the section it stands in") {
    const std::string up = "-- migrate:up\nSELECT 1;";
    CHECK(rules_found(up + "\n-- migrate:down\n-- ysdb:allow truncate nobody reads it\nTRUNCATE t;") == "");
    CHECK(rules_found(up + "\n-- migrate:down\nTRUNCATE t; -- ysdb:allow truncate nobody reads it") == "");
    CHECK(rules_found(up + "\n-- ysdb:allow truncate of no statement\n-- migrate:down\nTRUNCATE t;") == "truncate");
    CHECK(rules_found("-- migrate:up\nTRUNCATE t; -- ysdb:allow truncate nobody reads it\n-- migrate:down\nTRUNCATE t;") == "truncate");
    CHECK(rules_found("-- migrate:down\nTRUNCATE t;\n-- migrate:up\n-- ysdb:allow truncate nobody reads it\nTRUNCATE t;") == "truncate");
    CHECK(rules_found("-- ysdb:allow truncate nobody reads it\n-- migrate:up\nTRUNCATE t;") == "");
    CHECK(rules_found(up + "\n-- migrate:down\n-- ysdb:allow drop-not-null as it was\nALTER TABLE t ALTER a DROP NOT NULL") == "allow-unused");
}

TEST_CASE("a table that is small makes a finding less, a large one more") {
    CHECK(severity_at(Severity::error, 50'000'000, 1'000'000) == Severity::error);
    CHECK(severity_at(Severity::error, 5'000'000, 1'000'000) == Severity::warning);
    CHECK(severity_at(Severity::error, 50'000'000, 500) == Severity::warning);
    CHECK(severity_at(Severity::error, 50'000'000, -1) == Severity::error);
    CHECK(severity_at(Severity::warning, 2'000'000'000, 500) == Severity::error);
    CHECK(severity_at(Severity::note, 0, 0) == Severity::note);
    CHECK(severity_at(Severity::error, 2'000'000'000, 1) == Severity::error);
}

TEST_CASE("a finding is shown with its place, its line and a caret, and explained once") {
    const Migration file = file_of("-- é\nSELECT 1;\n  CREATE INDEX i ON t (a);\nCREATE INDEX j ON t (b);\n", Dialect::postgres);
    const std::string text = text_of(findings_of(judge({}, {&file}, false)[0], {}));
    CHECK(text.starts_with("migrations/0001_x.sql:3:10: error: an index built without CONCURRENTLY blocks writes to t [index-not-concurrent]\n"
                           "    3 |   CREATE INDEX i ON t (a);\n"
                           "      |          ^^^^^\n"
                           "  why: "));
    CHECK(text.find("migrations/0001_x.sql:4:8: error: ") != std::string::npos);
    CHECK(text.find("  why: ") == text.rfind("  why: "));
}

TEST_CASE("SARIF has the fields that code scanners require") {
    const Migration file = file_of("TRUNCATE t;\nALTER TABLE t ADD a timestamp", Dialect::postgres);
    const Json log = Json::parse(sarif_of(findings_of(judge({}, {&file}, false)[0], {})));
    CHECK(log.at("version") == "2.1.0");
    CHECK(log.at("$schema").get<std::string>().find("sarif-2.1.0") != std::string::npos);
    const Json& run = log.at("runs").at(0);
    const Json& driver = run.at("tool").at("driver");
    CHECK(driver.at("name") == "ysdb");
    CHECK(driver.at("rules").size() == rule_table().size());
    REQUIRE(run.at("results").size() == 2);
    for (const Json& result : run.at("results")) {
        CHECK(driver.at("rules").at(result.at("ruleIndex").get<std::size_t>()).at("id") == result.at("ruleId"));
        CHECK(result.at("message").at("text").get<std::string>().size() > 10);
        const Json& place = result.at("locations").at(0).at("physicalLocation");
        CHECK(place.at("artifactLocation").at("uri") == "migrations/0001_x.sql");
        CHECK(place.at("region").at("startColumn").get<int>() >= 1);
    }
    CHECK(run.at("results").at(0).at("level") == "error");
    CHECK(run.at("results").at(1).at("level") == "warning");
    CHECK(run.at("results").at(1).at("locations").at(0).at("physicalLocation").at("region").at("startLine") == 2);
    CHECK(Json::parse(sarif_of({})).at("runs").at(0).at("results") == Json::array());
}

TEST_CASE("GitLab's report names each finding by itself, and by the same name when only its line moves") {
    const auto report = [](const std::string& text) {
        const Migration file = file_of(text, Dialect::postgres);
        return Json::parse(gitlab_of(findings_of(judge({}, {&file}, false)[0], {})));
    };
    const Json issues = report("TRUNCATE a;\nTRUNCATE a;\nDROP INDEX b;");
    REQUIRE(issues.size() == 3);
    CHECK(issues[0].at("check_name") == "truncate");
    CHECK(issues[0].at("severity") == "critical");
    CHECK(issues[2].at("severity") == "minor");
    CHECK(issues[1].at("location").at("lines").at("begin") == 2);
    CHECK(issues[0].at("location").at("path") == "migrations/0001_x.sql");
    CHECK(issues[0].at("fingerprint") != issues[1].at("fingerprint"));
    CHECK(report("\n\nTRUNCATE a;")[0].at("fingerprint") == issues[0].at("fingerprint"));
    CHECK(report("SELECT 1") == Json::array());
}

TEST_CASE("GitHub's annotations are one line each, with what steers them escaped") {
    Migration file = file_of("TRUNCATE \"a\nb%\"", Dialect::postgres);
    file.source.path = "a,b:c.sql";
    CHECK(github_of(findings_of(judge({}, {&file}, false)[0], {})).starts_with("::error file=a%2Cb%3Ac.sql,line=1,col=10,title=truncate::TRUNCATE loses all rows of \"a%0Ab%25\", and blocks"));
}

TEST_CASE("the parser's tree is read whole: names with escapes, deep nesting, and what it refuses") {
    const ParseTree escapes("ALTER TABLE \"a\\\"\"b\nc\u00e9<\" ADD x int");
    REQUIRE_FALSE(escapes.failure());
    CHECK(escapes.statement().kind() == "AlterTableStmt");
    CHECK(escapes.statement().body()["relation"]["relname"].text() == "a\\\"b\nc\u00e9<");
    CHECK(escapes.statement().body()["nothing"]["at"]["all"].text() == "");
    const ParseTree refused("ALTER TABLE t FROB x");
    REQUIRE(refused.failure());
    CHECK(refused.failure()->offset == 14);
    CHECK_FALSE(refused.statement());
    CHECK_FALSE(ParseTree("").statement());
    std::string deep = "SELECT ";
    for (int i = 0; i < 20'000; ++i) deep += "(";
    CHECK(ParseTree(deep).failure());
    CHECK(rules_found("INSERT INTO t VALUES ('" + std::string(1'000'000, 'x') + "')") == "");
}
