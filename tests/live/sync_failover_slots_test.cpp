// needs: main analytics
// fetched: postgres-17
// lock: own_lab
// takes: 30
// PostgreSQL 17 keeps slots on a standby: its promotion costs no new copies. Two servers of a lab of their own; `needs` only says that ClickHouse
// can be had here.
#include "tests/live/other_postgres.h"
#include "tests/live/sync_outage.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// A primary with a standby that keeps its slots, and a run that follows it.
struct Pair {
    // `careful`: nothing is told, and no commit acknowledged, that the standby has not got.
    explicit Pair(bool careful) : lab("17"), day(lab, 1'000), standby(lab.directory(), "standby"), old{day.source().url}, fresh{with_ports(old.url, {standby.port()})} {
        old.ask("SELECT pg_create_physical_replication_slot('standby', true)");
        const std::string password = old.url.substr(0, old.url.rfind('@')).substr(old.url.rfind(':', old.url.rfind('@')) + 1), name = old.url.substr(old.url.rfind('/') + 1);
        standby.copy_files(day.source(),
                           "host=127.0.0.1 port=" + std::to_string(port_in(old.url)) + " user=lab password=" + password + " dbname=" + name + " application_name=standby");
        for (const auto& [option, value] : std::map<std::string, std::string>{{"hot_standby_feedback", "on"}, {"sync_replication_slots", "on"}, {"primary_slot_name", "standby"},
                                                                              {"synchronous_standby_names", ""}, {"synchronized_standby_slots", ""}, {"wal_receiver_status_interval", "1s"}}) {
            standby.set(option, value);
        }
        standby.start();
        REQUIRE(wait_until([&] { return fresh.answers(); }));
        if (careful) {
            old.ask("ALTER SYSTEM SET synchronized_standby_slots = 'standby'");
            old.ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
            old.ask("SELECT pg_reload_conf()");
        }
        day.set_source(with_ports(old.url, {port_in(old.url), standby.port()}));
        begin();
        REQUIRE_MESSAGE(wait_until([&] { return day.following(); }), run->log());
        old.ask("UPDATE t SET v = 'both' WHERE id = 10");
        REQUIRE_MESSAGE(wait_until([&] { return day.arrived(10, "both"); }), run->log());
        REQUIRE(wait_until([&] { return fresh.ask("SELECT v FROM t WHERE id = 10").row(0).text(0) == "both"; }));
        const std::string kept = "SELECT coalesce(bool_and(synced AND NOT temporary AND failover), false) FROM pg_replication_slots WHERE slot_name = '" + day.slot() + "'";
        REQUIRE_MESSAGE(wait_until([&] {
            old.ask("SELECT pg_log_standby_snapshot()");   // a slot is kept once the server knows what was under way
            return fresh.truth(kept);
        }), "the standby does not keep the slot");
        copied = fresh_copies();
    }

    void begin() { run = day.run(); }
    // Everything the standby can have got is in it, and it knows how far the set is.
    void let_it_catch_up() const {
        REQUIRE(wait_until([&] {
            return fresh.truth("SELECT confirmed_flush_lsn >= '" + old.ask("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + day.slot() + "'").row(0).text(0) +
                               "' FROM pg_replication_slots WHERE slot_name = '" + day.slot() + "'");
        }));
    }
    void promote() const {
        fresh.ask("SELECT pg_promote()");
        REQUIRE(wait_until([&] { return fresh.truth("SELECT NOT pg_is_in_recovery()"); }));
    }
    // When tables were copied, and from which view.
    std::string fresh_copies() const { return fresh.ask("SELECT string_agg(table_name || ' ' || state || ' ' || position || ' ' || changed_at, ', ' ORDER BY 1) FROM ysdb.sync_tables").row(0).text(0); }
    std::string epochs() const {
        const SqlResult found = day.ask_target("SELECT toString(min(bitShiftRight(_version, 96))), toString(max(bitShiftRight(_version, 96))) FROM t");
        return found.row(0).text(0) + ".." + found.row(0).text(1);
    }
    void end() const {
        run->signal(SIGTERM);
        CHECK_MESSAGE(run->wait() == 143, run->log());
        const CommandResult equal = day.ysdb({"validate"});
        CHECK_MESSAGE(equal.exit_code == 0, equal.out << equal.err);
    }

    SyncLab lab;
    SyncDay day;
    OtherPostgres standby;
    Server old, fresh;
    std::unique_ptr<Running> run;
    std::string copied;
};

}  // namespace

