// needs: main analytics
// What a migration may never do to somebody, whatever the files, the server or the history are like.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;
using Json = nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Deadline soon() { return Deadline::after(Millis(20'000)); }

// Refused with 7 before anything is made, and the message holds `part`.
void check_refused(const MigrateProject& project, const std::string& part) {
    const CommandResult result = project.ysdb({"up"});
    CAPTURE(result.err);
    CHECK(result.exit_code == 7);
    CHECK(has(result.err, part));
    CHECK(project.pg("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == "0");
}

constexpr const char* runs_here = "application_name LIKE 'ysdb migrate %' AND datname = current_database()";

// Holds an advisory lock that files of the test wait for.
class Gate {
public:
    explicit Gate(const MigrateProject& project) : project_(project), session_(project.main().open_session("gate", soon())) { session_->query("SELECT pg_advisory_lock(4711)", soon()); }
    void wait_for_runner() const {
        REQUIRE(wait_until([&] { return project_.pg(std::string("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND ") + runs_here) == "1"; }));
    }
    void kill_runner() const { project_.pg(std::string("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND ") + runs_here); }
    void open() const { session_->query("SELECT pg_advisory_unlock(4711)", soon()); }

private:
    const MigrateProject& project_;
    std::unique_ptr<SqlSession> session_;
};

// Runs `up`, cuts its connection while the server waits at the gate, and gives what `up` said.
CommandResult up_cut_off(const MigrateProject& project) {
    const Gate gate(project);
    CommandResult result;
    std::jthread run([&] { result = project.ysdb({"up", "--lock-timeout", "0s"}); });
    gate.wait_for_runner();
    gate.kill_runner();
    run.join();
    return result;
}

}  // namespace

TEST_CASE("a gap between versions is nothing to complain about; what fills it later is late") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    project.file("0003_c.sql", "CREATE TABLE c (id int);");
    const CommandResult up = project.ysdb({"up"});
    CHECK(up.exit_code == 0);
    CHECK(up.err.empty());
    project.file("0002_b.sql", "CREATE TABLE b (id int);");
    CHECK(project.ysdb({"up"}).exit_code == 7);
    CHECK(has(project.ysdb({"status"}).err, "migrations/0002_b.sql: a later version is already applied"));
}

TEST_CASE("text that is not UTF-8, not whole or not there is refused with its place, and nothing is made") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    project.file("0002_b.sql", "SELECT 1;\nSELECT '\xe9t\xe9';");
    check_refused(project, "migrations/0002_b.sql:2: not valid UTF-8");
    project.file("0002_b.sql", std::string("\xff\xfeS\0E\0L\0", 8));
    check_refused(project, "migrations/0002_b.sql:1:4: a NUL byte");
    for (const char* empty : {"", "\n \n", "-- only a comment", "/* and\nanother */", "-- migrate:up\n-- nothing yet\n-- migrate:down\nDROP TABLE b;"}) {
        CAPTURE(empty);
        project.file("0002_b.sql", empty);
        check_refused(project, "migrations/0002_b.sql: no statement to apply");
    }
    project.file("0002_b.sql", "SELECT 1;\nSELECT 'it;\nSELECT 2;");
    check_refused(project, "migrations/0002_b.sql:2:8: nothing ends the quote ' that begins here");
    project.file("0002_b.sql", "DO $body$ BEGIN END;");
    check_refused(project, "migrations/0002_b.sql:1:4: nothing ends the quote $body$");
    project.file("0002_b.sql", "-- migrate:up store:analytics\nSELECT `x;");
    check_refused(project, "migrations/0002_b.sql:2:8: nothing ends the quote `");
}

TEST_CASE("CR LF and a byte order mark are applied as they are meant, and are no edit") {
    MigrateProject project;
    project.file("0001_a.sql", "\xef\xbb\xbf-- migrate:up\r\nCREATE TABLE a (t text);\r\nCOPY a FROM stdin;\r\nx\r\n\\.\r\n-- migrate:down\r\nDROP TABLE a;\r\n");
    const CommandResult up = project.ysdb({"up"});
    CAPTURE(up.err);
    REQUIRE(up.exit_code == 0);
    CHECK(project.pg("SELECT t FROM a") == "x");
    project.file("0001_a.sql", "-- migrate:up\nCREATE TABLE a (t text);\nCOPY a FROM stdin;\nx\n\\.\n-- migrate:down\nDROP TABLE a;\n");
    CHECK(states(project) == "0001:applied");
    CHECK(project.ysdb({"down", "--yes"}).exit_code == 0);
}

TEST_CASE("a file of 100 MB is applied in bounded time and memory") {
    MigrateProject project;
    std::string text = "CREATE TABLE big (id bigint, t text);\nCOPY big FROM stdin;\n";
    const std::string filler(90, 'x');
    std::int64_t rows = 0;
    while (text.size() < 60'000'000) text += std::to_string(++rows) + "\t" + filler + "\n";
    text += "\\.\n";
    while (text.size() < 100'000'000) {
        text += "INSERT INTO big VALUES ";
        for (int i = 0; i < 500; ++i) text += (i == 0 ? "(" : ", (") + std::to_string(++rows) + ", '" + filler + "')";
        text += ";\n";
    }
    project.file("0001_big.sql", text);
    const auto start = SteadyClock::now();
    const CommandResult up = project.ysdb({"up"});
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
    CAPTURE(up.err);
    REQUIRE(up.exit_code == 0);
    CHECK(project.pg("SELECT count(*) FROM big") == std::to_string(rows));
    rusage usage{};
    getrusage(RUSAGE_CHILDREN, &usage);
    MESSAGE("100 MB: " << seconds << " s, " << usage.ru_maxrss / 1024 << " MB at most");
    CHECK(seconds < 90);
    CHECK(usage.ru_maxrss < 600 * 1024);
    CHECK(project.ysdb({"status"}).exit_code == 0);
}

TEST_CASE("a directory or file that may not be read is named, with the reason") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    namespace fs = std::filesystem;
    const auto run_as_nobody = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", YSDB_BINARY});
        return run_command({words, {{"XDG_CONFIG_HOME", "/nonexistent"}}, project.migrations().parent_path().string()}, soon());
    };
    const bool root = geteuid() == 0;
    fs::permissions(project.migrations().parent_path(), static_cast<fs::perms>(0755));
    fs::permissions(project.migrations().parent_path() / "ysdb.toml", static_cast<fs::perms>(0644));
    const auto run = [&] { return root ? run_as_nobody({"migrate", "up"}) : project.ysdb({"up"}); };
    fs::permissions(project.migrations(), static_cast<fs::perms>(0));
    const CommandResult directory = run();
    fs::permissions(project.migrations(), static_cast<fs::perms>(0755));
    if (root && has(directory.err, "setpriv: ")) return;  // where a tree of root's is closed to others the rest proves nothing
    CHECK(directory.exit_code == 3);
    CHECK(has(directory.err, "cannot read the directory of migrations 'migrations': Permission denied"));
    fs::permissions(project.migrations() / "0001_a.sql", static_cast<fs::perms>(0));
    const CommandResult file = run();
    CHECK(file.exit_code == 3);
    CHECK(has(file.err, "0001_a.sql"));
    CHECK(has(file.err, "Permission denied"));
    fs::remove_all(project.migrations());
    const CommandResult missing = project.ysdb({"up"});
    CHECK(missing.exit_code == 3);
    CHECK(has(missing.err, "cannot read the directory of migrations 'migrations': No such file or directory"));
}

