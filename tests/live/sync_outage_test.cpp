// needs: main analytics
// programs: redis-server
// lock: own_lab
// takes: 80
// The bad days of `sync run`, each fault once: under a writer that records every commit that was acknowledged. These tests kill, so they take a lab
// of their own; `needs` only says that both can be had here. The whole matrix is in sync_soak_test.cpp.
#include <signal.h>

#include "core/store/redis/redis.h"
#include "tests/live/sync_outage.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

SyncLab& shared_lab() {
    static SyncLab lab;
    return lab;
}

// A setting of the lab's PostgreSQL, for as long as this lives.
class Setting {
public:
    Setting(SyncLab& lab, std::string name, const std::string& value) : lab_(lab), name_(std::move(name)) { set("SET " + name_ + " = '" + value + "'"); }
    ~Setting() { set("RESET " + name_); }

private:
    void set(const std::string& what) {
        const auto session = open_store(lab_.direct("main"))->sql()->open_session("test", SyncSite::soon());
        session->query("ALTER SYSTEM " + what, SyncSite::soon());
        session->query("SELECT pg_reload_conf()", SyncSite::soon());
    }
    SyncLab& lab_;
    std::string name_;
};

std::int64_t slot_position(const SyncDay& day) {
    return day.ask_source("SELECT (confirmed_flush_lsn - '0/0'::pg_lsn)::bigint FROM pg_replication_slots WHERE slot_name = '" + day.slot() + "'").row(0).integer(0);
}
std::int64_t source_position(const SyncDay& day) { return day.ask_source("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint").row(0).integer(0); }
std::int64_t reader_pid(const SyncDay& day) { return day.ask_source("SELECT coalesce(max(active_pid), 0) FROM pg_replication_slots WHERE slot_name = '" + day.slot() + "'").row(0).integer(0); }

void insert_fat_rows(const SyncDay& day, int from, int to) {
    day.ask_source("INSERT INTO t SELECT g, 'fat', repeat(md5(g::text), 8) FROM generate_series(" + std::to_string(from) + ", " + std::to_string(to) + ") g");
}

}  // namespace

TEST_CASE("each fault once, at one moment or another: nothing that was acknowledged is lost, nothing is doubled, and the run comes back by itself") {
    const std::uint64_t seed = random_seed();
    SyncLab& lab = shared_lab();
    live_through(lab, Fault::kill_ysdb, Moment::streaming, seed);
    live_through(lab, Fault::kill_postgres, Moment::columns, seed + 1);
    live_through(lab, Fault::kill_clickhouse, Moment::columns, seed + 2);
    live_through(lab, Fault::stop_clickhouse, Moment::copying, seed + 3);
    live_through(lab, Fault::cut_network, Moment::streaming, seed + 4);
    live_through(lab, Fault::stall_network, Moment::between, seed + 5);
    if (lab.can_fill_disk()) live_through(lab, Fault::disk_full, Moment::streaming, seed + 6);
    else MESSAGE("SKIPPED: filling a disk needs root (a small tmpfs is mounted)");
}

