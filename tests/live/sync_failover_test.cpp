// needs: main analytics
// lock: own_lab
// takes: 30
// The source fails over to a standby that had not got everything, or comes back from a backup: positions go backwards, rows that were told are no
// more. A lab of their own; `needs` only says that both can be had here.
#include "tests/live/other_postgres.h"
#include "tests/live/sync_outage.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

std::string epochs(const SyncDay& day) {
    const SqlResult found = day.ask_target("SELECT toString(min(bitShiftRight(_version, 96))), toString(max(bitShiftRight(_version, 96))) FROM t");
    return found.row(0).text(0) + ".." + found.row(0).text(1);
}

}  // namespace

TEST_CASE("a standby that had not got everything is promoted: the same run goes on there, and what only the old primary had is gone from the store") {
    SyncLab lab;
    SyncDay day(lab, 1'000);
    OtherPostgres standby(lab.directory(), "standby");
    const std::string old_url = day.source().url;
    standby.copy(old_url, true);
    standby.start();
    const Server old{old_url}, fresh{with_ports(old_url, {standby.port()})};
    day.set_source(with_ports(old_url, {port_in(old_url), standby.port()}));
    const auto run = day.run();
    REQUIRE_MESSAGE(wait_until([&] { return day.following(); }), run->log());
    old.ask("UPDATE t SET v = 'both' WHERE id = 10");
    REQUIRE(wait_until([&] { return day.arrived(10, "both"); }));
    REQUIRE(wait_until([&] { return fresh.answers() && fresh.ask("SELECT v FROM t WHERE id = 10").row(0).text(0) == "both"; }));
    CHECK(epochs(day) == "1..1");

    standby.kill();
    old.ask("INSERT INTO t VALUES (7000, 'only the old one')");
    old.ask("UPDATE t SET v = 'only the old one' WHERE id = 1");
    old.ask("DELETE FROM t WHERE id = 2");
    old.ask("INSERT INTO t SELECT g, 'last' FROM generate_series(8001, 8500) g");
    REQUIRE_MESSAGE(wait_until([&] { return day.arrived(8500, "last") && day.arrived(1, "only the old one"); }), run->log());
    lab.kill("postgres");
    standby.start();
    REQUIRE(wait_until([&] { return fresh.answers(); }));
    // A replica is no source: it is waited for.
    CHECK_MESSAGE(wait_until([&] { return run->log().find("sync.source") != std::string::npos; }), run->log());
    CHECK(!run->ended());
    fresh.ask("SELECT pg_promote()");
    REQUIRE(wait_until([&] { return !fresh.ask("SELECT pg_is_in_recovery()").row(0).truth(0); }));
    fresh.ask("UPDATE t SET v = 'the new one' WHERE id = 3");
    fresh.ask("INSERT INTO t VALUES (7000, 'the new one')");
    fresh.ask("DELETE FROM t WHERE id = 7000");

    CHECK_MESSAGE(wait_until([&] { return run->ended() || day.arrived(3, "the new one"); }), run->log());
    CHECK_MESSAGE(run->log().find("sync.failover") != std::string::npos, run->log());
    CHECK_MESSAGE(wait_until([&] { return epochs(day) == "2..2"; }), epochs(day));
    CHECK(day.arrived(1, "v1"));
    CHECK(day.arrived(2, "v2"));
    CHECK(day.ask_target("SELECT count() FROM t_current WHERE id >= 7000").row(0).integer(0) == 0);
    // Changes follow there, also of rows that had higher positions here.
    fresh.ask("UPDATE t SET v = 'followed' WHERE id = 1");
    fresh.ask("INSERT INTO t VALUES (8001, 'anew')");
    CHECK_MESSAGE(wait_until([&] { return day.arrived(1, "followed") && day.arrived(8001, "anew"); }), run->log());
    run->signal(SIGTERM);
    CHECK_MESSAGE(run->wait() == 143, run->log());
    const CommandResult equal = day.ysdb({"validate"});
    CHECK_MESSAGE(equal.exit_code == 0, equal.out << equal.err);
}

TEST_CASE("a backup is restored in the source's place: a new epoch, and the store holds what the backup held") {
    SyncLab lab;
    SyncDay day(lab, 1'000);
    const auto catch_up = [&] {
        const CommandResult result = day.ysdb({"sync", "run", "--until-caught-up"});
        REQUIRE_MESSAGE(result.exit_code == 0, result.out << result.err);
    };
    catch_up();
    OtherPostgres restored(lab.directory(), "restored");
    if (!restored.has("pg_basebackup")) {
        MESSAGE("SKIPPED: this PostgreSQL came without pg_basebackup");
        return;
    }
    const std::string old_url = day.source().url;
    restored.copy(old_url, false);
    const Server old{old_url}, fresh{with_ports(old_url, {restored.port()})};
    old.ask("UPDATE t SET v = 'after the backup' WHERE id <= 10");
    old.ask("INSERT INTO t VALUES (7000, 'after the backup')");
    catch_up();
    REQUIRE(day.arrived(7000, "after the backup"));
    lab.kill("postgres");
    restored.restore_to_its_end();
    restored.start();
    REQUIRE(wait_until([&] { return fresh.answers() && !fresh.ask("SELECT pg_is_in_recovery()").row(0).truth(0); }));
    day.set_source(fresh.url);
    fresh.ask("UPDATE t SET v = 'restored' WHERE id = 5");
    catch_up();
    CHECK(epochs(day) == "2..2");
    CHECK(day.arrived(5, "restored"));
    CHECK(day.arrived(6, "v6"));
    CHECK(day.ask_target("SELECT count() FROM t_current WHERE id = 7000").row(0).integer(0) == 0);
    fresh.ask("UPDATE t SET v = 'followed' WHERE id = 7");
    catch_up();
    CHECK(day.arrived(7, "followed"));
    const CommandResult equal = day.ysdb({"validate"});
    CHECK_MESSAGE(equal.exit_code == 0, equal.out << equal.err);
}

TEST_CASE("another cluster that was filled from a dump is no continuation: refused until the set is reset") {
    SyncLab lab;
    SyncDay day(lab, 100);
    REQUIRE(day.ysdb({"sync", "run", "--until-caught-up"}).exit_code == 0);
    OtherPostgres other(lab.directory(), "other");
    if (!other.has("pg_dump")) {
        MESSAGE("SKIPPED: this PostgreSQL came without pg_dump");
        return;
    }
    other.make();
    other.start();
    const std::string old_url = day.source().url;
    const Server server{with_ports(old_url.substr(0, old_url.rfind('/')) + "/postgres", {other.port()})}, copy{with_ports(old_url, {other.port()})};
    REQUIRE(wait_until([&] { return server.answers(); }));
    server.ask("CREATE DATABASE " + old_url.substr(old_url.rfind('/') + 1));
    const std::string dump = lab.directory() + "/other/dump.sql";
    other.run("pg_dump", {"-d", old_url, "-f", dump});
    other.run("psql", {"-q", "-d", copy.url, "-v", "ON_ERROR_STOP=1", "-f", dump});
    day.set_source(copy.url);
    const CommandResult refused = day.ysdb({"sync", "run", "--until-caught-up"});
    CHECK(refused.exit_code == 7);
    CHECK_MESSAGE(refused.err.find("is another cluster") != std::string::npos, refused.err);
    CHECK(refused.err.find("ysdb sync reset") != std::string::npos);
    const CommandResult reset = day.ysdb({"sync", "reset", "--yes"});
    REQUIRE_MESSAGE(reset.exit_code == 0, reset.err);
    copy.ask("DELETE FROM t WHERE id = 1");
    CHECK(day.ysdb({"sync", "run", "--until-caught-up"}).exit_code == 0);
    CHECK(epochs(day) == "2..2");
    CHECK(day.ysdb({"validate"}).exit_code == 0);
}

TEST_CASE("an older copy of the server's files is put in its place, on the same timeline: refused, whether or not its log has grown past where it was") {
    for (const bool grown : {false, true}) {
        CAPTURE(grown);
        SyncLab lab;
        SyncDay day(lab, 100);
        const std::string data = lab.directory() + "/lab/postgres/data", kept = lab.directory() + "/kept";
        REQUIRE(day.ysdb({"sync", "run", "--until-caught-up"}).exit_code == 0);
        lab.kill("postgres");
        REQUIRE(run_command({.argv = {"cp", "-a", data, kept}}, SyncSite::soon()).exit_code == 0);
        lab.start("postgres");
        day.ask_source("INSERT INTO t VALUES (7000, 'forgotten')");
        REQUIRE(day.ysdb({"sync", "run", "--until-caught-up"}).exit_code == 0);
        REQUIRE(day.arrived(7000, "forgotten"));
        lab.kill("postgres");
        std::filesystem::remove_all(data);
        std::filesystem::rename(kept, data);
        lab.start("postgres");
        if (grown) day.ask_source("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(8000, 9000) g");
        const CommandResult refused = day.ysdb({"sync", "run", "--until-caught-up"});
        CHECK(refused.exit_code == 7);
        CHECK_MESSAGE(refused.err.find("an older copy") != std::string::npos, refused.err);
        CHECK(refused.err.find("ysdb sync reset") != std::string::npos);
        REQUIRE(day.ysdb({"sync", "reset", "--yes"}).exit_code == 0);
        REQUIRE(day.ysdb({"sync", "run", "--until-caught-up"}).exit_code == 0);
        CHECK(epochs(day) == "2..2");
        CHECK(day.ysdb({"validate"}).exit_code == 0);
    }
}
