// needs: main analytics events
// takes: 100
// A set told to Kafka once and applied by members: real servers, the binary as a user runs it; `validate` is the judge.
#include <thread>

#include "core/store/kafka/kafka.h"
#include "tests/live/bus_site.h"
#include "tests/live/servers.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr const char* simple = "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 1000) g; ANALYZE t";

}  // namespace

TEST_CASE("a set is told to Kafka once, copy and changes alike, and a member brings it to the stores") {
    BusSite site;
    site.source(every_type_table());
    site.source(every_type_rows + " FROM generate_series(1, 300) g");
    site.source("UPDATE t SET d = date '1999-01-01' + (id % 5000)::int");  // ClickHouse's dates begin in 1900
    CHECK(site.tell()["tables"][0]["copied"] == 300);
    CHECK(site.ysdb({"validate"}).exit_code != 0);   // nothing is in ClickHouse yet
    site.apply();
    CHECK(site.equal());
    site.source(every_type_rows + " FROM generate_series(301, 400) g");
    site.source("UPDATE t SET d = date '1999-01-01' + (id % 5000)::int WHERE id > 300; DELETE FROM t WHERE id BETWEEN 20 AND 40; UPDATE t SET id = id + 10000 WHERE id < 10");
    site.tell();
    const auto applied = site.apply(8);   // dates of before 1900, told between
    CHECK(applied["sinks"][0]["changes"].get<std::int64_t>() > 200);
    CHECK(site.equal());
    CHECK(site.apply(8)["sinks"][0]["changes"] == 0);   // what was committed is not told again
}

