// needs: main analytics
// programs: pgbouncer
// Behind pgbouncer in transaction mode: each transaction may get another backend, and nothing a session holds is this run's alone.
#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>

#include <thread>

#include "core/lab/ports.h"
#include "tests/live/migrate_project.h"
#include "tests/live/servers.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr int killed = 128 + 9;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Deadline soon() { return Deadline::after(Millis(20'000)); }

// In front of the fixture's PostgreSQL; logs in there by itself.
class Pooler {
public:
    explicit Pooler(const MigrateProject& project) : port_(lab::choose_port()) {
        namespace fs = std::filesystem;
        const std::string url = project.postgres_url();  // postgres://user:password@host:port/database
        const auto at = url.find('@'), colon = url.find(':', at);
        const std::string login = url.substr(url.find("//") + 2, at - url.find("//") - 2);
        const fs::path file = directory_.path() / "pgbouncer.ini";
        write_file_atomically(file, "[databases]\n* = host=" + url.substr(at + 1, colon - at - 1) + " port=" + url.substr(colon + 1, url.find('/', colon) - colon - 1) + " user=" +
                                        login.substr(0, login.find(':')) + " password=" + login.substr(login.find(':') + 1) +
                                        "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " + std::to_string(port_) + "\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 8\n");
        SpawnOptions options;
        options.argv = {find_program("pgbouncer", {"/usr/sbin"}).value(), file.string()};
        options.output_file = (directory_.path() / "log").string();
        if (geteuid() == 0) {  // it does not run as root
            options.uid = 65534;
            options.gid = 65534;
            fs::permissions(directory_.path(), fs::perms::owner_all | fs::perms::group_exec | fs::perms::group_read | fs::perms::others_exec | fs::perms::others_read);
            fs::permissions(file, fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
        }
        process_ = spawn(options);
        project.through("127.0.0.1:" + std::to_string(port_));
        const bool up = wait_until([&] { return project.ysdb({"status"}).exit_code == 0; });
        CAPTURE(read_file(directory_.path() / "log"));
        REQUIRE(up);
    }
    ~Pooler() {
        send_signal(process_, SIGKILL);
        wait_gone(process_, Deadline::after(Millis(10'000)));
    }
    Pooler(const Pooler&) = delete;
    Pooler& operator=(const Pooler&) = delete;

private:
    TemporaryDirectory directory_;
    int port_;
    ProcessId process_;
};

// Shuffles the backends between the statements of others: it takes one and gives it back, over and over.
class Crowd {
public:
    explicit Crowd(const MigrateProject& project) {
        for (int i = 0; i < 3; ++i) {
            threads_.emplace_back([&project](std::stop_token stop) {
                while (!stop.stop_requested()) project.ysdb({"status"});
            });
        }
    }

private:
    std::vector<std::jthread> threads_;
};

}  // namespace

TEST_CASE("up, down and redo work through it while others use the same backends, and leave no lease and no setting behind") {
    MigrateProject project;
    project.file("0001_a.sql", "-- migrate:up\nSET search_path = pg_catalog;\nCREATE TABLE public.a (id int);\n-- migrate:down\nDROP TABLE public.a;");
    project.file("0002_b.sql", "-- migrate:up transaction:false\nINSERT INTO a VALUES (1);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n-- migrate:down\nDROP INDEX CONCURRENTLY a_id;\nDELETE FROM a;");
    const Pooler pooler(project);
    const Crowd crowd(project);
    const CommandResult up = project.ysdb({"up"});
    CAPTURE(up.err);
    REQUIRE(up.exit_code == 0);
    CHECK(project.ysdb({"redo", "--yes"}).exit_code == 0);
    CHECK(project.pg("SELECT count(*) FROM a") == "1");
    CHECK(project.ysdb({"down", "2", "--yes"}).exit_code == 0);
    CHECK(project.pg("SELECT to_regclass('a') IS NULL") == "t");
    CHECK(project.pg("SELECT count(*) FROM ysdb.leases") == "0");
}

TEST_CASE("one run works; a second one says who holds the lease, or waits for it and finds nothing to do") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);\nSELECT pg_advisory_xact_lock(4711);");
    const Pooler pooler(project);
    const auto gate = project.main().open_session("gate", soon());
    gate->query("SELECT pg_advisory_lock(4711)", soon());
    CommandResult first, second;
    std::jthread one([&] { first = project.ysdb({"up", "--lock-timeout", "0s"}); });
    REQUIRE(wait_until([&] { return project.pg("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 4711") == "1"; }));
    const CommandResult refused = project.ysdb({"up", "--lock-wait", "0s"});
    CHECK(refused.exit_code == 6);
    CHECK(has(refused.err, "another run of ysdb migrate holds the lock: run "));
    std::jthread two([&] { second = project.ysdb({"up", "--output", "json"}); });
    gate->query("SELECT pg_advisory_unlock(4711)", soon());
    one.join();
    two.join();
    CHECK(first.exit_code == 0);
    CHECK(second.exit_code == 0);
    CHECK(project.pg("SELECT count(*) FROM ysdb.migrations") == "1");
}

TEST_CASE("the lease of a killed run is taken over once it is stale, and the run goes on") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    project.file("0002_b.sql", "CREATE TABLE b (id int);");
    const Pooler pooler(project);
    REQUIRE(project.ysdb({"up"}, "plan.unit.after").exit_code == killed);
    CHECK(project.ysdb({"up", "--lock-wait", "0s"}).exit_code == 6);
    project.main().query("UPDATE ysdb.leases SET beat_at = clock_timestamp() - interval '31 s'", soon());
    CHECK(project.ysdb({"up", "--lock-wait", "0s"}).exit_code == 0);
    CHECK(project.pg("SELECT count(*) FROM ysdb.migrations") == "2");
}

