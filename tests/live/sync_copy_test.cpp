// needs: main analytics
// takes: 40
// Copies of new tables that are interrupted in the middle, or take longer than one view of the source may be held.
#include <atomic>
#include <thread>

#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// 40,000 rows over two partitions and hundreds of pages: several ranges with --range-rows 5000.
class Copying {
public:
    Copying() { fill(); }
    void begin_anew() {
        site_.begin_anew();
        fill();
    }
    SyncSite& site() { return site_; }
    CommandResult run(const std::string& fault = {}, const std::vector<std::string>& more = {}) {
        std::vector<std::string> arguments{"sync", "run", "--until-caught-up", "--workers", "2", "--range-rows", "5000"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return site_.ysdb(arguments, fault.empty() ? std::map<std::string, std::string>() : std::map<std::string, std::string>{{"YSDB_FAULT", fault}});
    }
    std::int64_t ranges_done() { return site_.ask_source("SELECT count(*) FROM ysdb.sync_copied_ranges").row(0).integer(0); }
    std::int64_t rows_in_staging() {
        const auto name = site_.target("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%staging%'");
        return name.rows() == 0 ? -1 : site_.target_count("`" + name.row(0).text(0) + "`");
    }
    // Rows come, go, change and move between pages, read and unread ones.
    void write() {
        site_.source("UPDATE t SET v = 'changed' WHERE id % 7 = 0; DELETE FROM t WHERE id % 11 = 0; INSERT INTO t SELECT g, 1, 'new' FROM generate_series(" + std::to_string(next_) + ", " + std::to_string(next_ + 499) + ") g;"
                     "UPDATE t SET part = 3 - part WHERE id % 13 = 0");
        next_ += 500;
    }

private:
    void fill() {
        site_.source("CREATE TABLE t (id int, part int, v text, PRIMARY KEY (id, part)) PARTITION BY LIST (part); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2);"
                     "INSERT INTO t SELECT g, 1 + g % 2, repeat('x', 100) || g FROM generate_series(1, 40000) g; ANALYZE t");
    }
    int next_ = 50'001;
    SyncSite site_;
};

}  // namespace

TEST_CASE("a copy that was killed is taken up where it was, with what was written meanwhile") {
    Copying copy;
    for (const std::string point : {"sync.copy.range.after:4", "sync.copy.range.before:4", "sync.copy.log.before", "sync.copy.log.after"}) {
        CAPTURE(point);
        copy.begin_anew();
        CHECK(copy.run(point).exit_code == 128 + SIGKILL);
        const std::int64_t done = copy.ranges_done();
        copy.write();
        // Killed again, in the middle of what was left.
        CHECK(copy.run("sync.copy.range.after:2").exit_code == 128 + SIGKILL);
        CHECK(copy.ranges_done() >= done + 1);
        copy.write();
        const CommandResult result = copy.run();
        CAPTURE(result.err);
        CHECK(result.exit_code == 0);
        CHECK(result.err.find("sync.copy") != std::string::npos);  // says what was there already
        CHECK(copy.site().equal());
        CHECK(copy.ranges_done() == 0);
        CHECK(copy.rows_in_staging() == -1);
    }
}