TEST_CASE("members share the work; one is killed and another joins, under a writer that also truncates and alters: nothing is lost or left") {
    BusSite site("\"public.t\", \"public.u\"");
    site.source("CREATE TABLE t (id bigint PRIMARY KEY, v text, n numeric(20,4)); CREATE TABLE u (id int PRIMARY KEY, v text)");
    site.source("INSERT INTO t SELECT g, 'v' || g, g FROM generate_series(1, 3000) g; INSERT INTO u SELECT g, 'u' FROM generate_series(1, 500) g");
    Running to(site, {"sync", "run", "--to", "events", "--partitions", "4"});
    REQUIRE(wait_until([&] { return site.copied() == 2; }));
    auto a = std::make_unique<Running>(site, std::vector<std::string>{"sync", "run", "--from", "events", "--group", site.set()});
    const Running b(site, {"sync", "run", "--from", "events", "--group", site.set()});
    const auto session = site.source_session();
    std::unique_ptr<Running> c;
    const auto write = [&](int round) {
        const std::string base = std::to_string(10'000 + round * 100);
        session->query("INSERT INTO t (id, v, n) SELECT " + base + " + g, 'r', g FROM generate_series(0, 99) g", SyncSite::soon());
        session->query("UPDATE t SET v = 'round " + std::to_string(round) + "', n = n + 1 WHERE id % 7 = " + std::to_string(round % 7) + " AND id < 3000", SyncSite::soon());
        session->query("DELETE FROM t WHERE id = " + base, SyncSite::soon());
        session->query("UPDATE t SET id = id + 1000000 WHERE id = " + base + " + 1", SyncSite::soon());
        session->query("INSERT INTO u VALUES (" + base + ", 'u')", SyncSite::soon());
    };
    const auto reached = [&](int round) { return site.arrives("t_current WHERE id = " + std::to_string(10'000 + round * 100 + 50), 1); };
    for (int round = 0; round < 60; ++round) {
        write(round);
        if (round == 10) CHECK(reached(round));   // both are at work
        if (round == 20) a->signal(SIGKILL);
        if (round == 25) session->query("TRUNCATE u", SyncSite::soon());
        if (round == 30) c = std::make_unique<Running>(site, std::vector<std::string>{"sync", "run", "--from", "events", "--group", site.set()});
        if (round == 40) session->query("ALTER TABLE t ADD extra int DEFAULT 7, DROP COLUMN n, ADD n numeric(20,4) DEFAULT 0", SyncSite::soon());
        if (round == 45) session->query("ALTER TABLE t RENAME v TO word; ALTER TABLE t RENAME word TO v", SyncSite::soon());
    }
    INFO(b.log());
    INFO(c->log());
    CHECK(reached(59));
    to.signal(SIGTERM);
    CHECK(to.wait() == 143);
    site.tell();
    CHECK(site.json({"sync", "run", "--from", "events", "--group", site.set(), "--until-caught-up"})["dead_letters"] == 0);
    CHECK(site.equal());
    CHECK(site.target_count("u_current") == 34);
    CHECK(site.target_count("t_current WHERE extra = 7") == site.ask_source("SELECT count(*) FROM t").row(0).integer(0));
}

TEST_CASE("foreign bytes in the bus are an error that names topic, partition and offset, and nothing behind them is passed over") {
    BusSite site;
    site.source(simple);
    site.tell();
    site.apply();
    const auto store = open_store(store_config("events"));
    kafka::KafkaStore& kafka = kafka::as_kafka(*store);
    kafka::Producer producer = kafka.producer({}, SyncSite::soon());
    kafka::Record record;
    record.topic = site.topic();
    record.value = "{\"op\":\"upsert\"}";
    record.partition = 2;
    producer.send(record, 0, SyncSite::soon());
    producer.flush(SyncSite::soon());
    site.source("UPDATE t SET v = 'behind it'");
    site.tell();
    const CommandResult result = site.ysdb({"sync", "run", "--from", "events", "--until-caught-up"});
    CHECK(result.exit_code == 5);
    CHECK(result.err.find("topic " + site.topic() + ", partition 2, offset ") != std::string::npos);
    CHECK(result.err.find("is no change of sync " + site.set()) != std::string::npos);
    CHECK(site.ysdb({"sync", "run", "--from", "events", "--until-caught-up"}).exit_code == 5);   // not passed over by trying again
}

TEST_CASE("a truncation arrives at a member that was told nothing else of the table since it began") {
    BusSite site("\"public.t\", \"public.u\"");
    site.source("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100); INSERT INTO u SELECT generate_series(1, 100)");
    site.tell();
    site.apply();
    site.source("INSERT INTO t VALUES (1000); TRUNCATE u");
    site.tell();
    site.apply();
    CHECK(site.target_count("u_current") == 0);
    CHECK(site.equal());
    site.source("INSERT INTO u VALUES (1)");
    site.tell();
    site.apply();
    CHECK(site.equal());
}

TEST_CASE("a table that cannot be followed is halted at every member, and a reset copies it through the bus: rows the source lost meanwhile go") {
    BusSite site;
    site.source(simple);
    site.tell();
    site.apply();
    site.source("ALTER TABLE t ADD noise float DEFAULT random()");
    site.source("UPDATE t SET v = 'x' WHERE id = 1");
    site.tell(8);
    site.apply(8);
    CHECK(site.state("public.t") == "halted");
    site.source("DELETE FROM t WHERE id <= 100");
    CHECK(site.ysdb({"sync", "reset", "public.t"}).exit_code == 0);
    CHECK(site.tell()["tables"][1]["copied"] == 900);   // behind that of analytics
    site.apply();
    CHECK(site.state("public.t") == "following");
    CHECK(site.target_count("t_current") == 900);
    CHECK(site.equal());
}

TEST_CASE("when_halted = \"copy\": the run that tells the bus takes up anew what its source halted, and members follow it again without being started again") {
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        BusSite site("\"public.t\"", capture, "", "when_halted = \"copy\"\n");
        site.source(simple);
        Running to(site, BusSite::to());
        REQUIRE(wait_until([&] { return site.copied() == 1; }));
        const auto member = site.member();
        REQUIRE(site.arrives("t_current", 1000));
        site.source("ALTER TABLE t ADD noise float DEFAULT random()");
        site.source("UPDATE t SET v = 'x' WHERE id = 1; DELETE FROM t WHERE id > 900");
        CHECK_MESSAGE(site.arrives("t_current WHERE noise > 0", 900), to.log() << member->log());
        site.source("INSERT INTO t VALUES (5000, 'behind', 1)");
        CHECK(site.arrives("t_current WHERE id = 5000", 1));
        CHECK(wait_until([&] { return site.state("public.t") == "following"; }));
        to.signal(SIGTERM);
        CHECK(to.wait() == 143);
        CHECK(site.equal());
    }
}

TEST_CASE("a table that goes over a bus is compared beside its writer, once the members have committed what the source had; where nobody brings it on, that is said") {
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        BusSite site("\"public.t\"", capture);
        site.source(simple);
        const auto refused = [&](const std::string& why) {
            const CommandResult result = site.ysdb({"validate", "--at", "watermark", "--wait", "3s"});
            CHECK(result.exit_code == 7);
            CHECK_MESSAGE(result.err.find(why) != std::string::npos, result.err);
        };
        site.tell();
        refused("is not followed into 'analytics' now: new");
        site.apply();
        Running to(site, BusSite::to());
        {
            const auto member = site.member(), other = site.member();
            std::jthread writer([session = site.source_session()](const std::stop_token& stop) {
                // Not every row of the table between two looks at it: which of those stand still could never be told.
                for (int i = 0; !stop.stop_requested(); ++i, std::this_thread::sleep_for(Millis(20))) {
                    session->query("UPDATE t SET v = v || '.' WHERE id = " + std::to_string(i % 900) + "; DELETE FROM t WHERE id = 1000; INSERT INTO t VALUES (1000, 'again')", SyncSite::soon());
                }
            });
            for (int i = 0; i < 2; ++i) CHECK(site.json({"validate", "--at", "watermark"})["tables"][0]["verdict"] == "equal");
            site.target("INSERT INTO t SELECT * REPLACE ('wrong' AS v) FROM t FINAL WHERE id = 950");   // in the same version, later
            const auto report = site.json({"validate", "--at", "watermark"}, 1);
            CHECK_MESSAGE(report["tables"][0]["different"] == 1, report.dump());
            CHECK(report["tables"][0]["missing"] == 0);
            CHECK(report["tables"][0]["extra"] == 0);
            writer.request_stop();
            writer.join();
            other->signal(SIGTERM);
            member->signal(SIGTERM);
            CHECK(member->wait() == 143);
            CHECK(other->wait() == 143);
        }
        site.source("UPDATE t SET v = 'for nobody' WHERE id = 950");
        refused("records of the bus still to commit");   // told, and taken by nobody
        to.signal(SIGTERM);
        CHECK(to.wait() == 143);
        site.apply();
        CHECK(site.ysdb({"validate", "--at", "now"}).exit_code == 0);
    }
}

TEST_CASE("a group that begins later reads from the last whole copy") {
    BusSite site;
    site.source(simple);
    site.tell();
    site.apply();
    CHECK(site.ysdb({"sync", "reset", "public.t"}).exit_code == 0);
    site.tell();
    site.source("UPDATE t SET v = 'changed' WHERE id <= 10");
    site.tell();
    const auto first = site.json({"sync", "run", "--from", "events", "--group", site.set() + "_other", "--until-caught-up"});
    CHECK(first["sinks"][0]["changes"] == 1010);   // and nothing of the copy before
    CHECK(site.equal());
}

TEST_CASE("what goes over the bus is not followed past it: a direct run is refused, and a member where nothing was told") {
    BusSite site;
    site.source(simple);
    const CommandResult none = site.ysdb({"sync", "run", "--from", "events", "--until-caught-up"});
    CHECK(none.exit_code == 7);
    CHECK(none.err.find("is not told to the bus of store 'events'") != std::string::npos);
    site.tell();
    const CommandResult direct = site.ysdb({"sync", "run", "--until-caught-up"});
    CHECK(direct.exit_code == 7);
    CHECK(direct.err.find("goes over the bus of store 'events'") != std::string::npos);
    CHECK(site.ysdb({"sync", "run", "--to", "analytics"}).exit_code == 3);
    CHECK(site.ysdb({"sync", "run", "--to", "events", "--from", "events"}).exit_code == 2);
    CHECK(site.ysdb({"sync", "reset", "--yes"}).exit_code == 0);   // the way back
    site.catch_up();
    CHECK(site.equal());
}

TEST_CASE("changes that triggers captured go over the bus as well") {
    BusSite site("\"public.t\"", "trigger");
    site.source(simple);
    site.tell();
    site.source("UPDATE t SET v = 'changed' WHERE id <= 10; DELETE FROM t WHERE id > 990");
    site.tell();
    site.apply();
    CHECK(site.equal());
}

TEST_CASE("a copy that takes several views of the source keeps the rows of all of them") {
    BusSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat('x', 100) || g FROM generate_series(1, 30000) g; ANALYZE t");
    site.json({"sync", "run", "--to", "events", "--partitions", "4", "--until-caught-up", "--workers", "1", "--range-rows", "3000", "--view-age", "1ms"});
    site.apply();
    CHECK(site.target_count("t FINAL") == 30'000);
    CHECK(site.equal());
}

TEST_CASE("a sink that knows what it has by the last version is refused behind a bus, at both ends: its partitions come in no one order") {
    const TestDatabase target;
    const std::string postgres = "[[sync.to]]\nstore = \"aggregates\"\n[stores.aggregates]\nurl = \"" + target.config().url + "\"\n";
    const std::string transactions = "[[sync.to]]\nstore = \"events\"\ntopic = \"" + unique_name() + "\"\ntransactional = true\n";
    for (const auto& [more, why] : {std::pair{postgres, "store 'aggregates' takes a table's changes in the source's order only"},
                                    {transactions, "store 'events' is transactional, which only a run without a bus can be"}}) {
        BusSite site("\"public.t\"", "wal", more);
        site.source(simple);
        CommandResult refused = site.ysdb(BusSite::until_caught_up(BusSite::to()));
        CHECK(refused.exit_code == 3);
        CHECK_MESSAGE(refused.err.find(why) != std::string::npos, refused.err);
        // Told before the sink was configured.
        const std::string config = site.directory() + "/ysdb.toml", whole = read_file(config);
        std::string without = whole;
        without.erase(without.find(more), more.size());
        write_file_atomically(config, without);
        site.tell();
        write_file_atomically(config, whole);
        refused = site.ysdb(BusSite::until_caught_up(BusSite::from()));
        CHECK(refused.exit_code == 3);
        CHECK_MESSAGE(refused.err.find(why) != std::string::npos, refused.err);
    }
}