TEST_CASE("on a server that takes no writes status and plan work, and up says what is wrong and changes nothing") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    project.main().query("ALTER DATABASE " + project.pg("SELECT current_database()") + " SET default_transaction_read_only = on", soon());
    CHECK(project.ysdb({"status"}).exit_code == 0);
    CHECK(project.ysdb({"plan"}).exit_code == 0);
    const CommandResult up = project.ysdb({"up"});
    CHECK(up.exit_code == 5);
    CHECK(has(up.err, "read-only transaction"));
    CHECK(has(up.err, "is it a replica?"));
}

TEST_CASE("a role that may not make ysdb's own tables is told which right it lacks") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    const std::string role = unique_name();
    project.main().query("CREATE ROLE " + role + " LOGIN PASSWORD 'pw'", soon());
    project.login(role, "pw");
    const CommandResult up = project.ysdb({"up"});
    CHECK(up.exit_code == 5);
    CHECK(has(up.err, "permission denied for database"));
    CHECK(has(up.err, "grant the right to the user of [stores.main]"));
    project.main().query("DROP ROLE " + role, soon());
}

TEST_CASE("a connection lost inside a transaction or at its commit leaves nothing, and the next run applies the file") {
    for (const bool at_commit : {false, true}) {
        CAPTURE(at_commit);
        MigrateProject project;
        project.file("0001_a.sql", "CREATE TABLE a (id int);\n"
                                   "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$;\n"
                                   "CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();");
        REQUIRE(project.ysdb({"up"}).exit_code == 0);
        project.file("0002_b.sql", at_commit ? "CREATE TABLE b (id int);\nINSERT INTO a VALUES (1);" : "CREATE TABLE b (id int);\nSELECT pg_advisory_xact_lock(4711);\nINSERT INTO a VALUES (1);");
        const CommandResult cut = up_cut_off(project);
        CAPTURE(cut.err);
        CHECK(cut.exit_code == 4);
        CHECK(has(cut.err, "migrations/0002_b.sql"));
        CHECK(has(cut.err, "ysdb migrate up"));
        CHECK(project.pg("SELECT to_regclass('b') IS NULL") == "t");
        CHECK(states(project) == "0001:applied 0002:pending");
        CHECK(project.ysdb({"up"}).exit_code == 0);
        CHECK(project.pg("SELECT count(*) FROM a") == "1");
    }
}

