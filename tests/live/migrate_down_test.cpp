// needs: main analytics
// takes: 110
// The way back: what was applied last goes first, each with its row of the history, and a run that is killed is taken up.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;
using Json = nlohmann::json;

namespace {

constexpr int killed = 128 + 9;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Each statement leaves a line, so that one that ran twice or never shows.
void mixed_files(const MigrateProject& project) {
    project.file("0001_log.sql", "CREATE TABLE log (n serial, did text);\nCREATE TABLE a (id int);");
    project.file("0002_plain.sql", "-- migrate:up\nCREATE TABLE b (id int);\nINSERT INTO log (did) VALUES ('up2');\n-- migrate:down\nDROP TABLE b;\nINSERT INTO log (did) VALUES ('down2');");
    project.file("0003_alone.sql", "-- migrate:up transaction:false\nINSERT INTO log (did) VALUES ('up3');\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n"
                                   "-- migrate:down\nINSERT INTO log (did) VALUES ('down3a');\nDROP INDEX CONCURRENTLY a_id;\nINSERT INTO log (did) VALUES ('down3b');");
    project.file("0004_analytics.sql", "-- migrate:up store:analytics\nCREATE TABLE p (x Int32) ENGINE = MergeTree ORDER BY x;\nALTER TABLE p ADD COLUMN y Int32;\n"
                                       "-- migrate:down\nALTER TABLE p DROP COLUMN y;\nDROP TABLE p;");
}

std::string log_of(const MigrateProject& project) { return project.pg("SELECT string_agg(did, ' ' ORDER BY n) FROM log"); }
std::string tables_of_p(const MigrateProject& project) { return project.ch("SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 'p'"); }

const auto points = std::to_array<const char*>({"migrate.lock.after", "migrate.redo.after", "plan.unit.before", "plan.unit.after", "plan.intent.before", "plan.intent.after", "plan.run.before", "plan.run.after",
                                                "plan.outcome.before", "plan.outcome.after", "plan.record.before", "plan.record.after", "postgres.script.sent"});

}  // namespace