TEST_CASE("a standby with the synchronised slot is promoted under a writer: the same run goes on there without a new copy, and nothing is lost") {
    Pair pair(true);
    RecordingWriter writer(pair.day.source(), 17, 1'000'000);
    REQUIRE(writer.commits_more(200));
    pair.lab.kill("postgres");
    pair.promote();
    REQUIRE(writer.commits_more(100));
    const auto expected = writer.stop();
    CHECK_MESSAGE(wait_until([&] { return pair.run->ended() || pair.day.arrived(expected.rbegin()->first, expected.rbegin()->second); }), pair.run->log());
    CHECK_MESSAGE(pair.run->log().find("sync.failover") != std::string::npos, pair.run->log());
    CHECK(pair.run->log().find("copied anew") == std::string::npos);
    CHECK(pair.fresh_copies() == pair.copied);
    CHECK(pair.epochs() == "1..2");
    pair.end();
    pair.day.check(expected, 1'000'000);
}

TEST_CASE("what the old primary told beyond its standby is taken back row by row, by the same run or the next one; no table is copied again") {
    for (const bool restarted : {false, true}) {
        CAPTURE(restarted);
        Pair pair(false);
        pair.let_it_catch_up();
        pair.standby.kill();
        pair.old.ask("INSERT INTO t VALUES (7000, 'only the old one')");
        pair.old.ask("UPDATE t SET v = 'only the old one' WHERE id = 1");
        pair.old.ask("DELETE FROM t WHERE id = 2");
        pair.old.ask("INSERT INTO t SELECT g, 'last' FROM generate_series(8001, 9200) g");
        REQUIRE_MESSAGE(wait_until([&] { return pair.day.arrived(9200, "last") && pair.day.arrived(1, "only the old one"); }), pair.run->log());
        if (restarted) pair.run->signal(SIGKILL);
        pair.lab.kill("postgres");
        pair.standby.start();
        REQUIRE(wait_until([&] { return pair.fresh.answers(); }));
        pair.promote();
        pair.fresh.ask("UPDATE t SET v = 'the new one' WHERE id = 3");
        pair.fresh.ask("INSERT INTO t VALUES (7000, 'the new one'), (8001, 'the new one')");
        pair.fresh.ask("DELETE FROM t WHERE id = 7000");
        for (const std::string point : {"sync.rewind.before", "sync.rewind.after"}) {
            if (restarted) CHECK(run_ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", point}}, pair.day.directory()).exit_code == 128 + SIGKILL);
        }
        if (restarted) pair.begin();
        CHECK_MESSAGE(wait_until([&] { return pair.run->ended() || pair.day.arrived(3, "the new one"); }), pair.run->log());
        CHECK_MESSAGE(pair.run->log().find("rows_read_again=1203") != std::string::npos, pair.run->log());
        CHECK(pair.fresh_copies() == pair.copied);
        CHECK(pair.epochs() == (restarted ? "1..4" : "1..2"));   // each of the killed runs began one
        CHECK(pair.day.arrived(1, "v1"));
        CHECK(pair.day.arrived(2, "v2"));
        CHECK(pair.day.arrived(8001, "the new one"));
        CHECK(pair.day.ask_target("SELECT count() FROM t_current WHERE id >= 7000").row(0).integer(0) == 1);
        pair.fresh.ask("UPDATE t SET v = 'followed' WHERE id = 1");
        CHECK_MESSAGE(wait_until([&] { return pair.day.arrived(1, "followed"); }), pair.run->log());
        pair.end();
    }
}

TEST_CASE("columns that changed beyond the standby are not taken back: that table is copied anew, killed in the middle or not") {
    Pair pair(false);
    pair.let_it_catch_up();
    pair.standby.kill();
    pair.old.ask("ALTER TABLE t DROP note");
    pair.old.ask("UPDATE t SET v = 'only the old one' WHERE id = 1");
    REQUIRE_MESSAGE(wait_until([&] { return pair.day.arrived(1, "only the old one"); }), pair.run->log());
    pair.run->signal(SIGKILL);
    pair.lab.kill("postgres");
    pair.standby.start();
    REQUIRE(wait_until([&] { return pair.fresh.answers(); }));
    pair.promote();
    for (const std::string point : {"sync.failover.before", "sync.failover.after", "sync.failover.state.before", "sync.failover.state.after"}) {
        CHECK(run_ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", point}}, pair.day.directory()).exit_code == 128 + SIGKILL);
    }
    pair.begin();
    CHECK_MESSAGE(wait_until([&] { return pair.run->ended() || pair.day.arrived(1, "v1"); }), pair.run->log());
    pair.end();
    CHECK(pair.fresh_copies() != pair.copied);
}