TEST_CASE("a connection lost while an index is built concurrently: the next run removes what is left and builds it") {
    MigrateProject project;
    project.main().query("CREATE TABLE a AS SELECT 1 AS id", soon());
    project.file("0001_a.sql", "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nINSERT INTO a VALUES (2);");
    const auto writer = project.main().open_session("writer", soon());
    writer->query("BEGIN", soon());
    writer->query("UPDATE a SET id = 1", soon());
    CommandResult cut;
    std::jthread run([&] { cut = project.ysdb({"up"}); });
    REQUIRE(wait_until([&] { return project.pg("SELECT count(*) FROM pg_index WHERE indrelid = 'a'::regclass AND NOT indisvalid") == "1"; }));
    REQUIRE(project.pg(std::string("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE ") + runs_here) == "1");
    run.join();
    writer->query("COMMIT", soon());
    CAPTURE(cut.err);
    CAPTURE(project.pg("SELECT string_agg(j::text, '; ') FROM ysdb.journal j"));
    CHECK(cut.exit_code == 4);
    CHECK(states(project) == "0001:partial");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == "t");
    CHECK(project.pg("SELECT count(*) FROM a") == "2");
}

TEST_CASE("a connection lost while waiting for another run changes nothing") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);\nSELECT pg_advisory_xact_lock(4711);");
    const Gate gate(project);
    CommandResult first, second;
    std::jthread one([&] { first = project.ysdb({"up", "--lock-timeout", "0s"}); });
    gate.wait_for_runner();
    std::jthread two([&] { second = project.ysdb({"up"}); });
    REQUIRE(wait_until([&] {
        return project.pg(std::string("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type IS DISTINCT FROM 'Lock' AND ") + runs_here) == "1";
    }));
    two.join();
    CHECK(second.exit_code == 4);
    gate.open();
    one.join();
    CHECK(first.exit_code == 0);
    CHECK(states(project) == "0001:applied");
}