TEST_CASE("a copy that was killed shows how far it came, and is forgotten by a reset: what it missed meanwhile is not lost") {
    Copying copy;
    CHECK(copy.run("sync.copy.range.after:4").exit_code == 128 + SIGKILL);
    const auto status = nlohmann::json::parse(copy.site().ysdb({"sync", "status", "--output", "json"}).out);
    CHECK(status["tables"][0]["state"] == "copying");
    CHECK(status["tables"][0]["copied"].get<int>() > 5'000);
    CHECK(status["tables"][0]["reason"].get<std::string>().find(" ranges") != std::string::npos);
    copy.write();
    CHECK(copy.site().ysdb({"sync", "reset", "public.t"}).exit_code == 0);
    CHECK(copy.run().exit_code == 0);
    CHECK(copy.site().equal());
}

TEST_CASE("what was read already is not read again") {
    Copying copy;
    CHECK(copy.run("sync.copy.range.after:6").exit_code == 128 + SIGKILL);
    const std::int64_t before = copy.rows_in_staging();
    CHECK(before >= 20'000);
    CHECK(copy.run("clickhouse.replace.exchange.before").exit_code == 128 + SIGKILL);
    // Each row once, though a range that was in the middle is there twice.
    CHECK(copy.rows_in_staging() < 40'000 + 2 * 6'000);
    CHECK(copy.run().exit_code == 0);
    CHECK(copy.site().equal());
}

TEST_CASE("killed around the moment when the copy takes the old table's place, the next run never brings the old one back") {
    Copying copy;
    for (const std::string point : {"sync.copy.finish.before", "clickhouse.replace.exchange.after", "clickhouse.replace.drop.before", "clickhouse.replace.drop.after", "sync.copy.finish.after"}) {
        CAPTURE(point);
        copy.begin_anew();
        REQUIRE(copy.run().exit_code == 0);
        copy.site().source("UPDATE t SET v = 'second' WHERE id <= 100");
        REQUIRE(copy.run().exit_code == 0);
        CHECK(copy.site().ysdb({"sync", "reset", "public.t"}).exit_code == 0);
        CHECK(copy.run(point).exit_code == 128 + SIGKILL);
        copy.write();
        CHECK(copy.run().exit_code == 0);
        CHECK(copy.site().equal());
        CHECK(copy.rows_in_staging() == -1);
    }
}

TEST_CASE("a copy that takes longer than one view may be held looks again, under a writer") {
    Copying copy;
    CHECK(copy.run("sync.copy.snapshot.after:2", {"--view-age", "1ms"}).exit_code == 128 + SIGKILL);   // a second look, in one run
    std::atomic<bool> writing{true};
    std::jthread writer([&] {
        const auto session = copy.site().source_session();
        for (int i = 0; writing; ++i) {
            session->query("UPDATE t SET v = 'w' || id WHERE id % 100 = " + std::to_string(i % 100) + "; UPDATE t SET part = 3 - part WHERE id % 100 = " + std::to_string((i * 7) % 100),
                           SyncSite::soon());
        }
    });
    const CommandResult result = copy.run({}, {"--view-age", "1ms"});
    writing = false;
    writer.join();
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    CHECK(copy.run().exit_code == 0);
    CHECK(copy.site().equal());
}

TEST_CASE("whoever wants a table for himself while it is copied waits for a view to end, not for the copy and him to wait for each other") {
    SyncSite site("\"public.t\"");
    site.source("CREATE TABLE t (id int, part int, v text, PRIMARY KEY (id, part)) PARTITION BY LIST (part); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2);"
                "INSERT INTO t SELECT g, 1 + g % 2, repeat('x', 100) || g FROM generate_series(1, 100000) g; ANALYZE t");
    Running run(site, {"sync", "run", "--workers", "2", "--range-rows", "1000", "--view-age", "1ms"});
    REQUIRE(wait_until([&] { return site.state("public.t") == "copying" && site.ask_source("SELECT count(*) FROM ysdb.sync_copied_ranges").row(0).integer(0) > 1; }, Millis(60'000)));
    int times = 0;
    for (; times < 12 && site.state("public.t") == "copying"; ++times) {
        // Shorter than what ended it once: the time limit of the copy's own question.
        site.source("SET lock_timeout = '15s'; BEGIN; LOCK TABLE " + std::string(times % 2 == 0 ? "t" : "t1") + " IN ACCESS EXCLUSIVE MODE; COMMIT");
    }
    CHECK(times > 3);
    CHECK(wait_until([&] { return site.state("public.t") == "following"; }, Millis(120'000)));
    run.signal(SIGINT);
    CAPTURE(run.log());
    CHECK(run.wait() == 130);
    CHECK(run.log().find("no answer in time") == std::string::npos);
    CHECK(site.equal());
}

TEST_CASE("whoever waits to alter a table that is copied gets it between two ranges, not when the view is old") {
    SyncSite site("\"public.t\"");
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat('x', 100) || g FROM generate_series(1, 100000) g; ANALYZE t");
    Running run(site, {"sync", "run", "--workers", "2", "--range-rows", "1000"});
    const auto ranges_done = [&] { return site.ask_source("SELECT count(*) FROM ysdb.sync_copied_ranges").row(0).integer(0); };
    REQUIRE(wait_until([&] { return site.state("public.t") == "copying" && ranges_done() > 1; }));
    const auto waits = [&] { return site.ask_source("SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND waitstart < clock_timestamp() - interval '2 seconds'").row(0).integer(0) == 1; };
    const auto pause = site.source_session();
    pause->query("BEGIN; LOCK TABLE ysdb.sync_copied_ranges IN SHARE MODE", SyncSite::soon());   // the copy stands still, with its readers' locks on the table
    std::int64_t done = -1;
    std::jthread other([&] {
        const auto session = site.source_session();
        session->query("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE", SyncSite::soon());
        done = session->query("SELECT count(*) FROM ysdb.sync_copied_ranges", SyncSite::soon()).row(0).integer(0);
        session->query("COMMIT", SyncSite::soon());
    });
    CHECK(wait_until(waits));   // for longer than the copy asks once
    pause->query("COMMIT", SyncSite::soon());
    other.join();
    CHECK(done > 1);
    CHECK(done < 50);   // of about a hundred
    CHECK(wait_until([&] { return site.state("public.t") == "following"; }));
    run.signal(SIGINT);
    CAPTURE(run.log());
    CHECK(run.wait() == 130);
    CHECK(site.equal());
}

TEST_CASE("a table that was rewritten, or got other columns, before its copy was taken up is copied from the start") {
    Copying copy;
    for (const std::string change : {"VACUUM FULL t1", "ALTER TABLE t ADD n int DEFAULT 5; UPDATE t SET n = 6 WHERE id % 3 = 0", "TRUNCATE t2", "ALTER TABLE t ALTER v TYPE varchar",
                                     "ALTER TABLE t ADD r double precision NOT NULL DEFAULT random()"}) {
        CAPTURE(change);
        copy.begin_anew();
        CHECK(copy.run("sync.copy.range.after:4").exit_code == 128 + SIGKILL);
        if (change.find("VACUUM") == 0) copy.site().source_session()->query(change, SyncSite::soon());
        else copy.site().source(change);
        copy.write();
        const CommandResult result = copy.run();
        CAPTURE(result.err);
        CHECK(result.exit_code == 0);
        CHECK(copy.site().equal());
    }
}
