// needs: main analytics
#include <doctest/doctest.h>

#include "core/base/file.h"
#include "core/base/process.h"
#include "core/schema/model.h"
#include "tests/live/schemas.h"
#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(60'000)); }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string dump_of(const StoreConfig& config, const schema::ReadOptions& options = {}) {
    const auto store = open_store(config);
    return schema::dump(schema::read(*store, options, soon()));
}

// Applies a file as a user would: with the product's own rules for statements, by our own migrations.
void apply_text(const StoreConfig& config, const std::string& text) {
    TempDir directory;
    std::filesystem::create_directory(directory.path() / "migrations");
    write_file_atomically(directory.path() / "migrations" / "1_all.sql", text);
    write_file_atomically(directory.path() / "ysdb.toml", "[stores.main]\nurl = \"" + config.url + "\"\n");
    const CommandResult result = run_ysdb({"migrate", "up"}, {{"XDG_CONFIG_HOME", "/nonexistent"}}, directory.string());
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
}

// What pg_dump knows of the schema, without what differs from run to run and without orders that mean nothing.
std::string pg_dump_of(const StoreConfig& config) {
    const CommandResult result = run_command({{"pg_dump", "--schema-only", "--exclude-schema=ysdb", config.url}}, soon());
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    std::string text;
    for (std::size_t at = 0; at < result.out.size();) {
        const auto end = std::min(result.out.find('\n', at), result.out.size());
        const std::string line = result.out.substr(at, end - at);
        if (!line.starts_with("\\restrict") && !line.starts_with("\\unrestrict") && !line.starts_with("WITH (") && !has(line, "WHEN TAG IN")) text += line + "\n";
        at = end + 1;
    }
    return text;
}

}  // namespace

TEST_CASE("an odd PostgreSQL schema, dumped and applied to an empty database, is dumped the same, and pg_dump sees no difference") {
    const TestDatabase first, second;
    apply_text(first.config(), read_file(YSDB_SOURCE_DIR "/tests/live/odd_schema.sql"));
    const std::string dump = dump_of(first.config());
    apply_text(second.config(), dump);
    CHECK(dump_of(second.config()) == dump);
    if (find_program("pg_dump")) CHECK(pg_dump_of(second.config()) == pg_dump_of(first.config()));
    // A few that are easily lost.
    CHECK(has(dump, "GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 5) NOT NULL"));
    CHECK(has(dump, "ALTER INDEX public.m_pkey ATTACH PARTITION public.m_rest_pkey;"));
    CHECK(has(dump, "ALTER TABLE public.base ENABLE ALWAYS TRIGGER t1;"));
    CHECK(has(dump, "CREATE EXTENSION IF NOT EXISTS citext"));
    CHECK(!has(dump, "citext_eq"));
    CHECK(!has(dump, "ysdb.migrations"));
}

TEST_CASE("a schema made in another order is dumped the same") {
    const TestDatabase first, second;
    apply_text(first.config(), "CREATE TABLE a (id int PRIMARY KEY, x text); CREATE TABLE b (id int REFERENCES a, y int);"
                               "CREATE INDEX b_y ON b (y); CREATE INDEX a_x ON a (x); CREATE VIEW v AS SELECT x FROM a; CREATE VIEW w AS SELECT y FROM b;");
    apply_text(second.config(), "CREATE TABLE b (id int, gone int, y int); CREATE VIEW w AS SELECT y FROM b; CREATE TABLE a (id int, x text); CREATE VIEW v AS SELECT x FROM a;"
                                "CREATE INDEX a_x ON a (x); CREATE INDEX b_y ON b (y); ALTER TABLE a ADD PRIMARY KEY (id); ALTER TABLE b DROP COLUMN gone, ADD FOREIGN KEY (id) REFERENCES a;");
    CHECK(dump_of(first.config()) == dump_of(second.config()));
}

