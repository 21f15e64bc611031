// needs: main analytics
// Kinds of files beside the versioned ones: repeatable, for some environments only, callbacks; and variables in all of them.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;
using Json = nlohmann::json;

namespace {

constexpr int killed = 128 + 9;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Json up(const MigrateProject& project) {
    const CommandResult result = project.ysdb({"up", "--output", "json"});
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    return Json::parse(result.out);
}

}  // namespace

TEST_CASE("a repeatable file runs after the versions, and again whenever it changes, by name") {
    for (const auto home : {MigrateProject::Home::postgres, MigrateProject::Home::clickhouse}) {
        const bool postgres = home == MigrateProject::Home::postgres;
        MigrateProject project(home);
        const std::string engine = postgres ? "" : " ENGINE = MergeTree ORDER BY tuple()";
        project.file("R__b_view.sql", "CREATE OR REPLACE VIEW b_view AS SELECT x FROM a_view;");
        project.file("R__a_view.sql", "CREATE OR REPLACE VIEW a_view AS SELECT x FROM t;");
        project.file("0001_t.sql", "-- migrate:up\nCREATE TABLE t (x int)" + engine + ";\n-- migrate:down\n" + (postgres ? "DROP TABLE t CASCADE;" : "DROP TABLE t;"));
        const Json first = up(project);
        REQUIRE(first.at("migrations").size() == 3);
        CHECK(first.at("migrations").at(1).at("version") == "R__a_view");
        CHECK(first.at("migrations").at(2).at("version") == "R__b_view");
        CHECK(states(project) == "0001:applied R__a_view:applied R__b_view:applied");
        CHECK(up(project).at("applied") == 0);

        project.file("R__a_view.sql", "CREATE OR REPLACE VIEW a_view AS SELECT x, 2 AS two FROM t;");
        CHECK(states(project) == "0001:applied R__a_view:pending R__b_view:applied");
        CHECK(project.ysdb({"verify"}).exit_code == 0);
        const Json second = up(project);
        CHECK(second.at("applied") == 1);
        CHECK(states(project) == "0001:applied R__a_view:applied R__b_view:applied");
        // A later version is not late because of them; down leaves them.
        project.file("0002_u.sql", "CREATE TABLE u (x int)" + engine + ";");
        CHECK(up(project).at("applied") == 1);
        project.remove("0002_u.sql");
        CHECK(project.ysdb({"down", "--yes"}).exit_code == 7);
        project.file("0002_u.sql", "-- migrate:up\nCREATE TABLE u (x int)" + engine + ";\n-- migrate:down\nDROP TABLE u;");
        CHECK(project.ysdb({"down", "--yes"}).exit_code == 0);
        CHECK(states(project) == "0001:applied 0002:pending R__a_view:applied R__b_view:applied");
    }
}

