// needs: main analytics
// The connection to PostgreSQL is cut at each message of a run in turn, before the server has it and after it did what was asked.
#include <doctest/doctest.h>

#include <thread>

#include "tests/live/cutting_proxy.h"
#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(20'000)); }

int port_of(const MigrateProject& project) {
    const std::string& url = project.postgres_url();  // postgres://user:password@host:port/database
    return std::stoi(url.substr(url.find(':', url.find('@')) + 1));
}

void fill(const MigrateProject& project) {
    project.file("0001_a.sql", "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1), (2);");
    project.file("0002_b.sql", "-- migrate:up transaction:false\nINSERT INTO a VALUES (3);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nVACUUM a;\nCREATE TABLE b AS SELECT * FROM a;");
    project.file("0003_c.sql", "ALTER TABLE b ADD COLUMN x int;\nUPDATE b SET x = id;");
}

}  // namespace

TEST_CASE("a connection to PostgreSQL that is lost at any message is taken up by the same command, and nothing has run twice") {
    MigrateProject measured;
    CuttingProxy proxy(port_of(measured), CuttingProxy::Protocol::any);
    const std::string address = "127.0.0.1:" + std::to_string(proxy.port());
    fill(measured);
    measured.through(address);
    proxy.cut(0, CuttingProxy::When::before);
    REQUIRE(measured.ysdb({"up"}).exit_code == 0);
    const int messages = proxy.requests();
    MESSAGE(messages << " messages");
    REQUIRE(messages > 20);
    int lost = 0, tried = 0;
    const int every = soak() ? 1 : 4, from = 1 + static_cast<int>(random_seed() % static_cast<std::uint64_t>(every));
    for (int at = from; at <= messages; at += every, ++tried) {
        for (const auto when : {CuttingProxy::When::before, CuttingProxy::When::after}) {
            MigrateProject project;
            fill(project);
            project.through(address);
            proxy.cut(at, when);
            const CommandResult cut = project.ysdb({"up"});
            CAPTURE(at);
            CAPTURE((when == CuttingProxy::When::after));
            CAPTURE(cut.err);
            CHECK((cut.exit_code == 0 || cut.exit_code == 4 || cut.exit_code == 8));
            lost += cut.exit_code == 0 ? 0 : 1;
            proxy.cut(0, CuttingProxy::When::before);
            const CommandResult next = project.ysdb({"up"});
            CAPTURE(next.err);
            CHECK(next.exit_code == 0);
            CHECK(states(project) == "0001:applied 0002:applied 0003:applied");
            CHECK(project.pg("SELECT string_agg(id::text, ' ' ORDER BY id) FROM a") == "1 2 3");
            CHECK(project.pg("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == "t");
            CHECK(project.pg("SELECT count(*) || ' ' || sum(x) FROM b") == "3 6");
            CHECK(project.pg("SELECT count(*) FROM ysdb.migrations") == "3");
        }
    }
    CHECK(lost > tried);  // of two each
}

TEST_CASE("a run that waits for another one does not stand in the way of its CREATE INDEX CONCURRENTLY") {
    MigrateProject project;
    project.main().query("CREATE TABLE a AS SELECT generate_series(1, 100) AS id", soon());
    project.file("0001_a.sql", "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY a_id ON a (id);");
    // An old transaction keeps the build waiting until the second run waits, too.
    const auto old = project.main().open_session("old", soon());
    old->query("BEGIN", soon());
    old->query("INSERT INTO a VALUES (0)", soon());
    CommandResult first, second;
    std::jthread one([&] { first = project.ysdb({"up"}); });
    const std::string building = "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database()";
    REQUIRE(wait_until([&] { return project.pg(building) == "1"; }));
    std::jthread two([&] { second = project.ysdb({"up"}); });
    REQUIRE(wait_until([&] { return project.pg("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ysdb migrate %' AND datname = current_database()") == "2"; }));
    // It polls and holds nothing between two polls: no transaction, no lock that it waits for.
    CHECK(project.pg("SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND NOT l.granted AND a.datname = current_database()") == "0");
    old->query("COMMIT", soon());
    one.join();
    two.join();
    CAPTURE(first.err);
    CAPTURE(second.err);
    CHECK(first.exit_code == 0);
    CHECK(second.exit_code == 0);
    CHECK(project.pg("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == "t");
}
