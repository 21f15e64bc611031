// needs: main analytics events
// takes: 90
// Whoever tells a set to the bus, and its members, killed where it hurts most: nothing lost, nothing left, by `validate`.
#include <mutex>

#include "core/store/kafka/bus_message.h"
#include "core/store/kafka/kafka.h"
#include "tests/live/at_once.h"
#include "tests/live/bus_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr int killed = 128 + SIGKILL;

std::vector<std::string> of_today(std::vector<std::string> everyday, const std::vector<std::string>& besides) {
    if (soak()) everyday.insert(everyday.end(), besides.begin(), besides.end());
    return everyday;
}

constexpr const char* tables = "CREATE TABLE t (id int PRIMARY KEY, v text, n int, d date); INSERT INTO t SELECT g, 'v' || g, g, '2026-01-01' FROM generate_series(1, 300) g;"
                               "CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u SELECT generate_series(1, 10)";

// Rows in old columns and in new ones, a column that gets another's name, a truncation.
void change(BusSite& site) {
    site.source("UPDATE t SET v = 'old columns', n = n + 1000 WHERE id <= 20");
    site.source("ALTER TABLE t RENAME v TO w");
    site.source("ALTER TABLE t DROP n, ADD n int DEFAULT 3");
    site.source("UPDATE t SET w = 'new columns', n = id WHERE id BETWEEN 15 AND 30; DELETE FROM t WHERE id = 40; UPDATE t SET id = id + 1000 WHERE id = 41");
    site.source("INSERT INTO u VALUES (50); TRUNCATE u; INSERT INTO u VALUES (1), (51)");
}

}  // namespace

TEST_CASE("the side that tells is killed around every mark of a copy and of a change of columns: the same command goes on, and members see each change of columns once") {
    at_once(of_today({"kafka.bus.mark.before", "kafka.bus.mark.after:2"}, {"kafka.bus.mark.after", "kafka.bus.mark.before:2"}), [](const std::string& point) {
        CAPTURE(point);
        BusSite site("\"public.t\", \"public.u\"");
        site.source(tables);
        CHECK(site.ysdb(BusSite::until_caught_up(BusSite::to()), {{"YSDB_FAULT", point}}).exit_code == killed);   // a copy begins, a copy is whole
        site.source("DELETE FROM t WHERE id = 300; UPDATE t SET v = 'between' WHERE id = 299");
        site.tell();
        change(site);
        CHECK(site.ysdb(BusSite::until_caught_up(BusSite::to()), {{"YSDB_FAULT", point}}).exit_code == killed);
        site.source("UPDATE t SET w = 'last' WHERE id = 50");
        site.tell();
        CHECK(site.apply()["dead_letters"] == 0);
        CHECK(site.state("public.t") == "following");
        CHECK(site.equal());
        CHECK(site.target_count("t_current WHERE n = 3") == 299 - 1 - 16);
    });
}

TEST_CASE("a mark that was told to some partitions only, by a side that died, holds nobody up once that side is back") {
    BusSite site("\"public.t\", \"public.u\"");
    site.source(tables);
    site.tell();
    site.apply();
    const auto store = open_store(store_config("events"));
    kafka::KafkaStore& kafka = kafka::as_kafka(*store);
    // As it would stand there: its number is noted, two of four partitions have it.
    std::optional<std::pair<kafka::BusHead, kafka::BusMark>> last;
    for (const kafka::Record& record : kafka.read_all(site.topic(), SyncSite::soon())) {
        std::string_view bytes = *record.value;
        const auto head = kafka::take_head(bytes);
        if (!head || head->kind == kafka::BusKind::row || record.partition != 0) continue;
        const auto mark = kafka::take_mark(bytes);
        REQUIRE(mark);
        if (!last || mark->number > last->second.number) last = {*head, *mark};
    }
    REQUIRE(last);
    ++last->second.number;
    kafka::Producer producer = kafka.producer({}, SyncSite::soon());
    kafka::Record record;
    record.topic = site.shapes_topic();
    record.key = "mark";
    record.value = std::to_string(last->second.number);
    producer.send(record, 0, SyncSite::soon());
    record = {};
    record.topic = site.topic();
    record.value = kafka::mark_bytes(last->first, last->second);
    for (const int partition : {1, 2}) {
        record.partition = partition;
        producer.send(record, 0, SyncSite::soon());
    }
    producer.flush(SyncSite::soon());
    const auto member = site.member();   // comes to it, and waits
    change(site);
    site.tell();
    CHECK_MESSAGE(site.arrives("t_current WHERE n = 3", 300 - 1 - 16), member->log());
    member->signal(SIGTERM);
    CHECK(member->wait() == 143);
    CHECK(site.apply()["dead_letters"] == 0);
    CHECK(site.equal());
}

TEST_CASE("a member is killed at every fault point it comes to: whoever has its partitions next goes on") {
    struct Day {
        std::string point;
        std::unique_ptr<BusSite> site;
        std::unique_ptr<Running> next;
        int ends_with = 0;
    };
    std::vector<Day> days;
    std::mutex mutex;
    const auto begin = [](const std::string& point) {
        Day day{point, std::make_unique<BusSite>("\"public.t\", \"public.u\""), nullptr, 0};
        day.site->source(tables);
        day.site->tell();
        return day;
    };
    const auto kill = [](const Day& day) { CHECK(day.site->ysdb(BusSite::until_caught_up(BusSite::from()), {{"YSDB_FAULT", day.point}}).exit_code == killed); };
    const auto keep = [&](Day day) {
        const std::lock_guard lock(mutex);
        days.push_back(std::move(day));
    };
    at_once(of_today({"sync.member.tell.before", "clickhouse.follow.create.before"}, {"sync.member.tell.before:2", "clickhouse.follow.create.after", "clickhouse.follow.insert.before"}), [&](const std::string& point) {
        CAPTURE(point);
        Day day = begin(point);
        kill(day);
        keep(std::move(day));
    });
    at_once(of_today({"sync.member.tell.before:3", "sync.reshape.after", "clickhouse.follow.alter.after:2", "clickhouse.follow.truncate.after", "sync.dead_letter.before"},
                                             {"sync.member.tell.before:2", "clickhouse.follow.insert.after", "sync.flush.after", "sync.reshape.before", "clickhouse.follow.alter.before:2", "sync.dead_letter.after"}), [&](const std::string& point) {
        CAPTURE(point);
        Day day = begin(point);
        BusSite& site = *day.site;
        change(site);
        site.source("INSERT INTO t (id, d) VALUES (2000, '1492-01-01'); INSERT INTO t (id, d) VALUES (2001, '2026-01-01')");
        site.tell();
        kill(day);
        site.source("DELETE FROM t WHERE id = 2000");
        day.ends_with = 8;   // of a date that ClickHouse cannot hold
        site.ysdb(BusSite::until_caught_up(BusSite::to()));
        keep(std::move(day));
    });
    // The broker gives a dead member ten seconds: all of them are waited for at once.
    for (Day& day : days) day.next = std::make_unique<Running>(*day.site, BusSite::until_caught_up(BusSite::from()));
    for (const Day& day : days) {
        CAPTURE(day.point);
        CHECK_MESSAGE(day.next->wait() == day.ends_with, day.next->log());
        CHECK(day.site->state("public.t") == "following");
        CHECK(day.site->equal());
    }
}