TEST_CASE("grants and owners are in the dump when asked for, and apply again") {
    const TestDatabase first, second;
    const std::string role = unique_name() + "_r";
    apply_text(first.config(), "CREATE ROLE " + role + "; CREATE TABLE t (id int); GRANT SELECT, INSERT ON t TO " + role + " WITH GRANT OPTION; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
                               "REVOKE ALL ON FUNCTION f() FROM PUBLIC; CREATE TABLE owned (id int); ALTER TABLE owned OWNER TO " + role + "; CREATE VIEW v AS SELECT 1;");
    CHECK(!has(dump_of(first.config()), role));
    const std::string dump = dump_of(first.config(), {true});
    CHECK(has(dump, "GRANT INSERT, SELECT ON TABLE public.t TO " + role + " WITH GRANT OPTION;"));
    CHECK(has(dump, "ALTER TABLE public.owned OWNER TO " + role + ";"));
    apply_text(second.config(), dump);
    CHECK(dump_of(second.config(), {true}) == dump);
    for (const TestDatabase* database : {&first, &second}) open_store(database->config())->sql()->query("DROP OWNED BY " + role, soon());
    open_store(first.config())->sql()->query("DROP ROLE " + role, soon());
}

TEST_CASE("the shipped schemas come back byte for byte, PostgreSQL and ClickHouse") {
    for (const std::string name : {"yieldsensei", "solana"}) {
        CAPTURE(name);
        const TestDatabase first, second;
        const TestClickHouse one, two;
        TestContext context({first.config(), one.config()});
        apply_schema(*context, name, "main");
        const std::string postgres = dump_of(first.config());
        CHECK(postgres.size() > 3000);
        apply_text(second.config(), postgres);
        CHECK(dump_of(second.config()) == postgres);
        if (name == "solana") continue;  // has no ClickHouse
        apply_schema(*context, name, "analytics");
        const std::string clickhouse = dump_of(one.config());
        CHECK(clickhouse.size() > 3000);
        apply_text(two.config(), clickhouse);
        CHECK(dump_of(two.config()) == clickhouse);
    }
}

TEST_CASE("a dump names what it has no SQL for, and replaces a file in one step") {
    const TestDatabase database;
    apply_text(database.config(), "CREATE FOREIGN DATA WRAPPER nothing; CREATE TABLE t (id int);");
    TempDir directory;
    write_file_atomically(directory.path() / "ysdb.toml", "[stores.main]\nurl = \"" + database.config().url + "\"\n");
    const CommandResult result = run_ysdb({"migrate", "dump", "--file", "schema.sql"}, {{"XDG_CONFIG_HOME", "/nonexistent"}}, directory.string());
    CHECK(result.exit_code == 0);
    CHECK(has(result.err, "not in the dump: foreign-data wrapper nothing"));
    CHECK(read_file(directory.path() / "schema.sql") == dump_of(database.config()));
}

TEST_CASE("ClickHouse: names lose the database, text keeps it; a view comes behind what it reads") {
    const TestClickHouse first, second;
    const auto store = open_store(first.config());
    const std::string database = store->sql()->query("SELECT currentDatabase()", soon()).row(0).text(0);
    for (const std::string& sql : {std::string("CREATE TABLE zt (id UInt64, s String DEFAULT '" + database + ".x') ENGINE = MergeTree ORDER BY id COMMENT 'it''s'"),
                                   std::string("CREATE VIEW zv AS SELECT id FROM zt"), std::string("CREATE VIEW av AS SELECT id FROM zv"),
                                   std::string("CREATE TABLE target (id UInt64) ENGINE = MergeTree ORDER BY id"),
                                   std::string("CREATE MATERIALIZED VIEW mv TO target AS SELECT id FROM zt"),
                                   std::string("CREATE DICTIONARY d (id UInt64, s String) PRIMARY KEY id SOURCE(CLICKHOUSE(TABLE 'zt')) LIFETIME(60) LAYOUT(FLAT())")}) {
        store->sql()->query(sql, soon());
    }
    const std::string dump = dump_of(first.config());
    CHECK(!has(dump, database + ".zt"));
    CHECK(has(dump, "'" + database + ".x'"));
    CHECK(dump.find("CREATE VIEW zv") < dump.find("CREATE VIEW av"));
    apply_text(second.config(), dump);
    CHECK(dump_of(second.config()) == dump);
}
