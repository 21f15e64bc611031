// needs: main
// What lint and plan say of locks and rewrites, held against what the server does.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/base/text.h"
#include "core/migrate/lint/judge.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;
using namespace ysdb::migrate;

namespace {

constexpr const char* setup =
    "CREATE TABLE u (id bigint PRIMARY KEY, code text UNIQUE);\n"
    "CREATE TABLE t (id bigint PRIMARY KEY, a int DEFAULT 1, b varchar(20), c text, n numeric(10,2), ts timestamptz(3), plain timestamp, ip cidr, fixed char(3), doc xml, arr int[]);\n"
    "CREATE UNIQUE INDEX t_a ON t (a);\n"
    "CREATE UNIQUE INDEX t_n ON t (n);\n"
    "CREATE TABLE parent (id bigint, at int) PARTITION BY RANGE (at);\n"
    "CREATE TABLE part (id bigint, at int);\n"
    "CREATE TABLE part_one (id bigint, at int);\n"
    "ALTER TABLE parent ATTACH PARTITION part_one FOR VALUES FROM (0) TO (10);\n"
    "CREATE MATERIALIZED VIEW mv AS SELECT 1 AS x;\n"
    "CREATE UNIQUE INDEX mv_x ON mv (x);\n"
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;\n"
    "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();\n"
    "ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT VALID;\n"
    "INSERT INTO t (id, a) SELECT g, g FROM generate_series(1, 100) g;\n";

Migration file_of(const std::string& sql) {
    return parse_migration("1", "x", {"x.sql", sql}, "main", [](const std::string&) { return Dialect::postgres; });
}

// "t ACCESS EXCLUSIVE", "t rewritten": what there is of tables that were there before.
using Effects = std::set<std::string>;

Effects said(const Migration& before, const Migration& file) {
    Effects effects;
    const lint::Judged judged = lint::judge({&before}, {&file}, true)[0];
    for (const lint::Touch& touch : judged.up[0].touches) {
        const std::string text = lint::lock_text(touch.lock, touch.table);
        if (!text.empty()) effects.insert(touch.table + " " + text.substr(0, text.find(" on ")));
        if (touch.rewrites) effects.insert(touch.table + " rewritten");
    }
    return effects;
}

constexpr const char* tables = "FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm')";

Effects done(SqlSession& session, const std::string& sql) {
    const auto soon = [] { return Deadline::after(Millis(20'000)); };
    Effects effects;
    session.query("BEGIN", soon());
    const SqlResult before = session.query(std::string("SELECT c.oid, c.relfilenode, c.relname ") + tables, soon());
    session.query(sql, soon());
    for (std::size_t i = 0; i < before.rows(); ++i) {
        const std::vector<std::optional<std::string>> params{before.row(i).text(0), before.row(i).text(1)};
        const SqlResult now = session.query(
            "SELECT c.relname, c.relfilenode::text <> $2, (SELECT max(array_position(ARRAY['AccessShareLock', 'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',"
            " 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'], l.mode)) FROM pg_locks l WHERE l.relation = c.oid AND l.pid = pg_backend_pid())"
            " FROM pg_class c WHERE c.oid = $1::oid",
            params, soon());
        if (now.rows() == 0) continue;  // dropped by the statement
        const std::string name = before.row(i).text(2);
        const auto mode = static_cast<lint::Lock>(now.row(0).null(2) ? 0 : now.row(0).integer(2));
        const std::string text = lint::lock_text(mode, name);
        if (!text.empty()) effects.insert(name + " " + text.substr(0, text.find(" on ")));
        if (now.row(0).truth(1)) effects.insert(name + " rewritten");
    }
    session.query("ROLLBACK", soon());
    return effects;
}

std::string text_of(const Effects& effects) { return join(std::vector<std::string>(effects.begin(), effects.end()), ", "); }

}  // namespace

TEST_CASE("the locks and rewrites that lint tells are those the server makes") {
    TestDatabase database;
    const auto store = open_store(database.config());
    const auto session = store->sql()->open_session("facts", Deadline::after(Millis(20'000)));
    const Migration before = file_of(setup);
    for (const Statement& statement : before.up) session->query(statement.text(before.source), Deadline::after(Millis(20'000)));
    for (const char* sql : {
             "ALTER TABLE t ADD COLUMN x int",
             "ALTER TABLE t ADD COLUMN x timestamptz DEFAULT now()",
             "ALTER TABLE t ADD COLUMN x timestamptz NOT NULL DEFAULT date_trunc('day', now())",
             "ALTER TABLE t ADD COLUMN x uuid DEFAULT gen_random_uuid()",
             "ALTER TABLE t ADD COLUMN x float DEFAULT random()",
             "ALTER TABLE t ADD COLUMN x bigserial",
             "ALTER TABLE t ADD COLUMN x bigint GENERATED ALWAYS AS IDENTITY",
             "ALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS (a + 1) STORED",
             "ALTER TABLE t ADD COLUMN x bigint REFERENCES u",
             "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u NOT VALID",
             "ALTER TABLE t ADD CHECK (a > 0)",
             "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
             "ALTER TABLE t VALIDATE CONSTRAINT positive",
             "ALTER TABLE t ADD UNIQUE (id, a)",
             "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX t_n",
             "ALTER TABLE t ALTER a SET NOT NULL",
             "ALTER TABLE t ALTER id DROP DEFAULT",
             "ALTER TABLE t ALTER a SET DEFAULT 7",
             "ALTER TABLE t DROP COLUMN c",
             "ALTER TABLE t DROP CONSTRAINT positive",
             "ALTER TABLE t ALTER b TYPE varchar(40)",
             "ALTER TABLE t ALTER b TYPE varchar",
             "ALTER TABLE t ALTER b TYPE text",
             "ALTER TABLE t ALTER b TYPE text USING b::text",
             "ALTER TABLE t ALTER b TYPE varchar(10)",
             "ALTER TABLE t ALTER b TYPE text USING upper(b)",
             "ALTER TABLE t ALTER c TYPE varchar",
             "ALTER TABLE t ALTER c TYPE varchar(50)",
             "ALTER TABLE t ALTER n TYPE numeric(12,2)",
             "ALTER TABLE t ALTER n TYPE numeric",
             "ALTER TABLE t ALTER n TYPE numeric(12,3)",
             "ALTER TABLE t ALTER n TYPE numeric(8,2)",
             "ALTER TABLE t ALTER ts TYPE timestamptz(6)",
             "ALTER TABLE t ALTER ts TYPE timestamptz",
             "ALTER TABLE t ALTER ts TYPE timestamptz(1)",
             "ALTER TABLE t ALTER ip TYPE inet",
             "ALTER TABLE t ALTER fixed TYPE char(5)",
             "ALTER TABLE t ALTER fixed TYPE text",
             "ALTER TABLE t ALTER doc TYPE text",
             "ALTER TABLE t ALTER a TYPE bigint",
             "ALTER TABLE t ALTER arr TYPE bigint[]",
             "ALTER TABLE t SET UNLOGGED",
             "ALTER TABLE t SET (fillfactor = 90)",
             "ALTER TABLE t ALTER a SET STATISTICS 500",
             "ALTER TABLE t ALTER c SET STORAGE EXTERNAL",
             "ALTER TABLE t CLUSTER ON t_a",
             "ALTER TABLE t REPLICA IDENTITY FULL",
             "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
             "ALTER TABLE t DISABLE TRIGGER tr",
             "ALTER TABLE t ENABLE TRIGGER tr",
             "ALTER TABLE t RENAME TO v",
             "ALTER TABLE t RENAME a TO z",
             "ALTER TABLE t RENAME CONSTRAINT positive TO other",
             "ALTER TABLE parent ATTACH PARTITION part FOR VALUES FROM (10) TO (20)",
             "ALTER TABLE parent DETACH PARTITION part_one",
             "CREATE TABLE fresh (id bigint PRIMARY KEY REFERENCES u)",
             "CREATE TABLE fresh PARTITION OF parent FOR VALUES FROM (30) TO (40)",
             "CREATE INDEX i ON t (c)",
             "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
             "CREATE POLICY p ON t USING (true)",
             "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
             "CREATE STATISTICS st ON a, n FROM t",
             "DROP TRIGGER tr ON t",
             "REINDEX TABLE t",
             "CLUSTER t USING t_a",
             "REFRESH MATERIALIZED VIEW mv",
             "LOCK TABLE t IN SHARE MODE",
             "LOCK TABLE t",
             "UPDATE t SET a = a + 1000 WHERE id = 1",
             "DELETE FROM t WHERE id = 1",
             "INSERT INTO t (id, a) VALUES (1000, 1000)",
         }) {
        const Migration file = file_of(sql);
        INFO("" << sql);
        CHECK(text_of(said(before, file)) == text_of(done(*session, sql)));
    }
}