TEST_CASE("a disk that was full has cut off a part whose rows were acknowledged: the table is halted and says so, and a new copy mends it") {
    SyncLab& lab = shared_lab();
    if (!lab.can_fill_disk()) {
        MESSAGE("SKIPPED: filling a disk needs root (a small tmpfs is mounted)");
        return;
    }
    SyncDay day(lab, 500);
    const auto run = day.run();
    REQUIRE_MESSAGE(wait_until([&] { return day.following(); }), run->log());
    day.ask_source("INSERT INTO t VALUES (1000, 'acknowledged')");
    const std::int64_t written = source_position(day);
    REQUIRE(wait_until([&] { return slot_position(day) >= written; }));
    day.ask_target("SYSTEM STOP MERGES t");   // the part stays where it is
    const auto part = day.ask_target("SELECT path FROM system.parts WHERE active AND database = currentDatabase() AND table = 't' ORDER BY modification_time DESC, name DESC LIMIT 1");
    lab.fill_disk();
    day.ask_source("INSERT INTO t VALUES (1001, 'waits')");
    CHECK_MESSAGE(wait_until([&] { return run->log().find("sync.retry") != std::string::npos; }), run->log());
    // What the server does to itself when a part is being written at that moment.
    for (const auto& file : std::filesystem::directory_iterator(part.row(0).text(0))) std::filesystem::resize_file(file.path(), 0);
    lab.empty_disk();
    CHECK_MESSAGE(wait_until([&] { return run->log().find("sync.halted") != std::string::npos; }), run->log());
    CHECK_MESSAGE(run->log().find("is damaged although its rows were acknowledged") != std::string::npos, run->log());
    run->signal(SIGTERM);
    CHECK(run->wait() == 143);
    REQUIRE(day.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
    day.check({}, 1'000'000);
    CHECK(day.arrived(1000, "acknowledged"));
    CHECK(day.arrived(1001, "waits"));
}

TEST_CASE("with one of two stores stopped the other goes on, and the source keeps what the stopped one has not got") {
    const TemporaryDirectory directory;
    RedisProcess cache(directory.path() / "redis", {});
    SyncDay day(shared_lab(), 100, "[[sync.to]]\nstore = \"cache\"\nkey = \"t:{id}\"\n[stores.cache]\nurl = \"redis://" + cache.address() + "\"\n");
    const auto store = open_store(store_at("cache", "redis://" + cache.address()));
    const auto cached = [&](int id) { return redis::as_redis(*store).command({"HGET", "t:" + std::to_string(id), "v"}, SyncSite::soon()).text; };
    const auto run = day.run({"--buffer", "1MiB"});
    REQUIRE_MESSAGE(wait_until([&] { return day.following(); }), run->log());
    day.ask_source("INSERT INTO t VALUES (1000, 'before')");
    REQUIRE_MESSAGE(wait_until([&] { return day.arrived(1000, "before") && cached(1000) == "before"; }), run->log());
    REQUIRE(wait_until([&] { return slot_position(day) > 0; }));

    cache.signal(SIGSTOP);
    day.ask_source("INSERT INTO t SELECT g, 'stopped' FROM generate_series(2001, 2100) g");
    const std::int64_t written = source_position(day);
    CHECK_MESSAGE(wait_until([&] { return day.arrived(2100, "stopped"); }), run->log());
    const auto sink = [&](const std::string& name) {
        const auto report = nlohmann::json::parse(day.ysdb({"sync", "status", "--output", "json"}).out);
        for (const auto& row : report["sinks"]) {
            if (row["sink"] == name) return row;
        }
        return nlohmann::json();
    };
    CHECK_MESSAGE(wait_until([&] { return sink("cache").value("state", "") == "retrying"; }), run->log());
    CHECK(sink("cache").value("error", "") != "");
    CHECK(wait_until([&] { return day.ask_source("SELECT position FROM ysdb.sync_sinks WHERE sink = 'analytics'").row(0).integer(0) >= written; }));
    CHECK(slot_position(day) < written);

    insert_fat_rows(day, 10'001, 40'000);  // far more than the buffer
    CHECK_MESSAGE(wait_until([&] { return day.ask_target("SELECT count() FROM t_current WHERE v = 'fat'").row(0).integer(0) == 30'000; }), run->log());
    CHECK(slot_position(day) < written);
    cache.signal(SIGCONT);
    CHECK_MESSAGE(wait_until([&] { return cached(40'000) == "fat" && cached(2100) == "stopped"; }), run->log());
    CHECK(wait_until([&] { return slot_position(day) > written && sink("cache").value("state", "") == "working"; }));
    run->signal(SIGTERM);
    CHECK(run->wait() == 143);
    const CommandResult equal = day.ysdb({"validate", "--to", "analytics"});
    CHECK_MESSAGE(equal.exit_code == 0, equal.out << equal.err);
}

TEST_CASE("a store that is stopped for longer than wal_sender_timeout holds up reading, but not the word that this side lives") {
    SyncLab& lab = shared_lab();
    const Setting patience(lab, "wal_sender_timeout", "1s");
    SyncDay day(lab, 100, {}, "spill = 0\n");
    const auto run = day.run({"--buffer", "1MiB"});
    REQUIRE_MESSAGE(wait_until([&] { return day.following() && reader_pid(day) != 0; }), run->log());
    const std::int64_t reader = reader_pid(day);
    lab.kill("clickhouse", "STOP");
    insert_fat_rows(day, 10'001, 110'000);  // far more than the buffer and the sockets on the way
    CHECK_FALSE(wait_until([&] { return reader_pid(day) != reader; }, Millis(4'000)));
    lab.kill("clickhouse", "CONT");
    CHECK_MESSAGE(wait_until([&] { return day.arrived(110'000, "fat"); }), run->log());
    CHECK_MESSAGE(run->log().find("sync.source") == std::string::npos, run->log());
    run->signal(SIGTERM);
    CHECK(run->wait() == 143);
    day.check({}, 1'000'000);
}

TEST_CASE("rows that ClickHouse refuses while the source cannot note that: nothing counts as written, and nothing is lost") {
    SyncDay day(shared_lab(), 100);
    auto run = day.run({"--tries", "1"});
    REQUIRE_MESSAGE(wait_until([&] { return day.following(); }), run->log());
    day.ask_target("ALTER TABLE t ADD CONSTRAINT picky CHECK note != 'refused'");
    const auto lock = open_store(day.source())->sql()->open_session("test", SyncSite::soon());
    lock->query("BEGIN; LOCK TABLE ysdb.sync_tables, ysdb.dead_letters", SyncSite::soon());
    day.ask_source("INSERT INTO t SELECT g, 'v', CASE WHEN g < 2100 THEN 'refused' ELSE '' END FROM generate_series(2001, 2200) g");
    const std::int64_t written = source_position(day);
    CHECK_MESSAGE(wait_until([&] { return run->log().find("'main'") != std::string::npos; }), run->log());
    CHECK_FALSE(wait_until([&] { return slot_position(day) >= written; }, Millis(5'000)));
    run->signal(SIGKILL);
    run->wait();
    // What the killed run had asked for last still waits there; it would be noted after all.
    day.ask_source("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    lock->query("ROLLBACK", SyncSite::soon());
    day.ask_target("ALTER TABLE t DROP CONSTRAINT picky");
    day.check({}, 1'000'000);
}

TEST_CASE("the source keeps its log for a slow set only as far as it may: said while there is time, and when it is too late") {
    SyncLab& lab = shared_lab();
    const Setting most(lab, "max_slot_wal_keep_size", "64MB");
    SyncDay day(lab, 100);
    const auto run = day.run();
    REQUIRE_MESSAGE(wait_until([&] { return day.following() && reader_pid(day) != 0; }), run->log());
    CHECK(run->log().find("sync.slot") == std::string::npos);
    lab.kill("clickhouse", "STOP");
    day.ask_source("INSERT INTO t VALUES (1000, 'waits')");
    const auto write_log = [&](int megabytes) {
        day.ask_source("SELECT count(pg_logical_emit_message(false, 'test', repeat('x', 1000000))) FROM generate_series(1, " + std::to_string(megabytes) + ")");
    };
    write_log(62);  // of 64 to 80: whole files count
    CHECK_MESSAGE(wait_until([&] { return run->log().find("sync.slot") != std::string::npos; }), run->log());
    const CommandResult status = day.ysdb({"sync", "status"});
    CHECK_MESSAGE((status.out + status.err).find("gives up the slot") != std::string::npos, status.out << status.err);
    write_log(80);
    day.ask_source("CHECKPOINT");
    CHECK(run->wait() == 7);
    CHECK_MESSAGE(run->log().find("gave up the replication slot") != std::string::npos, run->log());
    lab.kill("clickhouse", "CONT");
    REQUIRE(day.ysdb({"sync", "reset", "--yes"}).exit_code == 0);
    day.check({}, 1'000'000);
    CHECK(day.arrived(1000, "waits"));
}
