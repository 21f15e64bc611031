// needs: main analytics
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;
using Json = nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Deadline soon() { return Deadline::after(Millis(20'000)); }

}  // namespace

TEST_CASE("up applies files of both stores in one history, and finds nothing to do the second time") {
    MigrateProject project;
    project.file("0001_users.sql", "-- migrate:up\nCREATE TABLE users (id int PRIMARY KEY);\nCREATE INDEX ON users (id);\n-- migrate:down\nDROP TABLE users;\n");
    project.file("0002_prices.sql", "-- migrate:up store:analytics\nCREATE TABLE prices (at DateTime, v Float64) ENGINE = MergeTree ORDER BY at;\nALTER TABLE prices ADD COLUMN source String;\n");
    project.file("0003_more.sql", "INSERT INTO users VALUES (1), (2);");
    project.file("readme.txt", "not a migration");

    const CommandResult first = project.ysdb({"up", "--output", "json"});
    CAPTURE(first.err);
    REQUIRE(first.exit_code == 0);
    CHECK(Json::parse(first.out).at("applied") == 3);
    CHECK(project.pg("SELECT count(*) FROM public.users") == "2");
    CHECK(project.ch("SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 'prices'") == "3");

    const Json status = Json::parse(project.ysdb({"status", "--output", "json"}).out);
    CHECK(status.size() == 4);
    CHECK(status.at("schema") == 1);
    CHECK(status.at("applied") == 3);
    CHECK(status.at("pending") == 0);
    const Json& second = status.at("migrations").at(1);
    CHECK(second.size() == 6);
    CHECK(second.at("version") == "0002");
    CHECK(second.at("name") == "prices");
    CHECK(second.at("store") == "analytics");
    CHECK(second.at("state") == "applied");
    CHECK(second.at("checksum").get<std::string>().size() == 64);
    CHECK(second.at("applied_at").get<std::string>().ends_with("Z"));

    const CommandResult again = project.ysdb({"up"});
    CHECK(again.exit_code == 0);
    CHECK(has(again.out, "nothing to apply"));
    CHECK(project.pg("SELECT count(*) FROM users") == "2");
}

TEST_CASE("a refused statement is shown with its line; what came before stays and nothing of its file does") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    project.file("0002_b.sql", "-- migrate:up\nCREATE TABLE b (id int);\nINSERT INTO b\n\tSELECT 'né', nothing FROM a;\nCREATE TABLE c (id int);\n");
    const CommandResult result = project.ysdb({"up"});
    CHECK(result.exit_code == 5);
    CHECK(has(result.err, "migrations/0002_b.sql:4:15: "));
    CHECK(has(result.err, "column \"nothing\" does not exist (42703)"));
    CHECK(has(result.err, "    4 | \tSELECT 'né', nothing FROM a;\n      | \t             ^^^^^^^\n"));
    CHECK(has(result.err, "1 migration of this run was applied and stays; nothing of 0002_b was kept"));
    CHECK(project.pg("SELECT to_regclass('a') IS NOT NULL AND to_regclass('b') IS NULL") == "t");
    CHECK(states(project) == "0001:applied 0002:pending");

    project.file("0002_b.sql", "CREATE TABLE b (id int);");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:applied");
}

TEST_CASE("a syntax error on ClickHouse is shown at its word, and the statements before it stay applied") {
    MigrateProject project;
    project.file("0001_a.sql", "-- migrate:up store:analytics\nCREATE TABLE a (x Int32) ENGINE = Memory;\nCREATE TABLE b (x Int32)\n  ENGIN = Memory;\n");
    const CommandResult result = project.ysdb({"up"});
    CAPTURE(result.err);
    CHECK(result.exit_code == 5);
    CHECK(has(result.err, "migrations/0001_a.sql:4:3: "));
    CHECK(has(result.err, "statements 1 to 1 of 0001_a are applied and stay"));
    CHECK(states(project) == "0001:partial");
    // What was applied may not change; what was not may.
    project.file("0001_a.sql", "-- migrate:up store:analytics\nCREATE TABLE a (x Int64) ENGINE = Memory;\nCREATE TABLE b (x Int32) ENGINE = Memory;\n");
    const CommandResult edited = project.ysdb({"up"});
    CHECK(edited.exit_code == 7);
    CHECK(has(edited.err, "an unfinished run applied statement 1, which has been edited since"));
    project.file("0001_a.sql", "-- migrate:up store:analytics\nCREATE TABLE a (x Int32) ENGINE = Memory;\nCREATE TABLE b (x Int32) ENGINE = Memory;\n");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(states(project) == "0001:applied");
}

TEST_CASE("a file edited after it was applied is refused with the statement; blanks and comments are no edit") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);\nCREATE TABLE b (id int DEFAULT 1);");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0001_a.sql", "-- a comment\ncreate table A (id   int);\r\nCREATE TABLE b (id int DEFAULT 1) ;\n");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.ysdb({"verify"}).exit_code == 0);
    project.file("0001_a.sql", "CREATE TABLE a (id int);\nCREATE TABLE b (id int DEFAULT 2);");
    const CommandResult up = project.ysdb({"up"});
    CHECK(up.exit_code == 7);
    CHECK(has(up.err, "migrations/0001_a.sql:2:1: edited after it was applied"));
    CHECK(has(up.err, "statement 2 is not what was applied"));
    CHECK(project.ysdb({"verify"}).exit_code == 1);
    CHECK(states(project) == "0001:changed");
}

