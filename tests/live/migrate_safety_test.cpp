// needs: main analytics
// What up does, and says, on a server that is in use or in trouble.
#include <doctest/doctest.h>

#include <mutex>
#include <thread>

#include "core/plan/watch.h"
#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr int killed = 128 + 9;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Deadline soon() { return Deadline::after(Millis(20'000)); }

constexpr const char* partitioned = "CREATE TABLE p (id int, at date) PARTITION BY RANGE (at); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')";

}  // namespace

TEST_CASE("a partition whose concurrent detaching was cut off is finished, whoever began it") {
    for (const bool ours : {true, false}) {
        CAPTURE(ours);
        MigrateProject project;
        project.main().query(partitioned, soon());
        project.file("0001_detach.sql", "-- migrate:up transaction:false\nALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;\nCREATE TABLE after (id int);");
        // It waits for this reader between its two transactions; cut off there, the partition is pending.
        const auto reader = project.main().open_session("reader", soon());
        reader->query("BEGIN", soon());
        reader->query("SELECT * FROM p", soon());
        CommandResult cut;
        const auto pending = [&] { return project.pg("SELECT count(*) FROM pg_inherits WHERE inhdetachpending AND inhrelid = 'p1'::regclass") == "1"; };
        const std::string kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%DETACH PARTITION p1 CONCURRENTLY%' AND pid <> pg_backend_pid() AND datname = current_database()";
        std::jthread run([&] {
            if (ours) {
                cut = project.ysdb({"up"});
            } else {
                try {
                    project.main().open_session("somebody", soon())->query("ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY", soon());
                } catch (const Error&) {
                }
            }
        });
        REQUIRE(wait_until(pending));
        project.pg(kill);
        run.join();
        reader->query("COMMIT", soon());
        if (ours) CHECK(cut.exit_code == 4);
        REQUIRE(pending());
        const CommandResult result = project.ysdb({"up"});
        CAPTURE(result.err);
        CHECK(result.exit_code == 0);
        CHECK(project.pg("SELECT count(*) FROM pg_inherits WHERE inhrelid = 'p1'::regclass") == "0");
        CHECK(project.pg("SELECT to_regclass('after') IS NOT NULL") == "t");
    }
}

TEST_CASE("a concurrent detaching that was killed at any point of ysdb's is taken up") {
    for (const char* point : {"plan.intent.after", "plan.run.before", "plan.run.after", "plan.outcome.before", "plan.outcome.after"}) {
        CAPTURE(point);
        MigrateProject project;
        project.main().query(partitioned, soon());
        project.file("0001_detach.sql", "-- migrate:up transaction:false\nALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;");
        REQUIRE(project.ysdb({"up"}, point).exit_code == killed);
        const CommandResult result = project.ysdb({"up"});
        CAPTURE(result.err);
        CHECK(result.exit_code == 0);
        CHECK(project.pg("SELECT count(*) FROM pg_inherits WHERE inhrelid = 'p1'::regclass") == "0");
    }
}

TEST_CASE("a mutation that does not get on is told before a large table is changed, and can be made a reason to refuse") {
    MigrateProject project;
    project.analytics().query("CREATE TABLE big (x Int32) ENGINE = MergeTree ORDER BY tuple()", soon());
    project.analytics().query("INSERT INTO big SELECT number FROM numbers(100000)", soon());
    project.analytics().query("CREATE TABLE stuck (x Int32) ENGINE = MergeTree ORDER BY tuple()", soon());
    project.analytics().query("INSERT INTO stuck SELECT 1", soon());
    project.analytics().query("ALTER TABLE stuck UPDATE x = throwIf(x = 1, 'never') WHERE 1 SETTINGS mutations_sync = 0", soon());
    project.file("0001_a.sql", "-- migrate:up store:analytics\nALTER TABLE big ADD COLUMN y Int32;");
    const CommandResult plan = project.ysdb({"plan", "--guard-above", "1KiB"});
    CHECK(plan.exit_code == 0);
    CHECK(has(plan.err, "store 'analytics': "));
    CHECK(has(plan.err, "mutation"));
    const CommandResult refused = project.ysdb({"up", "--guard", "refuse", "--guard-above", "1KiB"});
    CHECK(refused.exit_code == 7);
    CHECK(has(refused.err, "not now: store 'analytics': "));
    CHECK(has(refused.err, "--guard warn"));
    CHECK(project.ch("SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 'big'") == "1");
    const CommandResult off = project.ysdb({"up", "--guard", "off", "--guard-above", "1KiB"});
    CHECK(off.exit_code == 0);
    CHECK_FALSE(has(off.err, "mutation"));
    project.file("0002_b.sql", "-- migrate:up store:analytics\nALTER TABLE big ADD COLUMN z Int32;");
    const CommandResult small = project.ysdb({"up", "--guard", "refuse"});  // no table is large
    CHECK(small.exit_code == 0);
    project.analytics().query("KILL MUTATION WHERE database = currentDatabase() AND table = 'stuck'", soon());
}

namespace {

// What a progress line would say.
class Notes final : public ProgressTask {
public:
    void add(std::uint64_t) override {}
    void set_total(std::uint64_t) override {}
    void note(std::string_view text) override {
        const std::lock_guard lock(mutex_);
        all_ += std::string(text) + "\n";
    }
    bool said(const std::string& part) {
        const std::lock_guard lock(mutex_);
        return has(all_, part);
    }

private:
    std::mutex mutex_;
    std::string all_;
};

}  // namespace

TEST_CASE("while a statement waits, it is said who blocks it; while an index is built, how far it is") {
    MigrateProject project;
    project.main().query("CREATE TABLE a AS SELECT generate_series(1, 200) AS id", soon());
    const auto blocker = project.main().open_session("a slow report", soon());
    blocker->query("BEGIN", soon());
    blocker->query("SELECT * FROM a", soon());
    const auto session = project.main().open_session("test", soon());
    Notes notes;
    plan::Watch watch(notes, Millis(5'000));
    {
        const auto guard = watch.over(project.main(), *session, "", "ALTER TABLE a");
        std::jthread waiting([&] { session->query("ALTER TABLE a ADD COLUMN x int", soon()); });
        CHECK(wait_until([&] { return notes.said("ALTER TABLE a, "); }));
        CHECK(wait_until([&] { return notes.said("blocked by pid ") && notes.said("(a slow report, user "); }));
        blocker->query("COMMIT", soon());
    }
    project.main().query("CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN $1; END'", soon());
    const auto guard = watch.over(project.main(), *session, "", "CREATE INDEX");
    std::jthread building([&] { session->query("CREATE INDEX ON a (slow(id))", soon()); });
    CHECK(wait_until([&] { return notes.said("building index"); }));
}