TEST_CASE("repeatable files wait while --to or --steps hold versions back, and have no way back") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    project.file("0002_b.sql", "CREATE TABLE b (id int);");
    project.file("R__v.sql", "CREATE OR REPLACE VIEW v AS SELECT * FROM b;");
    CHECK(project.ysdb({"up", "--to", "1"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:pending R__v:pending");
    CHECK(project.ysdb({"up", "--steps", "1"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:applied R__v:applied");
    project.file("R__v.sql", "-- migrate:up\nCREATE OR REPLACE VIEW v AS SELECT * FROM b;\n-- migrate:down\nDROP VIEW v;");
    const CommandResult result = project.ysdb({"up"});
    CHECK(result.exit_code == 7);
    CHECK(has(result.err, "migrations/R__v.sql:4:1: a repeatable migration has no way back"));
}

TEST_CASE("a repeatable file whose run was killed goes on where it was; edited meanwhile, it begins anew") {
    for (const bool edited : {false, true}) {
        MigrateProject project;
        project.file("0001_log.sql", "CREATE TABLE log (n serial, did text);");
        project.file("R__r.sql", "-- migrate:up transaction:false\nINSERT INTO log (did) VALUES ('a');\nINSERT INTO log (did) VALUES ('b');");
        REQUIRE(project.ysdb({"up"}, "plan.unit.after:2").exit_code == killed);
        CHECK(states(project) == "0001:applied R__r:partial");
        if (edited) project.file("R__r.sql", "-- migrate:up transaction:false\nINSERT INTO log (did) VALUES ('c');\nINSERT INTO log (did) VALUES ('b');");
        CHECK(project.ysdb({"up"}).exit_code == 0);
        CHECK(project.pg("SELECT string_agg(did, ' ' ORDER BY n) FROM log") == (edited ? "a c b" : "a b"));
        CHECK(states(project) == "0001:applied R__r:applied");
    }
}

TEST_CASE("a file for other environments is skipped, and applied without ado once this is one of them") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    project.file("0002_seed.sql", "-- migrate:up env:dev,test\nINSERT INTO a VALUES (1);");
    project.file("0003_b.sql", "CREATE TABLE b (id int);");
    CHECK(up(project).at("applied") == 2);
    CHECK(states(project) == "0001:applied 0002:skipped 0003:applied");
    const CommandResult status = project.ysdb({"status"});
    CHECK(has(status.out, "skipped, for another environment"));
    CHECK_FALSE(has(status.err, "a later version is already applied"));
    CHECK(states(project, {"--env", "test"}) == "0001:applied 0002:pending 0003:applied");
    CHECK(project.pg("SELECT count(*) FROM a") == "0");
    project.configure_migrate("environment = \"dev\"\n");
    CHECK(up(project).at("applied") == 1);
    CHECK(project.pg("SELECT count(*) FROM a") == "1");
    // Applied is applied, wherever this is.
    CHECK(states(project, {"--env", "production"}) == "0001:applied 0002:applied 0003:applied");
    project.file("0004_bad.sql", "-- migrate:up env:\nSELECT 1;");
    CHECK(has(project.ysdb({"up"}).err, "0004_bad.sql:1:15: env: names no environment"));
}

TEST_CASE("callbacks run around an up that has something to apply, and leave nothing in the history") {
    for (const auto home : {MigrateProject::Home::postgres, MigrateProject::Home::clickhouse}) {
        MigrateProject project(home);
        const bool postgres = home == MigrateProject::Home::postgres;
        SqlStore& store = postgres ? project.main() : project.analytics();
        const auto log = [&] { return postgres ? project.pg("SELECT string_agg(did, ' ' ORDER BY at) FROM log") : project.ch("SELECT arrayStringConcat(groupArray(did), ' ') FROM (SELECT did FROM log ORDER BY at)"); };
        store.query(postgres ? "CREATE TABLE log (did text, at timestamptz DEFAULT clock_timestamp())" : "CREATE TABLE log (did String, at DateTime64(6) DEFAULT now64(6)) ENGINE = MergeTree ORDER BY at", Deadline::after(Millis(20'000)));
        project.file("before-up.sql", "INSERT INTO log (did) VALUES ('before');");
        project.file("after-up.sql", "INSERT INTO log (did) VALUES ('after');");
        project.file("0001_a.sql", "INSERT INTO log (did) VALUES ('a');");
        const Json first = up(project);
        CHECK(first.at("applied") == 1);
        CHECK(log() == "before a after");
        CHECK(states(project) == "0001:applied");
        CHECK(up(project).at("applied") == 0);
        CHECK(log() == "before a after");
        project.file("0002_b.sql", "INSERT INTO log (did) VALUES ('b');");
        CHECK(Json::parse(project.ysdb({"plan", "--output", "json"}).out).at("steps").size() == 3);
        CHECK(up(project).at("applied") == 1);
        CHECK(log() == "before a after before b after");
    }
}

TEST_CASE("a refused callback stops the run at its place: before-up with nothing applied, after-up behind what is") {
    MigrateProject project;
    project.file("before-up.sql", "SELECT 1;\nSELECT nothing;");
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    const CommandResult before = project.ysdb({"up"});
    CHECK(before.exit_code == 5);
    CHECK(has(before.err, "migrations/before-up.sql:2:8: "));
    CHECK(states(project) == "0001:pending");
    project.remove("before-up.sql");
    project.file("after-up.sql", "SELECT nothing;");
    const CommandResult after = project.ysdb({"up"});
    CHECK(after.exit_code == 5);
    CHECK(has(after.err, "migrations/after-up.sql:1:8: "));
    CHECK(states(project) == "0001:applied");
}

TEST_CASE("variables come from configuration and environment, and their values stay out of history, journal, plan and errors") {
    MigrateProject project;
    project.configure_migrate("[migrate.variables]\nschema = \"market\"\nsecret = \"hunter22\"\n");
    project.file("0001_a.sql", "-- migrate:up\nCREATE SCHEMA ${schema};\nCREATE TABLE ${SCHEMA}.a (t text DEFAULT '${secret}', u text DEFAULT '$${literal}', v text DEFAULT $${\"json\": 1}$$);\n-- ${nobody}\n"
                               "CREATE FUNCTION ${schema}.f() RETURNS text LANGUAGE sql AS $f$ SELECT '${secret}'::text $f$;\n-- migrate:verify\nSELECT count(*) = 0 FROM ${schema}.a;");
    project.file("0002_alone.sql", "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY a_${tag} ON ${schema}.a (t) WHERE t <> '${secret}';");
    const std::map<std::string, std::string> environment{{"YSDB_MIGRATE_VARIABLES_TAG", "fromoutside"}};
    const CommandResult plan = project.ysdb({"plan"}, "", environment);
    CAPTURE(plan.err);
    CHECK(has(plan.out, "CREATE TABLE ${SCHEMA}.a"));
    CHECK(has(plan.out, "CREATE INDEX CONCURRENTLY a_${tag} ON ${schema}.a"));
    // Killed over the index: the look that settles it knows its real name.
    REQUIRE(project.ysdb({"up", "--verbose"}, "plan.run.after:2", environment).exit_code == killed);
    const CommandResult result = project.ysdb({"up", "--verbose"}, "", environment);
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    CHECK(project.pg("SELECT indisvalid FROM pg_index WHERE indexrelid = 'market.a_fromoutside'::regclass") == "t");
    project.main().query("INSERT INTO market.a DEFAULT VALUES", Deadline::after(Millis(20'000)));
    CHECK(project.pg("SELECT t || ' ' || u || ' ' || v || ' ' || market.f() FROM market.a") == "hunter22 ${literal} {\"json\": 1} hunter22");
    CHECK(project.ysdb({"verify"}).exit_code == 1);  // the verify section sees its variable too: there is a row now
    project.file("0003_bad.sql", "SELECT 'hunter22', ${schema}, no_such_column;\nSELECT 1;");
    const CommandResult bad = project.ysdb({"up", "--verbose"}, "", environment);
    CHECK(bad.exit_code == 5);
    CHECK(has(bad.err, "migrations/0003_bad.sql:1:20: "));
    CHECK_FALSE(has(bad.err, "\"market\""));
    for (const std::string& value : {std::string("hunter22"), std::string("fromoutside")}) {
        CAPTURE(value);
        CHECK_FALSE(has(plan.out + plan.err + result.out + result.err, value));
        CHECK(project.pg("SELECT count(*) FROM ysdb.journal j WHERE j::text LIKE '%" + value + "%'") == "0");
        CHECK(project.pg("SELECT count(*) FROM ysdb.migrations m WHERE m::text LIKE '%" + value + "%'") == "0");
    }
    // Another value is no edit of the file.
    project.file("0003_bad.sql", "SELECT 1;");
    CHECK(project.ysdb({"up"}, "", {{"YSDB_MIGRATE_VARIABLES_SECRET", "other"}}).exit_code == 0);
}

TEST_CASE("a variable without a value stops the run before anything is applied, at its place; a file may say that it has none") {
    MigrateProject project;
    project.configure_migrate("[migrate.variables]\nschema = \"public\"\n");
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    project.file("0002_b.sql", "SELECT 1;\nSELECT '${shema}';");
    const CommandResult result = project.ysdb({"up"});
    CHECK(result.exit_code == 7);
    CHECK(has(result.err, "migrations/0002_b.sql:2:9: nothing gives the variable 'shema' a value; did you mean 'schema'?"));
    CHECK(states(project) == "0001:pending 0002:pending");
    project.file("0002_b.sql", "SELECT '${1}';");
    CHECK(has(project.ysdb({"up"}).err, "migrations/0002_b.sql:1:9: no name of a variable follows"));
    project.file("0002_b.sql", "-- migrate:up variables:false\nCREATE TABLE b AS SELECT '${shema} ${1}'::text AS t;");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT t FROM b") == "${shema} ${1}");
}

TEST_CASE("a file that is edited while a run is at work is refused when its turn comes, and what was done before stays") {
    MigrateProject project;
    project.file("001_a.sql", "CREATE TABLE a (id int);\nSELECT pg_sleep(3);");
    const auto name = [](int number) { return (number < 100 ? "0" : "") + std::string(number < 10 ? "0" : "") + std::to_string(number) + "_x.sql"; };
    for (int i = 2; i <= 200; ++i) project.file(name(i), "INSERT INTO a VALUES (" + std::to_string(i) + ");");
    CommandResult up;
    std::jthread run([&] { up = project.ysdb({"up"}); });
    REQUIRE(wait_until([&] { return project.pg("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()") == "1"; }));
    project.file(name(200), "INSERT INTO a VALUES (2000);");
    run.join();
    CAPTURE(up.err);
    CHECK(up.exit_code == 7);
    CHECK(has(up.err, "migrations/200_x.sql: edited while this run was at work"));
    const int applied = std::stoi(project.pg("SELECT count(*) FROM ysdb.migrations"));
    CHECK(applied > 100);
    CHECK(applied < 200);
    CHECK(project.pg("SELECT count(*) FROM a") == std::to_string(applied - 1));
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT max(id) || ' ' || count(*) FROM a") == "2000 199");
}