TEST_CASE("a run whose lease was taken over commits nothing more") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);\nSELECT pg_advisory_xact_lock(4711);");
    const Pooler pooler(project);
    const auto gate = project.main().open_session("gate", soon());
    gate->query("SELECT pg_advisory_lock(4711)", soon());
    CommandResult result;
    std::jthread run([&] { result = project.ysdb({"up", "--lock-timeout", "0s"}); });
    REQUIRE(wait_until([&] { return project.pg("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 4711") == "1"; }));
    project.main().query("UPDATE ysdb.leases SET holder = 'another run'", soon());
    gate->query("SELECT pg_advisory_unlock(4711)", soon());
    run.join();
    CAPTURE(result.err);
    CHECK(result.exit_code == 6);
    CHECK(project.pg("SELECT to_regclass('a') IS NULL") == "t");
    CHECK(project.pg("SELECT holder FROM ysdb.leases") == "another run");
}

TEST_CASE("batches through it: each row once, whatever kills the run, and none once the lease is another run's") {
    MigrateProject project;
    project.pg("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0); INSERT INTO t SELECT generate_series(1, 40)");
    project.file("0001_fill.sql", "-- migrate:up transaction:false\n-- migrate:batch size:7 target:0s pause:0%\nUPDATE t SET n = n + 1;\n");
    const Pooler pooler(project);
    const Crowd crowd(project);
    for (const char* fault : {"plan.batch.sent:2", "plan.batch.after:2", "plan.outcome.before"}) {
        CAPTURE(fault);
        REQUIRE(project.ysdb({"up"}, fault).exit_code == killed);
        project.main().query("UPDATE ysdb.leases SET beat_at = clock_timestamp() - interval '31 s'", soon());
    }
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT min(n) || ' ' || max(n) FROM t") == "1 1");

    // The third batch waits here, until somebody else has the lease.
    project.file("0002_fill.sql", "-- migrate:up transaction:false lock-timeout:0s\n-- migrate:batch size:7 target:0s pause:0%\nUPDATE t SET n = n + 1 WHERE id <> 20 OR pg_advisory_xact_lock(4711) IS NOT NULL;\n");
    const auto gate = project.main().open_session("gate", soon());
    gate->query("SELECT pg_advisory_lock(4711)", soon());
    CommandResult result;
    std::jthread run([&] { result = project.ysdb({"up"}); });
    REQUIRE(wait_until([&] { return project.pg("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 4711") == "1"; }));
    project.main().query("UPDATE ysdb.leases SET holder = 'another run'", soon());
    gate->query("SELECT pg_advisory_unlock(4711)", soon());
    run.join();
    CAPTURE(result.err);
    CHECK(result.exit_code == 6);
    CHECK(project.pg("SELECT count(*) FILTER (WHERE n = 2) || ' ' || max(id) FILTER (WHERE n = 2) FROM t") == "14 14");
}

TEST_CASE("a statement that no transaction can hold gives way, too, when it finds no lock in time, and its blocker is named") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    const Pooler pooler(project);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0002_b.sql", "-- migrate:up transaction:false lock-timeout:2s\nVACUUM FULL a;");
    const auto reader = project.main().open_session("a slow report", soon());
    reader->query("BEGIN", soon());
    reader->query("SELECT * FROM a", soon());
    CommandResult result;
    std::jthread run([&] { result = project.ysdb({"up"}); });
    const std::string waits = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity s USING (pid) WHERE NOT l.granted AND s.query LIKE 'VACUUM FULL%' AND s.datname = current_database()";
    REQUIRE(wait_until([&] { return project.pg(waits) == "1"; }));
    REQUIRE(wait_until([&] { return project.pg(waits) == "0"; }));  // it was taken out of the queue: others get in
    reader->query("COMMIT", soon());
    run.join();
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    CHECK(has(result.err, "lock not free"));
    CHECK(has(result.err, "no lock within 2.0 s; blocked by pid "));
    CHECK(has(result.err, "a slow report"));
    CHECK(states(project) == "0001:applied 0002:applied");
}

TEST_CASE("one that somebody else cancels is not taken for one that found no lock") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    const Pooler pooler(project);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0002_b.sql", "-- migrate:up transaction:false\nVACUUM FULL a;");
    const auto reader = project.main().open_session("reader", soon());
    reader->query("BEGIN", soon());
    reader->query("SELECT * FROM a", soon());
    CommandResult result;
    std::jthread run([&] { result = project.ysdb({"up", "--lock-timeout", "30s"}); });
    const std::string one = "FROM pg_stat_activity WHERE query LIKE 'VACUUM FULL%' AND wait_event_type = 'Lock' AND datname = current_database()";
    REQUIRE(wait_until([&] { return project.pg("SELECT count(*) " + one) == "1"; }));
    project.pg("SELECT count(pg_cancel_backend(pid)) " + one);
    run.join();
    CHECK(result.exit_code == 5);
    CHECK(has(result.err, "57014"));
}