TEST_CASE("down takes back what was applied last, and up applies it again") {
    MigrateProject project;
    mixed_files(project);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    const Json down = Json::parse(project.ysdb({"down", "--yes", "--output", "json"}).out);
    CHECK(down.at("taken_back") == 1);
    CHECK(down.at("migrations").at(0).at("version") == "0004");
    CHECK(tables_of_p(project) == "0");
    CHECK(states(project) == "0001:applied 0002:applied 0003:applied 0004:pending");
    CHECK(project.ysdb({"down", "2", "--yes"}).exit_code == 0);
    CHECK(log_of(project) == "up2 up3 down3a down3b down2");
    CHECK(states(project) == "0001:applied 0002:pending 0003:pending 0004:pending");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.ysdb({"down", "--to", "2", "--yes"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:applied 0003:pending 0004:pending");
    CHECK(project.ysdb({"down", "--to", "3", "--yes"}).exit_code == 7);
    CHECK(project.ysdb({"down", "--to", "2", "--yes"}).exit_code == 0);
    CHECK(has(project.ysdb({"down", "--to", "2", "--yes"}).out, "nothing to take back"));
}

TEST_CASE("what came out of order goes back in the order in which it was applied, not in that of versions") {
    MigrateProject project;
    project.file("0001_a.sql", "-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:down\nDROP TABLE a;");
    project.file("0003_c.sql", "-- migrate:up\nCREATE TABLE c (id int);\n-- migrate:down\nDROP TABLE c;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0002_b.sql", "-- migrate:up\nCREATE TABLE b (id int);\n-- migrate:down\nDROP TABLE b;");
    REQUIRE(project.ysdb({"up", "--out-of-order"}).exit_code == 0);
    CHECK(project.ysdb({"down", "--yes"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:pending 0003:applied");
    CHECK(project.ysdb({"down", "--to", "0", "--yes"}).exit_code == 0);
    CHECK(project.pg("SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b', 'c') AND relkind = 'r'") == "0");
}

TEST_CASE("a clock that was wrong does not change what was applied last, and a history that an earlier ysdb made is told by its clock until it is numbered") {
    MigrateProject project;
    const auto file = [&](const std::string& version) { project.file(version + "_x.sql", "-- migrate:up\nCREATE TABLE t" + version + " (id int);\n-- migrate:down\nDROP TABLE t" + version + ";"); };
    file("0001");
    file("0002");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.pg("UPDATE ysdb.migrations SET applied_at = '2099-01-01' WHERE version = '0001'");
    project.pg("UPDATE ysdb.migrations SET applied_at = '1999-01-01' WHERE version = '0002'");
    CHECK(project.ysdb({"down", "--yes"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:pending");

    // As it was made before there was a number, in years to come.
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.pg("UPDATE ysdb.migrations SET applied_at = '2098-01-01' WHERE version = '0002'");
    project.pg("ALTER TABLE ysdb.migrations DROP COLUMN seq");
    CHECK(states(project) == "0001:applied 0002:applied");
    file("0003");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT string_agg(version, ' ' ORDER BY seq) FROM ysdb.migrations") == "0002 0001 0003");
    CHECK(project.ysdb({"down", "--yes"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:applied 0003:pending");
    CHECK(project.ysdb({"down", "--yes"}).exit_code == 0);
    CHECK(states(project) == "0001:pending 0002:applied 0003:pending");
}

TEST_CASE("a role that may not number the history of another goes on without, and says so") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.pg("ALTER TABLE ysdb.migrations DROP COLUMN seq");
    const std::string role = unique_name() + "_runner";
    project.pg("CREATE ROLE " + role + " LOGIN PASSWORD 'x'");
    project.main().query("GRANT USAGE ON SCHEMA ysdb TO " + role + "; GRANT ALL ON ALL TABLES IN SCHEMA ysdb TO " + role + "; GRANT ALL ON ALL SEQUENCES IN SCHEMA ysdb TO " + role + "; GRANT ALL ON SCHEMA public TO " + role, Deadline::after(Millis(20'000)));
    project.login(role, "x");
    project.file("0002_b.sql", "CREATE TABLE b (id int);");
    const CommandResult result = project.ysdb({"up"});
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    CHECK(has(result.err, "let that role run ysdb migrate up once"));
    CHECK(states(project) == "0001:applied 0002:applied");
    project.pg("DROP OWNED BY " + role);
    project.pg("DROP ROLE " + role);
}

TEST_CASE("down asks: without a terminal it ends with 7 and the command to type; --dry-run shows the statements") {
    MigrateProject project;
    mixed_files(project);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    const CommandResult unasked = project.ysdb({"down", "2"});
    CHECK(unasked.exit_code == 7);
    CHECK(has(unasked.err, "Take back 0004_analytics, 0003_alone?"));
    CHECK(has(unasked.err, "ysdb migrate down 2 --yes"));
    CHECK(project.ysdb({"redo"}).exit_code == 7);
    const Json plan = Json::parse(project.ysdb({"down", "2", "--dry-run", "--output", "json"}).out);
    REQUIRE(plan.at("steps").size() == 5);
    CHECK(plan.at("steps").at(0).at("what") == "ALTER TABLE p");
    CHECK(plan.at("steps").at(3).at("what") == "DROP INDEX CONCURRENTLY a_id");
    CHECK(plan.at("steps").at(3).at("transaction") == false);
    CHECK(states(project) == "0001:applied 0002:applied 0003:applied 0004:applied");
    CHECK(project.ysdb({"down", "x", "--yes"}).exit_code == 2);
    CHECK(project.ysdb({"down", "0", "--yes"}).exit_code == 2);
}

TEST_CASE("a file that knows no way back, was edited or is gone is refused before anything is taken back") {
    MigrateProject project;
    mixed_files(project);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    const CommandResult no_way = project.ysdb({"down", "4", "--yes"});
    CHECK(no_way.exit_code == 7);
    CHECK(has(no_way.err, "migrations/0001_log.sql: it has no statement below a migrate:down line"));
    CHECK(states(project) == "0001:applied 0002:applied 0003:applied 0004:applied");
    project.file("0004_analytics.sql", "-- migrate:up store:analytics\nCREATE TABLE p (x Int64) ENGINE = MergeTree ORDER BY x;\n-- migrate:down\nDROP TABLE p;");
    const CommandResult edited = project.ysdb({"down", "--yes"});
    CHECK(edited.exit_code == 7);
    CHECK(has(edited.err, "edited after it was applied"));
    project.remove("0004_analytics.sql");
    const CommandResult gone = project.ysdb({"down", "--yes"});
    CHECK(gone.exit_code == 7);
    CHECK(has(gone.err, "its file is gone"));
}

TEST_CASE("a refused statement of migrate:down is shown at its place, and on PostgreSQL nothing of its file was taken back") {
    MigrateProject project;
    project.file("0001_a.sql", "-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:down\nDROP TABLE a;\nDROP TABLE nothing;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    const CommandResult result = project.ysdb({"down", "--yes"});
    CHECK(result.exit_code == 5);
    CHECK(has(result.err, "migrations/0001_a.sql:5:1: "));
    CHECK(has(result.err, "nothing of 0001_a was taken back; correct it, then go on: ysdb migrate down"));
    CHECK(states(project) == "0001:applied");
    // The section may be corrected: it was never applied.
    project.file("0001_a.sql", "-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:down\nDROP TABLE a;");
    CHECK(project.ysdb({"down", "--yes"}).exit_code == 0);
}

TEST_CASE("killed at any fault point, the same down ends well and nothing has run twice") {
    int kills = 0;
    for (const char* point : points) {
        for (int pass = 1; pass < 20; ++pass) {
            MigrateProject project;
            mixed_files(project);
            REQUIRE(project.ysdb({"up"}).exit_code == 0);
            const std::string fault = std::string(point) + ":" + std::to_string(pass);
            CAPTURE(fault);
            const CommandResult first = project.ysdb({"down", "--to", "1", "--yes"}, fault);
            if (first.exit_code == 0) break;
            REQUIRE(first.exit_code == killed);
            ++kills;
            const CommandResult second = project.ysdb({"down", "--to", "1", "--yes"});
            CAPTURE(second.err);
            REQUIRE(second.exit_code == 0);
            CHECK(log_of(project) == "up2 up3 down3a down3b down2");
            CHECK(tables_of_p(project) == "0");
            CHECK(project.pg("SELECT to_regclass('a_id') IS NULL AND to_regclass('b') IS NULL") == "t");
            CHECK(states(project) == "0001:applied 0002:pending 0003:pending 0004:pending");
            CHECK(project.ysdb({"up"}).exit_code == 0);
            CHECK(states(project) == "0001:applied 0002:applied 0003:applied 0004:applied");
        }
    }
    CHECK(kills > 25);
}

TEST_CASE("killed at any fault point, the same redo ends well: each goes back once and comes again once") {
    int kills = 0;
    for (const char* point : points) {
        for (int pass = 1; pass < 30; ++pass) {
            MigrateProject project;
            mixed_files(project);
            REQUIRE(project.ysdb({"up"}).exit_code == 0);
            const std::string fault = std::string(point) + ":" + std::to_string(pass);
            CAPTURE(fault);
            const CommandResult first = project.ysdb({"redo", "3", "--yes"}, fault);
            if (first.exit_code == 0) break;
            REQUIRE(first.exit_code == killed);
            ++kills;
            // Killed behind the last record it had ended: then there is nothing to take up.
            if (log_of(project) != "up2 up3 down3a down3b down2 up2 up3" || states(project) != "0001:applied 0002:applied 0003:applied 0004:applied") {
                const CommandResult second = project.ysdb({"redo", "3", "--yes"});
                CAPTURE(second.err);
                REQUIRE(second.exit_code == 0);
            }
            CHECK(log_of(project) == "up2 up3 down3a down3b down2 up2 up3");
            CHECK(tables_of_p(project) == "2");
            CHECK(project.pg("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == "t");
            CHECK(states(project) == "0001:applied 0002:applied 0003:applied 0004:applied");
        }
    }
    CHECK(kills > 40);
}

TEST_CASE("while a down is unfinished, up refuses and names it; of an unfinished up, down does") {
    MigrateProject project;
    mixed_files(project);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    REQUIRE(project.ysdb({"down", "--yes"}, "plan.run.before:2").exit_code == killed);
    CHECK(states(project) == "0001:applied 0002:applied 0003:applied 0004:partial");
    const CommandResult up = project.ysdb({"up"});
    CHECK(up.exit_code == 7);
    CHECK(has(up.err, "finish it first: ysdb migrate down"));
    CHECK(project.ysdb({"verify"}).exit_code == 1);
    CHECK(has(project.ysdb({"status"}).err, "an unfinished run of down"));
    REQUIRE(project.ysdb({"down", "--yes"}).exit_code == 0);
    REQUIRE(project.ysdb({"up"}, "plan.run.before:2").exit_code == killed);
    const CommandResult down = project.ysdb({"down", "--yes"});
    CHECK(down.exit_code == 7);
    CHECK(has(down.err, "finish it first: ysdb migrate up --to 0004"));
}

TEST_CASE("of a statement of migrate:down that no look can prove, repair decides") {
    MigrateProject project(MigrateProject::Home::clickhouse);
    project.file("0001_a.sql", "-- migrate:up\nCREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x;\nCREATE TABLE b (x Int32) ENGINE = MergeTree ORDER BY x;\n"
                               "-- migrate:down\nINSERT INTO b SELECT 1;\nDROP TABLE a;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    REQUIRE(project.ysdb({"down", "--yes"}, "plan.run.after").exit_code == killed);
    project.analytics().query("DROP TABLE ysdb.`lock migrate " + project.ch("SELECT currentDatabase()") + "`", Deadline::after(Millis(20'000)));
    const CommandResult unknown = project.ysdb({"down", "--yes"});
    CHECK(unknown.exit_code == 8);
    CHECK(has(unknown.err, "ysdb migrate repair 0001 --step 1 --applied"));
    CHECK(has(project.ysdb({"status"}).out, "unknown"));
    const CommandResult repair = project.ysdb({"repair", "0001", "--step", "1", "--applied"});
    CHECK(repair.exit_code == 0);
    CHECK(has(repair.out, "ysdb migrate down"));
    CHECK(project.ysdb({"down", "--yes"}).exit_code == 0);
    CHECK(project.ch("SELECT count() FROM b") == "1");
    CHECK(project.ch("SELECT count() FROM ysdb.migrations FINAL WHERE database = currentDatabase()") == "0");
    CHECK(states(project) == "0001:pending");
}

TEST_CASE("a refused edit tells every statement that changed, was added, removed or moved") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\nCREATE TABLE c (id int);\nCREATE TABLE d (id int);\n");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0001_a.sql", "CREATE TABLE c (id int);\nCREATE TABLE a (id bigint);\nCREATE TABLE b (id int);\nCREATE TABLE d (id int);\nCREATE TABLE e (id int);\n");
    const CommandResult result = project.ysdb({"up"});
    CHECK(result.exit_code == 7);
    CAPTURE(result.err);
    CHECK(has(result.err, "migrations/0001_a.sql:2:1: edited after it was applied"));
    CHECK(has(result.err, "    3 | statement 3 was statement 2\n"));
    CHECK(has(result.err, "    5 | statement 5 is new\n"));
    project.file("0001_a.sql", "CREATE TABLE a (id int);\nCREATE TABLE d (id int);\n");
    const CommandResult removed = project.ysdb({"up"});
    CHECK(has(removed.err, "statement 2 is gone, and 1 more difference"));
    CHECK(has(removed.err, "      | statement 3 is gone\n"));
}
