// needs: main analytics
// A statement in batches: each batch once, whatever kills the run; it waits for replicas and locks; what cannot be cut is refused.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;
using Json = nlohmann::json;

namespace {

constexpr int killed = 128 + 9;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
Deadline soon() { return Deadline::after(Millis(20'000)); }

// 23 rows with a key of two columns, one of them no number.
void fill(SqlStore& store) { store.query("CREATE TABLE t (a text, b int, n int NOT NULL DEFAULT 0, PRIMARY KEY (a, b)); INSERT INTO t SELECT 'k' || g % 3, g FROM generate_series(1, 23) g", soon()); }

// A run of `ysdb migrate up` beside the test.
class Running {
public:
    explicit Running(const MigrateProject& project, const std::vector<std::string>& more = {}) : output_(project.directory() / "output") {
        SpawnOptions options;
        options.argv = {YSDB_BINARY, "migrate", "up"};
        options.argv.insert(options.argv.end(), more.begin(), more.end());
        options.env = {{"XDG_CONFIG_HOME", "/nonexistent"}};
        options.cwd = project.directory().string();
        options.output_file = output_.string();
        process_ = spawn(options);
    }
    ~Running() {
        if (!waited_) send_signal(process_, SIGKILL);
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    void interrupt() { REQUIRE(send_signal(process_, SIGINT)); }
    std::string output() const { return read_file(output_); }
    int exit_code() {
        int status = 0;
        REQUIRE(waitpid(process_.pid, &status, 0) == process_.pid);
        waited_ = true;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }

private:
    std::filesystem::path output_;
    ProcessId process_;
    bool waited_ = false;
};

}  // namespace

TEST_CASE("killed at any fault point, each row is changed once, on the history's store and on another one") {
    int kills = 0;
    for (const bool elsewhere : {false, true}) {
        MigrateProject project;
        TestDatabase second;
        write_file_atomically(project.directory() / "ysdb.toml", read_file(project.directory() / "ysdb.toml") + "\n[stores.other]\nurl = \"" + second.config().url + "\"\n");
        const auto other = open_store(second.config());
        SqlStore& store = elsewhere ? *other->sql() : project.main();
        fill(store);
        int files = 0;
        for (const char* point : {"plan.unit.before", "plan.unit.after", "plan.intent.before", "plan.intent.after", "plan.batch.before", "plan.batch.sent", "plan.batch.after", "plan.outcome.before", "plan.outcome.after",
                                  "plan.record.before", "plan.record.after"}) {
            for (const int pass : {1, 2, 4, 5, 6}) {  // five batches
                const std::string version = std::to_string(1000 + ++files);
                project.file(version + "_fill.sql", std::string("-- migrate:up transaction:false") + (elsewhere ? " store:other" : "") + "\n-- migrate:batch size:5 target:0s pause:0%\nUPDATE t SET n = n + 1;\n");
                const std::string fault = std::string(point) + ":" + std::to_string(pass);
                CAPTURE(fault);
                CAPTURE(elsewhere);
                const CommandResult first = project.ysdb({"up"}, fault);
                const bool died = first.exit_code == killed;
                if (died) {
                    ++kills;
                    const CommandResult again = project.ysdb({"up"});
                    CAPTURE(again.err);
                    REQUIRE(again.exit_code == 0);
                } else {
                    REQUIRE(first.exit_code == 0);
                }
                const std::string all = std::to_string(files);
                CHECK(store.query("SELECT min(n) || ' ' || max(n) FROM t", soon()).row(0).text(0) == all + " " + all);
                CHECK(store.query("SELECT count(*) || ' ' || sum(batches) || ' ' || sum(rows_changed) || ' ' || count(finished_at) FROM ysdb.backfills WHERE unit = '" + version + "/up'", soon()).row(0).text(0) == "1 5 23 1");
                CHECK(project.pg("SELECT count(*) FROM ysdb.migrations") == all);
                if (!died) break;
            }
        }
    }
    CHECK(kills >= 40);
}

TEST_CASE("rows of any table with a key are met once each: odd names, an alias, FROM, partitions, ONLY, DELETE") {
    MigrateProject project;
    project.main().query(
        "CREATE TABLE \"Odd t\" (\"The id\" uuid PRIMARY KEY DEFAULT gen_random_uuid(), \"N\" int NOT NULL DEFAULT 0); INSERT INTO \"Odd t\" SELECT FROM generate_series(1, 40);"
        "CREATE TABLE p (at timestamptz, id bigint, n int NOT NULL DEFAULT 0, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');"
        "INSERT INTO p SELECT '2026-01-20'::timestamptz + g * interval '1 h 0.123456 s', g, 0 FROM generate_series(1, 500) g;"
        "CREATE TABLE rates (id bigint, factor int); INSERT INTO rates SELECT g, 2 FROM generate_series(1, 500, 2) g;"
        "CREATE TABLE parent (id int NOT NULL UNIQUE, n int NOT NULL DEFAULT 0); CREATE TABLE child () INHERITS (parent); INSERT INTO parent SELECT g FROM generate_series(1, 20) g; INSERT INTO child SELECT 100;"
        "CREATE TABLE log (id bigint NOT NULL, old boolean); CREATE INDEX ON log (id); INSERT INTO log SELECT g / 3, g % 2 = 0 FROM generate_series(1, 300) g",
        soon());
    project.file("0001_fill.sql",
                 "-- migrate:up transaction:false\n"
                 "-- migrate:batch size:7\nUPDATE public.\"Odd t\" SET \"N\" = \"N\" + 1;\n"
                 "-- migrate:batch size:30\nUPDATE p AS x SET n = x.n + r.factor FROM rates r WHERE r.id = x.id OR false;\n"
                 "-- migrate:batch size:3\nUPDATE ONLY parent SET n = n + 1 WHERE n = 0 -- not yet\n;\n"
                 "-- migrate:batch size:10 key:id\nDELETE FROM log WHERE old;\n");
    const CommandResult result = project.ysdb({"up"});
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    CHECK(project.pg("SELECT min(\"N\") || ' ' || max(\"N\") FROM \"Odd t\"") == "1 1");
    CHECK(project.pg("SELECT count(*) || ' ' || sum(n) || ' ' || max(n) FROM p WHERE n > 0") == "250 500 2");
    CHECK(project.pg("SELECT string_agg(DISTINCT n::text, ' ') FROM ONLY parent") == "1");
    CHECK(project.pg("SELECT n FROM child") == "0");
    CHECK(project.pg("SELECT count(*) || ' ' || count(*) FILTER (WHERE old) FROM log") == "150 0");
    CHECK(project.pg("SELECT bool_and(finished_at IS NOT NULL) FROM ysdb.backfills") == "t");
    CHECK(project.ysdb({"up"}).exit_code == 0);
}

TEST_CASE("a row that the statement fails on keeps what was done, is shown, and the next run goes on there once it is mended") {
    MigrateProject project;
    fill(project.main());
    project.pg("UPDATE t SET b = 0 WHERE b = 20");
    project.file("0001_fill.sql", "-- migrate:up transaction:false\n-- migrate:batch size:4 target:0s\nUPDATE t SET n = n + 1 / b + 1 WHERE b <> 100 OR 1 / b > 5;\n");
    const CommandResult failed = project.ysdb({"up"});
    CHECK(failed.exit_code == 5);
    CHECK(has(failed.err, "migrations/0001_fill.sql:3:1: "));
    CHECK(has(failed.err, "division by zero"));
    CHECK(has(failed.err, " rows of the table are done, "));
    const std::string done = project.pg("SELECT count(*) FROM t WHERE n > 0");
    CHECK(std::stoi(done) > 0);
    CHECK(project.pg("SELECT rows_changed FROM ysdb.backfills") == done);
    project.pg("UPDATE t SET b = 30 WHERE b = 0");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT min(n) || ' ' || max(n) FROM t WHERE b > 1") == "1 1");
    CHECK(project.pg("SELECT sum(rows_changed) FROM ysdb.backfills") == "23");

    // Its columns are checked before a row is changed; the caret stands where the file has the word.
    project.file("0002_bad.sql", "-- migrate:up transaction:false\n-- migrate:batch\nUPDATE t SET n = 1\nWHERE n = 0 AND nobody = 1;\n");
    const CommandResult unknown = project.ysdb({"up"});
    CHECK(unknown.exit_code == 5);
    CHECK(has(unknown.err, "migrations/0002_bad.sql:4:17: "));
}

TEST_CASE("a batch that finds a row locked gives way, tries again, and changes no row twice") {
    MigrateProject project;
    fill(project.main());
    project.file("0001_fill.sql", "-- migrate:up transaction:false lock-timeout:50ms\n-- migrate:batch size:4 target:0s\nUPDATE t SET n = n + 1;\n");
    const auto holder = project.main().open_session("holder", soon());
    holder->query("BEGIN", soon());
    holder->query("SELECT * FROM t WHERE a = 'k2' AND b = 2 FOR UPDATE", soon());
    Running run(project);
    REQUIRE(wait_until([&] { return has(run.output(), "batch not done"); }));
    CHECK(project.pg("SELECT count(*) FROM t WHERE n > 0") != "0");
    // Nobody waits behind it: what is not locked can be written.
    project.pg("UPDATE t SET n = n WHERE a = 'k2' AND b = 5");
    holder->query("COMMIT", soon());
    CHECK(run.exit_code() == 0);
    CHECK(project.pg("SELECT min(n) || ' ' || max(n) FROM t") == "1 1");
}

TEST_CASE("it waits while a replica is behind, says so, and Ctrl-C ends it between two batches for the next run to go on") {
    MigrateProject project;
    fill(project.main());
    // The same view, with a lag of our own making.
    project.main().query("CREATE SCHEMA fake; CREATE TABLE fake.pg_stat_replication (application_name text, client_addr inet, pid int, replay_lag interval, state text); INSERT INTO fake.pg_stat_replication VALUES ('far', NULL, 1, '40 s', 'streaming')", soon());
    write_file_atomically(project.directory() / "ysdb.toml", "[stores.main]\nurl = \"" + project.postgres_url() + "?options=-csearch_path%3Dfake%2Cpg_catalog%2Cpublic\"\n");
    project.file("0001_fill.sql", "-- migrate:up transaction:false\n-- migrate:batch size:4 target:0s lag:20s\nUPDATE t SET n = n + 1;\n");
    {
        Running run(project, {"--log-format", "json"});
        REQUIRE(wait_until([&] { return has(run.output(), "replica 'far' is 40.0 s behind"); }));
        CHECK(project.pg("SELECT count(*) FROM t WHERE n > 0") == "0");
        run.interrupt();
        CHECK(run.exit_code() == 130);
        CHECK(has(run.output(), "the same command goes on there"));
        CHECK(states(project) == "0001:partial");
    }
    Running run(project);
    REQUIRE(wait_until([&] { return has(run.output(), "replica 'far' is 40.0 s behind"); }));
    project.pg("UPDATE fake.pg_stat_replication SET replay_lag = '1 s'");
    CHECK(run.exit_code() == 0);
    CHECK(project.pg("SELECT min(n) || ' ' || max(n) FROM t") == "1 1");

    project.pg("UPDATE fake.pg_stat_replication SET replay_lag = '1 h'");
    project.file("0002_more.sql", "-- migrate:up transaction:false\n-- migrate:batch lag:off\nUPDATE t SET n = n + 1;\n");
    CHECK(project.ysdb({"up"}).exit_code == 0);
}

TEST_CASE("rate bounds the rows changed a second") {
    MigrateProject project;
    fill(project.main());
    project.file("0001_fill.sql", "-- migrate:up transaction:false\n-- migrate:batch size:5 target:0s pause:0% rate:50\nUPDATE t SET n = n + 1;\n");
    const auto start = SteadyClock::now();
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    CHECK(std::chrono::duration<double>(SteadyClock::now() - start).count() >= 0.38);  // four pauses of what is left of 0.1 s
}

TEST_CASE("the plan shows the batches, and lint does not take them for a change without bounds") {
    MigrateProject project;
    project.pg("CREATE TABLE t (id bigint PRIMARY KEY, n int); INSERT INTO t SELECT g FROM generate_series(1, 20000) g; ANALYZE t");
    project.file("0001_fill.sql", "-- migrate:up transaction:false\n-- migrate:batch size:2000\nUPDATE t SET n = 1;\n");
    const Json plan = Json::parse(project.ysdb({"up", "--dry-run", "--output", "json"}).out);
    const Json& step = plan.at("steps").at(0);
    CHECK(step.at("what") == "UPDATE t in batches");
    CHECK(has(step.at("note"), "batches of 2,000 rows at first, then as many as take 500 ms, by the primary key; waits while a replica is behind by more than 10.0 s; the table has about 20,000 rows"));
    CHECK(project.pg("SELECT count(n) FROM t") == "0");
    const CommandResult lint = project.ysdb({"lint"});
    CHECK(lint.exit_code == 0);
    CHECK_FALSE(has(lint.out, "unbounded-update"));
    project.file("0001_fill.sql", "-- migrate:up transaction:false\nUPDATE t SET n = 1;\n");
    CHECK(has(project.ysdb({"lint"}).out, "migrate:batch"));
}

TEST_CASE("what cannot be cut into batches is refused before a row is changed") {
    struct Case {
        const char* file;
        const char* message;
    };
    constexpr auto cases = std::to_array<Case>({
        {"-- migrate:batch\nUPDATE t SET n = 1;", "batches are transactions of their own"},
        {"-- migrate:up store:analytics\n-- migrate:batch\nALTER TABLE t UPDATE n = 1 WHERE true;", "migrate:batch is for PostgreSQL"},
        {"-- migrate:up transaction:false\n-- migrate:batch\nINSERT INTO t SELECT 1;", "neither UPDATE nor DELETE"},
        {"-- migrate:up transaction:false\n-- migrate:batch\nWITH x AS (SELECT 1) UPDATE t SET n = 1;", "neither UPDATE nor DELETE"},
        {"-- migrate:up transaction:false\n-- migrate:batch\nUPDATE t SET n = 1 RETURNING n;", "nobody reads what it returns"},
        {"-- migrate:up transaction:false\n-- migrate:batch sise:5\nUPDATE t SET n = 1;", "unknown option 'sise'; did you mean 'size'?"},
        {"-- migrate:up transaction:false\n-- migrate:batch size:0\nUPDATE t SET n = 1;", "size is a number of rows"},
        {"-- migrate:up transaction:false\n-- migrate:batch\nUPDATE t SET (n, b) = (1, 2);", "the statement changes b, by which its batches are cut"},
        {"-- migrate:up transaction:false\n-- migrate:batch\nUPDATE no_key SET n = 1;", "no_key has no primary key"},
        {"-- migrate:up transaction:false\n-- migrate:batch key:n\nUPDATE no_key SET m = 1;", "no index of no_key begins with n"},
        {"-- migrate:up transaction:false\n-- migrate:batch\nUPDATE nobody SET n = 1;", "relation \"nobody\" does not exist"},
    });
    MigrateProject project;
    fill(project.main());
    project.pg("CREATE TABLE no_key (n int, m int)");
    for (const Case& one : cases) {
        CAPTURE(one.file);
        project.file("0001_a.sql", one.file);
        const CommandResult result = project.ysdb({"up"});
        CHECK(result.exit_code == (has(one.message, "does not exist") ? 5 : 7));
        CAPTURE(result.err);
        CHECK(has(result.err, one.message));
        CHECK(has(result.err, "migrations/0001_a.sql:"));
    }
    CHECK(project.pg("SELECT count(*) FROM t WHERE n > 0") == "0");
}

TEST_CASE("what a run left that was ended by hand is no position for the next time") {
    MigrateProject project;
    fill(project.main());
    project.file("0001_fill.sql", "-- migrate:up transaction:false\n-- migrate:batch size:5 target:0s\nUPDATE t SET n = n + 1;\n-- migrate:down\nSELECT 1;\n");
    REQUIRE(project.ysdb({"up"}, "plan.batch.after:2").exit_code == killed);
    CHECK(project.ysdb({"repair", "0001", "--step", "1", "--applied"}).exit_code == 0);
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT sum(n) FROM t") == "10");
    CHECK(project.ysdb({"redo", "--yes"}).exit_code == 0);
    CHECK(project.pg("SELECT sum(n) FROM t") == "33");
}

TEST_CASE("after down and up again it begins anew; an option is no edit") {
    MigrateProject project;
    fill(project.main());
    const std::string down = "-- migrate:down\n-- migrate:batch size:6\nUPDATE t SET n = n - 1;\n";
    project.file("0001_fill.sql", "-- migrate:up transaction:false\n-- migrate:batch size:5\nUPDATE t SET n = n + 1;\n" + down);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0001_fill.sql", "-- migrate:up transaction:false\n-- migrate:batch size:9 pause:1%\nUPDATE t SET n = n + 1;\n" + down);
    CHECK(project.ysdb({"verify"}).exit_code == 0);
    REQUIRE(project.ysdb({"redo", "--yes"}).exit_code == 0);
    CHECK(project.pg("SELECT min(n) || ' ' || max(n) FROM t") == "1 1");
    REQUIRE(project.ysdb({"down", "--yes"}).exit_code == 0);
    CHECK(project.pg("SELECT min(n) || ' ' || max(n) FROM t") == "0 0");
}