TEST_CASE("applied_at is the server's clock, whatever this machine's zone and clock are") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    const std::string before = project.pg("SELECT clock_timestamp()");
    REQUIRE(project.ysdb({"up"}, "", {{"TZ", "Pacific/Kiritimati"}, {"PGTZ", "Pacific/Kiritimati"}}).exit_code == 0);
    CHECK(project.pg("SELECT applied_at BETWEEN '" + before + "'::timestamptz AND clock_timestamp() FROM ysdb.migrations") == "t");
    const Json status = Json::parse(project.ysdb({"status", "--output", "json"}, "", {{"TZ", "Pacific/Kiritimati"}}).out);
    CHECK(project.pg("SELECT applied_at = '" + status.at("migrations").at(0).at("applied_at").get<std::string>() + "'::timestamptz FROM ysdb.migrations") == "t");
    // A server whose clock was set back: the order in which things go back is told by what was applied, and versions decide nothing.
    project.file("0002_b.sql", "-- migrate:up\nCREATE TABLE b (id int);\n-- migrate:down\nDROP TABLE b;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.ysdb({"down", "--yes"}).exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:pending");
}

TEST_CASE("a history that somebody edited is refused or told for what it is, never taken for another one") {
    MigrateProject project;
    project.file("0001_a.sql", "CREATE TABLE a (id int);");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    SUBCASE("another checksum") {
        project.main().query("UPDATE ysdb.migrations SET checksum = repeat('0', 64)", soon());
        const CommandResult up = project.ysdb({"up"});
        CHECK(up.exit_code == 7);
        CHECK(has(up.err, "the history holds another checksum for it, of the same statements"));
        CHECK(project.ysdb({"verify"}).exit_code == 1);
    }
    SUBCASE("other statements") {
        project.main().query("UPDATE ysdb.migrations SET checksum = 'x', statements = 'y z'", soon());
        CHECK(project.ysdb({"up"}).exit_code == 7);
        CHECK(states(project) == "0001:changed");
    }
    SUBCASE("a row of nobody") {
        project.main().query("INSERT INTO ysdb.migrations SELECT 'not a version', name, store, checksum, statements, applied_at, seconds, run, tool FROM ysdb.migrations", soon());
        const CommandResult up = project.ysdb({"up"});
        CHECK(up.exit_code == 0);
        CHECK(has(up.err, "not a version_a was applied, and its file is gone"));
        CHECK(project.ysdb({"down", "--yes"}).exit_code == 7);
    }
    SUBCASE("a column that is gone") {
        project.main().query("ALTER TABLE ysdb.migrations DROP COLUMN checksum", soon());
        for (const char* verb : {"up", "status", "plan", "verify"}) {
            const CommandResult result = project.ysdb({verb});
            CHECK(result.exit_code == 7);
            CHECK(has(result.err, "ysdb.migrations is not as ysdb made it"));
            CHECK(has(result.err, "checksum"));
        }
    }
    SUBCASE("a row that is gone") {
        project.main().query("DELETE FROM ysdb.migrations", soon());
        const CommandResult up = project.ysdb({"up"});
        CHECK(up.exit_code == 5);
        CHECK(has(up.err, "already exists"));
        CHECK(states(project) == "0001:pending");
    }
    SUBCASE("an event of the journal that nobody knows") {
        project.main().query("ALTER TABLE ysdb.journal DROP CONSTRAINT journal_event_check; INSERT INTO ysdb.journal (job, unit, step, event, hash, store, place, label, found)"
                             " VALUES ('migrate', '0001/up', 1, 'maybe', '', '', '', '', '')", soon());
        const CommandResult up = project.ysdb({"up"});
        CHECK(up.exit_code == 7);
        CHECK(has(up.err, "ysdb.journal holds an unknown event 'maybe'"));
    }
}

TEST_CASE("on ClickHouse, too, a file whose row is gone from the history is refused by what it made before") {
    MigrateProject project(MigrateProject::Home::clickhouse);
    project.file("0001_a.sql", "CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x;");
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.analytics().query("DELETE FROM ysdb.migrations WHERE database = '" + project.ch("SELECT currentDatabase()") + "' SETTINGS lightweight_deletes_sync = 2", soon());
    CHECK(states(project) == "0001:pending");
    const CommandResult up = project.ysdb({"up"});
    CHECK(up.exit_code == 5);
    CHECK(has(up.err, "already exists"));
}