TEST_CASE("a file that is gone after it was applied is told, and does not stop what comes after") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.remove("0001_a.sql");
    project.file("0002_b.sql", "CREATE TABLE b (id int);");
    const CommandResult up = project.ysdb({"up"});
    CHECK(up.exit_code == 0);
    CHECK(has(up.err, "0001_a was applied, and its file is gone"));
    CHECK(project.ysdb({"verify"}).exit_code == 1);
    CHECK(states(project) == "0001:missing 0002:applied");
}

TEST_CASE("two files of one version, and a version that comes late, are refused") {
    MigrateProject project;
    project.file("0002_b.sql", "CREATE TABLE b (id int);");
    project.file("2_c.sql", "CREATE TABLE c (id int);");
    const CommandResult twins = project.ysdb({"up"});
    CHECK(twins.exit_code == 7);
    CHECK(has(twins.err, "0002_b.sql"));
    CHECK(has(twins.err, "2_c.sql"));
    project.remove("2_c.sql");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    const CommandResult late = project.ysdb({"up"});
    CHECK(late.exit_code == 7);
    CHECK(has(late.err, "a later version is already applied"));
    CHECK(project.ysdb({"up", "--out-of-order"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:applied");
}

TEST_CASE("up stops where --to and --steps say") {
    MigrateProject project;
    for (int i = 1; i <= 5; ++i) project.file("000" + std::to_string(i) + "_t.sql", "CREATE TABLE t" + std::to_string(i) + " (id int);");
    CHECK(project.ysdb({"up", "--to", "2"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:applied 0003:pending 0004:pending 0005:pending");
    CHECK(project.ysdb({"up", "--steps", "1"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:applied 0003:applied 0004:pending 0005:pending");
    CHECK(project.ysdb({"up", "--to", "9"}).exit_code == 7);
}

TEST_CASE("the plan shows statements, locks and sizes, and changes nothing at all") {
    MigrateProject project;
    project.main().query("CREATE TABLE big AS SELECT generate_series(1, 10000) AS id", soon());
    project.file("0001_a.sql", "CREATE INDEX big_id ON big (id);\nCREATE TABLE a (id int);\nALTER TABLE a ADD COLUMN b int;");
    project.file("0002_p.sql", "-- migrate:up store:analytics\nCREATE TABLE p (x Int32) ENGINE = Memory;");
    for (const std::vector<std::string>& words : {std::vector<std::string>{"plan", "--output", "json"}, {"up", "--dry-run", "--output", "json"}}) {
        const Json plan = Json::parse(project.ysdb(words).out);
        REQUIRE(plan.at("steps").size() == 4);
        CHECK(plan.at("steps").at(0).at("locks") == "SHARE on big: blocks writes");
        CHECK(plan.at("steps").at(0).at("size").get<int>() > 100'000);
        CHECK(plan.at("steps").at(2).at("locks") == nullptr);  // nobody sees that table yet
        CHECK(plan.at("steps").at(3).at("store") == "analytics");
        CHECK(plan.at("steps").at(3).at("transaction") == false);
    }
    CHECK(project.pg("SELECT count(*) FROM pg_namespace WHERE nspname = 'ysdb'") == "0");
    CHECK(project.pg("SELECT to_regclass('a') IS NULL") == "t");
}

TEST_CASE("what no transaction can hold is refused in one, with the way out") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY a_id ON a (id);");
    const CommandResult result = project.ysdb({"up"});
    CHECK(result.exit_code == 7);
    CHECK(has(result.err, "migrations/0001_a.sql:2:1: CREATE INDEX CONCURRENTLY a_id ON a cannot run inside a transaction"));
    CHECK(has(result.err, "transaction:false"));
    project.file("0001_a.sql", "BEGIN;\nCREATE TABLE a (id int);\nCOMMIT;");
    CHECK(has(project.ysdb({"up"}).err, "migrations/0001_a.sql:1:1: BEGIN in a migration"));
    CHECK(project.pg("SELECT to_regclass('a') IS NULL") == "t");
}

TEST_CASE("statements that commit by themselves run when the file says transaction:false") {
    MigrateProject project;
    project.file("0001_a.sql", "-- migrate:up transaction:false\nCREATE TABLE a (id int);\nCREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO a VALUES (1); COMMIT; INSERT INTO a VALUES (2); END $$;\n"
                               "CALL p();\nVACUUM a;\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nALTER TABLE a ADD UNIQUE (id);\n");
    const CommandResult result = project.ysdb({"up"});
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    CHECK(project.pg("SELECT count(*) FROM a") == "2");
}

TEST_CASE("pg_dump's way of writing works: COPY rows and a cleared search path that the next file does not see") {
    MigrateProject project;
    project.file("0001_a.sql", "SELECT pg_catalog.set_config('search_path', '', false);\nSET default_tablespace = '';\nCREATE TABLE public.a (id int, t text);\nCOPY public.a (id, t) FROM stdin;\n1\tit's; --\n2\t\\N\n\\.\n\n"
                               "CREATE TEMP TABLE scratch (id int);\n");
    project.file("0002_b.sql", "CREATE TABLE b (id int);\nINSERT INTO b SELECT id FROM a;\nCREATE TEMP TABLE scratch (id int);");
    const CommandResult result = project.ysdb({"up"});
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    CHECK(project.pg("SELECT string_agg(id || coalesce(t, '-'), ' ' ORDER BY id) FROM a") == "1it's; -- 2-");
    CHECK(project.pg("SELECT count(*) FROM public.b") == "2");
}

TEST_CASE("one run works; a second one waits and finds nothing to do, or says who holds the lock and ends with 6") {
    MigrateProject project;
    project.file("0001_slow.sql", "CREATE TABLE gate (id int);\nSELECT pg_advisory_xact_lock(4711);\nCREATE TABLE a (id int);");
    const auto gate = project.main().open_session("gate", soon());
    gate->query("SELECT pg_advisory_lock(4711)", soon());
    CommandResult first, second;
    std::jthread one([&] { first = project.ysdb({"up", "--lock-timeout", "0s"}); });
    REQUIRE(wait_until([&] { return project.pg("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ysdb migrate %' AND wait_event = 'advisory' AND datname = current_database()") == "1"; }));
    const CommandResult refused = project.ysdb({"up", "--lock-wait", "0s"});
    CHECK(refused.exit_code == 6);
    CHECK(has(refused.err, "another run of ysdb migrate holds the lock: pid " + project.pg("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'ysdb migrate %' AND datname = current_database()") + " (ysdb migrate "));
    std::jthread two([&] { second = project.ysdb({"up", "--output", "json"}); });
    REQUIRE(wait_until([&] { return project.pg("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ysdb migrate %' AND datname = current_database()") == "2"; }));
    gate->query("SELECT pg_advisory_unlock(4711)", soon());
    one.join();
    two.join();
    CHECK(first.exit_code == 0);
    CHECK(second.exit_code == 0);
    CHECK(Json::parse(second.out).at("applied") == 0);
}

TEST_CASE("a statement that finds no lock gives way and is tried again until the other transaction ends") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0002_b.sql", "-- migrate:up lock-timeout:50ms\nCREATE TABLE b (id int);\nALTER TABLE a ADD COLUMN x int;");
    const auto reader = project.main().open_session("reader", soon());
    reader->query("BEGIN", soon());
    reader->query("SELECT * FROM a", soon());
    CommandResult result;
    std::jthread run([&] { result = project.ysdb({"up", "--verbose"}); });
    // It gives up its place in the queue between tries: others get in.
    REQUIRE(wait_until([&] { return project.pg("SELECT count(*) FROM pg_locks l JOIN pg_stat_activity s USING (pid) WHERE NOT granted AND application_name LIKE 'ysdb migrate %' AND s.datname = current_database()") == "1"; }));
    REQUIRE(wait_until([&] { return project.pg("SELECT count(*) FROM pg_locks l JOIN pg_stat_activity s USING (pid) WHERE NOT granted AND application_name LIKE 'ysdb migrate %' AND s.datname = current_database()") == "0"; }));
    reader->query("COMMIT", soon());
    run.join();
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    CHECK(has(result.err, "lock not free"));
    CHECK(project.pg("SELECT count(*) FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname = 'x'") == "1");
}

TEST_CASE("an invalid index that a broken build left is removed and built again") {
    MigrateProject project;
    project.main().query("CREATE TABLE a AS SELECT 1 AS id UNION ALL SELECT 1", soon());
    project.file("0001_a.sql", "-- migrate:up transaction:false\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id);");
    const CommandResult broken = project.ysdb({"up"});
    CHECK(broken.exit_code == 5);
    CHECK(has(broken.err, "(23505)"));
    CHECK(project.pg("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == "f");
    project.main().query("DELETE FROM a WHERE ctid = '(0,1)'", soon());
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == "t");
}

TEST_CASE("neither journal nor history nor output keeps the text of a statement") {
    MigrateProject project;
    project.file("0001_a.sql", "-- migrate:up transaction:false\nCREATE TABLE a (t text DEFAULT 'hunter2');\nVACUUM a;\nCREATE INDEX CONCURRENTLY a_t ON a (t) WHERE t <> 'hunter2';");
    const CommandResult plan = project.ysdb({"plan"});
    const CommandResult up = project.ysdb({"up", "--verbose"});
    REQUIRE(up.exit_code == 0);
    CHECK_FALSE(has(plan.out + plan.err + up.out + up.err, "hunter2"));
    CHECK(project.pg("SELECT count(*) FROM ysdb.journal j WHERE j::text LIKE '%hunter2%'") == "0");
    CHECK(project.pg("SELECT count(*) FROM ysdb.migrations m WHERE m::text LIKE '%hunter2%'") == "0");
}

TEST_CASE("verify runs the verify sections, keeps nothing of them, and ends with 1 when one says no") {
    MigrateProject project;
    project.file("0001_a.sql", "-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:verify\nSELECT id FROM a WHERE false;\nSELECT count(*) = 0 FROM a;");
    project.file("0002_p.sql", "-- migrate:up store:analytics\nCREATE TABLE p (x Int32) ENGINE = Memory;\n-- migrate:verify\nSELECT count() = 0 FROM p;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.ysdb({"verify"}).exit_code == 0);
    project.main().query("INSERT INTO a VALUES (1)", soon());
    const CommandResult result = project.ysdb({"verify"});
    CHECK(result.exit_code == 1);
    CHECK(has(result.out, "migrations/0001_a.sql:5:1: the answer is no"));
}

TEST_CASE("a database that had its schema before starts from a baseline") {
    MigrateProject project;
    project.main().query("CREATE TABLE a (id int)", soon());
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    project.file("0002_b.sql", "CREATE TABLE b (id int);");
    CHECK(project.ysdb({"baseline", "0001", "--dry-run"}).exit_code == 0);
    CHECK(states(project) == "0001:pending 0002:pending");
    CHECK(project.ysdb({"baseline", "0001"}).exit_code == 0);
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:applied");
}

TEST_CASE("a new file sorts behind the others and is applied once it holds a statement") {
    MigrateProject project;
    project.file("99990101000000_far.sql", "SELECT 1;");
    const CommandResult result = project.ysdb({"new", "Add users' e-mail", "--store", "analytics", "--output", "json"});
    REQUIRE(result.exit_code == 0);
    CHECK(Json::parse(result.out).at("file") == "migrations/99990101000001_add_users_e_mail.sql");
    const CommandResult empty = project.ysdb({"up"});
    CHECK(empty.exit_code == 7);
    CHECK(has(empty.err, "99990101000001_add_users_e_mail.sql: no statement to apply"));
    CHECK(project.ysdb({"new", "x", "--store", "analitics"}).exit_code == 3);
}

TEST_CASE("a project on ClickHouse alone keeps its history and its lock there") {
    MigrateProject project(MigrateProject::Home::clickhouse);
    project.file("0001_a.sql", "CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x;\nINSERT INTO a VALUES (1), (2);");
    const CommandResult result = project.ysdb({"up"});
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    CHECK(states(project) == "0001:applied");
    const std::string lock = "ysdb.`lock migrate " + project.ch("SELECT currentDatabase()") + "`";
    project.analytics().query("CREATE TABLE " + lock + " (at DateTime64(3) DEFAULT now64(3)) ENGINE = MergeTree ORDER BY tuple() COMMENT 'run r on somewhere'", soon());
    project.file("0002_b.sql", "CREATE TABLE b (x Int32) ENGINE = Memory;");
    const CommandResult locked = project.ysdb({"up", "--lock-wait", "0s"});
    CHECK(locked.exit_code == 6);
    CHECK(has(locked.err, "run r on somewhere"));
    project.analytics().query("DROP TABLE " + lock, soon());
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.ch("SELECT count() FROM system.tables WHERE database = 'ysdb' AND name = 'lock migrate ' || currentDatabase()") == "0");
}

TEST_CASE("a role without rights is told what it lacks") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    const std::string role = unique_name();
    project.main().query("CREATE ROLE " + role + " LOGIN", soon());
    project.file("0001_a.sql", "SET SESSION AUTHORIZATION " + role + ";\nCREATE TABLE pg_catalog.a (id int);");
    const CommandResult result = project.ysdb({"up"});
    CHECK(result.exit_code == 5);
    CHECK(has(result.err, "(42501)"));
    CHECK(has(result.err, "migrations/0001_a.sql:2:"));
    project.main().query("DROP ROLE " + role, soon());
}

namespace {

// A role that may do everything; gone at the end. It is the whole server's: no other test may use this name.
class Role {
public:
    Role(SqlStore& store, const std::string& name) : store_(store), name_(name) { store_.query("CREATE ROLE \"" + name_ + "\" LOGIN SUPERUSER PASSWORD 'pw'", soon()); }
    ~Role() { store_.query("DROP OWNED BY \"" + name_ + "\"; DROP ROLE \"" + name_ + "\"", soon()); }
    Role(const Role&) = delete;
    Role& operator=(const Role&) = delete;

private:
    SqlStore& store_;
    std::string name_;
};

}  // namespace

TEST_CASE("a search_path that leads into ysdb's own schema is refused before anything is made, however it comes about") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    const auto check_refused = [&](const std::string& path, const std::string& role) {
        CAPTURE(path);
        for (const auto& command : std::vector<std::vector<std::string>>{{"up"}, {"up", "--dry-run"}, {"plan"}}) {
            const CommandResult result = project.ysdb(command);
            CHECK(result.exit_code == 7);
            CHECK_MESSAGE(has(result.err, "role " + role + " has search_path = " + path), result.err);
            CHECK(has(result.err, "ALTER ROLE \"" + role + "\" SET search_path"));
        }
        CHECK(project.pg("SELECT count(*) FROM pg_namespace WHERE nspname = 'ysdb'") == "0");
    };
    const std::string database = project.pg("SELECT current_database()"), lab_role = project.pg("SELECT current_user");
    for (const char* path : {"ysdb", "public, ysdb"}) {
        project.main().query("ALTER DATABASE " + database + " SET search_path = " + path, soon());
        check_refused(path, lab_role);
    }
    project.main().query("ALTER DATABASE " + database + " SET search_path = \"$user\", ysdb_of_others, public", soon());
    CHECK(project.ysdb({"plan"}).exit_code == 0);
    project.main().query("ALTER DATABASE " + database + " RESET search_path", soon());

    const Role role(project.main(), "ysdb");
    project.login("ysdb", "pw");
    check_refused("\"$user\", public", "ysdb");
    project.login("ysdb", "pw", "options=-csearch_path%3Dpublic");
    const CommandResult up = project.ysdb({"up"});
    CHECK_MESSAGE(up.exit_code == 0, up.err);
    CHECK(project.pg("SELECT to_regclass('public.a') IS NOT NULL AND to_regclass('ysdb.a') IS NULL") == "t");
    // With nothing to apply there is nothing to refuse.
    project.login("ysdb", "pw");
    CHECK(project.ysdb({"up"}).exit_code == 0);
}
