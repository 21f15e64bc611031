// needs: main analytics
// lock: own_lab
// A store that is a standby: it takes no writes, whatever the role may; and one that has a standby, for which a backfill waits. A lab of their own.
#include <doctest/doctest.h>

#include <filesystem>
#include <future>
#include <thread>

#include "core/base/retry.h"
#include "tests/live/other_postgres.h"
#include "tests/live/outage_lab.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("on a read-only replica status, plan and verify work, up says what it is and changes nothing, and after its promotion up goes on") {
    OutageLab lab;
    lab.up();
    const std::string& url = lab.url("main");
    const auto configure = [&](const std::string& main) { write_file_atomically(lab.directory() + "/ysdb.toml", "[stores.main]\nurl = \"" + main + "\"\n[migrate]\nstore = \"main\"\n"); };
    std::filesystem::create_directory(lab.directory() + "/migrations");
    const auto file = [&](const std::string& name, const std::string& text) { write_file_atomically(lab.directory() + "/migrations/" + name, text); };
    configure(url);
    file("0001_a.sql", "CREATE TABLE a (id int);");
    REQUIRE(lab.ysdb({"migrate", "up"}).exit_code == 0);

    OtherPostgres standby(lab.directory(), "standby");
    standby.copy(url, true);
    standby.start();
    configure(with_ports(url, {standby.port()}));
    REQUIRE(wait_until([&] { return lab.ysdb({"migrate", "status"}).exit_code == 0; }));
    CHECK(lab.ysdb({"migrate", "up"}).exit_code == 0);  // nothing to apply
    file("0002_b.sql", "CREATE TABLE b (id int);");
    CHECK(has(lab.ysdb({"migrate", "status"}).out, "pending"));
    CHECK(lab.ysdb({"migrate", "plan"}).exit_code == 0);
    CHECK(lab.ysdb({"migrate", "verify"}).exit_code == 0);
    const CommandResult refused = lab.ysdb({"migrate", "up"});
    CAPTURE(refused.err);
    CHECK(refused.exit_code == 5);
    CHECK(has(refused.err, "read-only transaction"));
    CHECK(has(refused.err, "is it a replica?"));
    standby.run("pg_ctl", {"promote", "-w", "-D", lab.directory() + "/standby/data"});
    const CommandResult promoted = lab.ysdb({"migrate", "up"});
    CAPTURE(promoted.err);
    CHECK(promoted.exit_code == 0);
    const Server there{with_ports(url, {standby.port()})};
    CHECK(there.truth("SELECT to_regclass('b') IS NOT NULL"));
    CHECK(there.truth("SELECT string_agg(version, ' ' ORDER BY seq) = '0001 0002' FROM ysdb.migrations"));
}

TEST_CASE("a backfill waits in the middle while a standby that streams from the server stands still, says so, and goes on once the standby does") {
    OutageLab lab;
    lab.up();
    const std::string& url = lab.url("main");
    const auto ask = [&](const std::string& sql) { return lab.store("main")->sql()->query(sql, OutageLab::soon()).row(0).text(0); };
    const auto change = [&](const std::string& sql) { lab.store("main")->sql()->query(sql, OutageLab::soon()); };
    change("ALTER SYSTEM SET wal_receiver_status_interval = 1");  // the copy brings it along: otherwise each word of the standby takes up to 10 s
    change("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0)");
    change("INSERT INTO t SELECT generate_series(1, 400)");
    OtherPostgres standby(lab.directory(), "standby");
    standby.copy(url, true);
    standby.start();
    const auto there = open_store(store_at("standby", with_ports(url, {standby.port()})));
    REQUIRE(wait_until([&] { return ask("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1"; }));

    write_file_atomically(lab.directory() + "/ysdb.toml", "[stores.main]\nurl = \"" + url + "\"\n[migrate]\nstore = \"main\"\n");
    std::filesystem::create_directory(lab.directory() + "/migrations");
    write_file_atomically(lab.directory() + "/migrations/0001_fill.sql", "-- migrate:up transaction:false\n-- migrate:batch size:10 target:0s pause:0% rate:20 lag:1s\nUPDATE t SET n = n + 1;\n");
    // What the standby is behind by grows with what is written: something is, all the time.
    std::jthread writer([&](const std::stop_token& stop) {
        const auto store = lab.store("main");
        store->sql()->query("CREATE TABLE noise (n int)", OutageLab::soon());
        while (!stop.stop_requested()) {
            store->sql()->query("INSERT INTO noise SELECT generate_series(1, 100)", OutageLab::soon());
            pause_for(Millis(50), stop);
        }
    });
    auto up = std::async(std::launch::async, [&] { return lab.ysdb({"migrate", "up", "--log-format", "json"}); });
    const auto filled = [&] { return std::stoi(ask("SELECT count(*) FROM t WHERE n > 0")); };
    REQUIRE(wait_until([&] { return filled() >= 20; }));
    there->sql()->query("SELECT pg_wal_replay_pause()", OutageLab::soon());
    REQUIRE(wait_until([&] { return there->sql()->query("SELECT pg_get_wal_replay_pause_state()", OutageLab::soon()).row(0).text(0) == "paused"; }));
    REQUIRE(wait_until([&] { return ask("SELECT coalesce(max(replay_lag) > interval '3 s', false) FROM pg_stat_replication") == "t"; }));   // it has looked since
    const int stands_at = filled();
    CHECK(stands_at < 400);
    CHECK(up.wait_for(std::chrono::milliseconds(2'000)) == std::future_status::timeout);
    CHECK(filled() == stands_at);
    there->sql()->query("SELECT pg_wal_replay_resume()", OutageLab::soon());
    const CommandResult done = up.get();
    CAPTURE(done.err);
    CHECK(done.exit_code == 0);
    CHECK(has(done.err, "backfill waits"));
    CHECK(has(done.err, "replica '"));
    CHECK(has(done.err, " s behind"));
    CHECK(ask("SELECT min(n) || ' ' || max(n) FROM t") == "1 1");
    CHECK(wait_until([&] { return there->sql()->query("SELECT min(n) || ' ' || max(n) FROM t", OutageLab::soon()).row(0).text(0) == "1 1"; }));
}
