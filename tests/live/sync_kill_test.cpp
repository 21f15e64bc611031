// needs: main analytics
// takes: 90
// `sync run` killed where it hurts most, then run again: nothing lost, nothing doubled, by `validate`.
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

TEST_CASE("killed at every fault point of its first run, the same command completes copy and stream") {
    SyncSite site("\"public.t\", \"public.u\"");
    for (const std::string point : {"sync.install.before", "sync.install.after:2", "sync.epoch.before", "sync.epoch.after", "sync.copy.begin.before", "sync.copy.begin.after", "sync.copy.snapshot.before",
                                    "sync.copy.snapshot.after", "snapshot.batch.after", "sync.copy.finish.before", "clickhouse.replace.exchange.before", "clickhouse.replace.exchange.after", "sync.copy.finish.after",
                                    "sync.copy.state.after", "sync.confirm.before", "sync.confirm.after"}) {
        CAPTURE(point);
        site.begin_anew();
        site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 2000) g; CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u SELECT generate_series(1, 10)");
        CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", point}}).exit_code == 128 + SIGKILL);
        site.source("UPDATE t SET v = 'w' WHERE id <= 10; DELETE FROM t WHERE id = 11; INSERT INTO t VALUES (3000, 'n'); DELETE FROM u WHERE id = 1");
        site.catch_up();
        CHECK(site.equal());
        CHECK(site.target_count("system.tables WHERE database = currentDatabase() AND name LIKE '%staging%'") == 0);
    }
}

TEST_CASE("killed at every fault point of the stream, with a change of columns, a truncation and a dead letter in it") {
    SyncSite site("\"public.t\", \"public.u\"");
    for (const std::string point : {"clickhouse.follow.insert.before", "clickhouse.follow.insert.after", "clickhouse.follow.insert.after:2", "sync.flush.before", "sync.flush.after", "sync.reshape.before",
                                    "sync.reshape.after", "clickhouse.follow.alter.before", "clickhouse.follow.alter.after", "sync.truncate.before", "clickhouse.follow.truncate.before",
                                    "clickhouse.follow.truncate.after", "sync.truncate.after", "sync.dead_letter.before", "sync.dead_letter.after", "sync.confirm.before", "sync.confirm.after"}) {
        CAPTURE(point);
        site.begin_anew();
        site.source("CREATE TABLE t (id int PRIMARY KEY, v text, d date); INSERT INTO t SELECT g, 'v', '2026-01-01' FROM generate_series(1, 500) g; CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u SELECT generate_series(1, 10)");
        site.catch_up();
        site.source("UPDATE t SET v = 'old name' WHERE id <= 20; INSERT INTO t VALUES (1000, 'x', '1492-01-01')");
        site.source("ALTER TABLE t RENAME v TO w; ALTER TABLE t ADD n int DEFAULT 3");
        site.source("UPDATE t SET w = 'new name' WHERE id BETWEEN 15 AND 30; DELETE FROM t WHERE id = 40");
        site.source("INSERT INTO u VALUES (50); TRUNCATE u; INSERT INTO u VALUES (1), (51)");
        CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", point}}).exit_code == 128 + SIGKILL);
        site.source("DELETE FROM t WHERE id = 1000; UPDATE t SET w = 'last' WHERE id = 50");
        const auto report = site.catch_up(8);
        CHECK(report["dead_letters"] == 1);
        CHECK(site.state("public.t") == "following");
        CHECK(site.equal());
    }
}

TEST_CASE("reset and remove, killed half way, are completed by running them again") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 100) g");
    site.catch_up();
    for (const std::string point : {"sync.reset.before", "sync.remove.before", "sync.remove.after", "sync.install.before", "sync.install.after", "sync.reset.after"}) {
        CAPTURE(point);
        CHECK(site.ysdb({"sync", "reset", "--yes"}, {{"YSDB_FAULT", point}}).exit_code == 128 + SIGKILL);
        site.source("DELETE FROM t WHERE id = (SELECT min(id) FROM t)");
        CHECK(site.ysdb({"sync", "reset", "--yes"}).exit_code == 0);
        site.catch_up();
        CHECK(site.equal());
    }
}
