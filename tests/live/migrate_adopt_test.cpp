// needs: main analytics
#include <doctest/doctest.h>


#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

CommandResult adopt(const MigrateProject& project, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"adopt", "--yes"});
    return project.ysdb(more);
}

}  // namespace

TEST_CASE("goose: what it applied is taken over and nothing run; up goes on in its layout, and its lock is respected") {
    MigrateProject project;
    project.file("00001_a.sql", "-- +goose Up\nCREATE TABLE a (id int);\n-- +goose Down\nDROP TABLE a;\n");
    project.file("00002_b.sql", "-- +goose Up\nCREATE TABLE b (id int);\n");
    project.pg("CREATE TABLE a (id int)");
    project.pg("CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp DEFAULT now())");
    project.pg("INSERT INTO goose_db_version (version_id, is_applied, tstamp) VALUES (0, true, now()), (1, true, '2026-01-02 03:04:05'), (2, true, now()), (2, false, now())");

    const CommandResult early = project.ysdb({"up"});
    CHECK(early.exit_code == 7);
    CHECK(has(early.err, "goose has applied it"));
    CHECK(has(early.err, "ysdb migrate adopt"));

    const CommandResult shown = project.ysdb({"adopt", "--dry-run"});
    CAPTURE(shown.err);
    CHECK(shown.exit_code == 0);
    CHECK(states(project) == "00001:pending 00002:pending");
    CHECK(project.ysdb({"adopt"}).exit_code == 7);  // nobody to ask

    StoreConfig here = store_config("main");
    here.url = project.postgres_url();
    const auto session = open_store(here)->sql()->open_session("goose", Deadline::after(Millis(20'000)));
    session->query("SELECT pg_advisory_lock(4097083626)", Deadline::after(Millis(20'000)));
    const CommandResult locked = adopt(project, {"--lock-wait", "300ms"});
    CHECK(locked.exit_code == 6);
    CHECK(has(locked.err, "a run of goose holds its lock"));
    session->query("SELECT pg_advisory_unlock(4097083626)", Deadline::after(Millis(20'000)));

    // Its lock behind a pooler: a row with a lease.
    project.pg("CREATE TABLE goose_lock (lock_id bigint PRIMARY KEY, locked boolean NOT NULL, lease_expires_at timestamptz)");
    project.pg("INSERT INTO goose_lock VALUES (4097083626, true, now() + interval '1 minute')");
    CHECK(adopt(project, {"--lock-wait", "300ms"}).exit_code == 6);
    project.pg("UPDATE goose_lock SET lease_expires_at = now()");

    const CommandResult done = adopt(project);
    CAPTURE(done.err);
    REQUIRE(done.exit_code == 0);
    CHECK(states(project) == "00001:applied 00002:pending");
    CHECK(has(project.pg("SELECT applied_at FROM ysdb.migrations"), "2026-01-02"));
    CHECK(has(project.pg("SELECT tool FROM ysdb.migrations"), "adopted from goose"));
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT to_regclass('b') IS NOT NULL") == "t");
    CHECK(adopt(project).exit_code == 0);  // once more changes nothing
    CHECK(project.pg("SELECT count(*) FROM ysdb.migrations") == "2");
}

TEST_CASE("golang-migrate: all up to its version; dirty is refused; --convert keeps checksums and moves the originals aside") {
    MigrateProject project;
    project.file("1_a.up.sql", "-- why\nBEGIN;\nCREATE TABLE a (id int);\nCOMMIT;\n");
    project.file("1_a.down.sql", "DROP TABLE a;\n");
    project.file("2_b.up.sql", "CREATE TABLE b (id int);");
    project.file("3_c.up.sql", "CREATE TABLE c (id int);");
    project.pg("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)");
    project.pg("INSERT INTO schema_migrations VALUES (2, true)");
    const CommandResult dirty = adopt(project);
    CHECK(dirty.exit_code == 7);
    CHECK(has(dirty.err, "version 2 is dirty"));
    project.pg("UPDATE schema_migrations SET dirty = false");
    CHECK(project.ysdb({"adopt", "--yes", "--convert"}, "adopt.convert.before").exit_code == 137);
    const CommandResult done = adopt(project, {"--convert"});
    CAPTURE(done.err);
    REQUIRE(done.exit_code == 0);
    CHECK(states(project) == "1:applied 2:applied 3:pending");
    CHECK(read_file(project.directory() / "migrations/1_a.sql") == "-- migrate:up\n-- why\n\nCREATE TABLE a (id int);\n\n\n-- migrate:down\nDROP TABLE a;\n");
    CHECK(!std::filesystem::exists(project.directory() / "migrations/1_a.up.sql"));
    CHECK(std::filesystem::exists(project.directory() / "migrations/adopted/1_a.up.sql"));
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT to_regclass('c') IS NOT NULL") == "t");
}

TEST_CASE("--convert keeps transactions as they were: one, none, or those of BEGIN and COMMIT; and files without a statement") {
    MigrateProject project;
    project.file("1_a.up.sql", "CREATE TABLE a (id int);\nBEGIN;\nCREATE TABLE b (id int);\nCOMMIT;\n");
    project.file("2_b.up.sql", "BEGIN;\nCREATE TABLE c (id int);\nCREATE TABLE d (id int);\nCOMMIT;\nCREATE INDEX CONCURRENTLY c_id ON c (id);\nCOMMIT;\n");
    project.file("3_c.up.sql", "-- nothing\n");
    project.file("4_d.up.sql", "CREATE TABLE e (id int);");
    project.pg("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)");
    project.pg("INSERT INTO schema_migrations VALUES (3, false)");
    const CommandResult done = adopt(project, {"--convert"});
    CAPTURE(done.err);
    REQUIRE(done.exit_code == 0);
    CHECK(read_file(project.migrations() / "1_a.sql") == "-- migrate:up\nCREATE TABLE a (id int);\n\nCREATE TABLE b (id int);\n\n");
    CHECK(read_file(project.migrations() / "2_b.sql") == "-- migrate:up transaction:false\nBEGIN;\nCREATE TABLE c (id int);\nCREATE TABLE d (id int);\nCOMMIT;\nCREATE INDEX CONCURRENTLY c_id ON c (id);\n\n");
    CHECK(read_file(project.migrations() / "3_c.sql") == "-- migrate:up empty:true\n-- nothing\n");
    CHECK(states(project) == "1:applied 2:applied 3:applied 4:pending");
}

TEST_CASE("Flyway: dotted versions, baselines and repeatables; an edited repeatable is applied again") {
    MigrateProject project;
    project.file("V1__a.sql", "CREATE TABLE a (id int);");
    project.file("V1.1__b.sql", "CREATE TABLE b (id int);");
    project.file("V2__c.sql", "CREATE TABLE c (id int);");
    project.file("R__view.sql", "CREATE OR REPLACE VIEW v AS SELECT 1 AS x;");
    project.pg("CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), description varchar(200), type varchar(20), script text, checksum int, installed_by text, installed_on timestamp DEFAULT now(), execution_time int, success boolean)");
    project.pg("INSERT INTO flyway_schema_history VALUES (1, '1', '<< Baseline >>', 'BASELINE', 'x', NULL, 'me', now(), 0, true), (2, '1.1', 'b', 'SQL', 'V1.1__b.sql', 5, 'me', now(), 1, true)");
    const CommandResult done = adopt(project);
    CAPTURE(done.err);
    REQUIRE(done.exit_code == 0);
    CHECK(has(done.err, "V1.1__b.sql was edited after Flyway applied it"));
    CHECK(states(project) == "1:applied 1.1:applied 2:pending R__view:pending");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT x FROM v") == "1");
    project.file("R__view.sql", "CREATE OR REPLACE VIEW v AS SELECT 2 AS x;");
    project.file("V3__d.sql", "CREATE TABLE d (id int);");
    CHECK(states(project) == "1:applied 1.1:applied 2:applied 3:pending R__view:pending");
    const CommandResult again = project.ysdb({"up"});
    CAPTURE(again.err);
    CHECK(again.exit_code == 0);
    CHECK(project.pg("SELECT x FROM v") == "2");
    CHECK(states(project) == "1:applied 1.1:applied 2:applied 3:applied R__view:applied");
}

TEST_CASE("sqitch: changes by name, in the order of the plan") {
    MigrateProject project;
    std::filesystem::create_directories(project.directory() / "migrations/deploy");
    project.file("sqitch.plan", "%project=shop\n\nusers 2026-01-01T00:00:00Z A <a@b>\norders 2026-01-02T00:00:00Z A <a@b>\n");
    project.file("deploy/users.sql", "BEGIN; CREATE TABLE users (id int); COMMIT;");
    project.file("deploy/orders.sql", "BEGIN; CREATE TABLE orders (id int); COMMIT;");
    project.pg("CREATE SCHEMA sqitch");
    project.pg("CREATE TABLE sqitch.changes (change_id text PRIMARY KEY, change text, project text, committed_at timestamptz)");
    project.pg("INSERT INTO sqitch.changes VALUES ('x', 'users', 'shop', now()), ('y', 'orders', 'another', now())");
    const CommandResult done = adopt(project);
    CAPTURE(done.err);
    REQUIRE(done.exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:pending");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT to_regclass('orders') IS NOT NULL") == "t");
}

TEST_CASE("a history in a table of another name is taken over when it is named, and drift knows it") {
    MigrateProject project;
    project.file("1_a.sql", "-- +goose Up\nCREATE TABLE a (id int);\n");
    project.pg("CREATE TABLE a (id int)");
    project.pg("CREATE SCHEMA ops");
    project.pg("CREATE TABLE ops.\"My_versions\" (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp DEFAULT now())");
    project.pg("INSERT INTO ops.\"My_versions\" (version_id, is_applied) VALUES (0, true), (1, true)");
    CHECK(adopt(project).exit_code == 7);
    const CommandResult wrong = adopt(project, {"--table", "ops.my_versions"});
    CHECK(wrong.exit_code == 7);
    CHECK(has(wrong.err, "store 'main' has no table ops.my_versions for the history of goose"));
    const CommandResult done = adopt(project, {"--table", "ops.\"My_versions\""});
    CAPTURE(done.err);
    REQUIRE(done.exit_code == 0);
    CHECK(states(project) == "1:applied");
    const CommandResult drift = project.ysdb({"drift"});
    CAPTURE(drift.out);
    CHECK(drift.exit_code == 1);
    CHECK(has(drift.out, "schema ops: unexpected"));  // the schema is nobody's
    CHECK(has(drift.out, "1 difference"));            // the table is goose's
}

TEST_CASE("a project without another tool's history is told so") {
    MigrateProject project;
    project.file("1_a.sql", "CREATE TABLE a (id int);");
    const CommandResult result = adopt(project);
    CHECK(result.exit_code == 7);
    CHECK(has(result.err, "a new project needs none: ysdb migrate up"));
}

TEST_CASE("Flyway's own placeholders stand for what it fills in, in folders too, and a script with the moment in it runs each time") {
    MigrateProject project;
    std::filesystem::create_directories(project.migrations() / "views");
    project.file("V1__a.sql", "CREATE TABLE runs (at timestamp);\nCREATE TABLE a (who text DEFAULT '${flyway:user}', base text DEFAULT '${flyway:database}', home text DEFAULT '${flyway:defaultSchema}',\n"
                              "  file text DEFAULT '${flyway:filename}', history text DEFAULT '${flyway:table}', at timestamp DEFAULT '${flyway:timestamp}', place text DEFAULT '${flyway:workingDirectory}');\nINSERT INTO a DEFAULT VALUES;");
    project.file("views/R__runs.sql", "-- ${flyway:timestamp}\nINSERT INTO runs VALUES ('${flyway:timestamp}');");
    const CommandResult first = project.ysdb({"up"});
    CAPTURE(first.err);
    REQUIRE(first.exit_code == 0);
    CHECK(project.pg("SELECT concat_ws(' ', who = current_user, base = current_database(), home, file, history, at BETWEEN now()::timestamp - interval '1 d' AND now()::timestamp + interval '1 d') FROM a") ==
          "t t public V1__a.sql flyway_schema_history t");
    CHECK(project.pg("SELECT place FROM a") == std::filesystem::canonical(project.directory()).string());
    CHECK(states(project) == "1:applied R__runs:pending");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT count(*) FROM runs") == "2");
    CHECK(project.ysdb({"verify"}).exit_code == 0);
    project.file("V2__b.sql", "CREATE TABLE b (x text DEFAULT '${flyway:mood}');");
    const CommandResult unknown = project.ysdb({"up"});
    CHECK(unknown.exit_code == 7);
    CHECK(has(unknown.err, "migrations/V2__b.sql:1:33: ysdb has no value for Flyway's 'flyway:mood'"));
}
