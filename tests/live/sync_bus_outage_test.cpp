// needs: main analytics events
// programs: redis-server
// lock: own_lab
// takes: 110
// The bad days of a bus: the broker dies, hangs; stores under its members die. The side that tells and all members are to come back by themselves, under
// a writer that records every commit that was acknowledged. These tests kill, so they take a lab of their own; `needs` only says that all can be had.
#include <signal.h>

#include <random>

#include "core/lab/ports.h"
#include "core/store/redis/redis.h"
#include "tests/live/servers.h"
#include "tests/live/sync_outage.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr int first_written = 1'000'000;

SyncLab& shared_lab() {
    static SyncLab lab({}, true);
    return lab;
}

// A Redis that keeps what it acknowledged, and may be killed.
class Cache {
public:
    Cache() : port_(lab::choose_port()) { start(); }
    void kill() { process_.reset(); }
    void start() { process_.emplace(directory_.path() / "redis", std::vector<std::string>{"save ''", "appendonly yes", "appendfsync always", "port " + std::to_string(port_)}); }
    void signal(int number) { process_->signal(number); }
    std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }
    redis::Reply ask(std::vector<std::string> command) const {
        const auto store = open_store(store_at("cache", url()));
        return redis::as_redis(*store).command(std::move(command), SyncSite::soon());
    }

private:
    TemporaryDirectory directory_;
    int port_;
    std::optional<RedisProcess> process_;
};

// One side that tells and three members; ClickHouse, and Redis where there is one, follow.
class BusDay {
public:
    BusDay(SyncLab& lab, int partitions, const Cache* cache, std::uint64_t seed)
        : cache_(cache), day_(lab, 500, (cache == nullptr ? "" : "[[sync.to]]\nstore = \"cache\"\nkey = \"t:{id}\"\n[stores.cache]\nurl = \"" + cache->url() + "\"\n") + "[stores.events]\nurl = \"" + lab.direct("events").url + "\"\n") {
        start("to", {"--to", "events", "--partitions", std::to_string(partitions)});
        for (const char* member : {"first", "second", "third"}) {
            REQUIRE_MESSAGE(wait_until([&] { return day_.following() || runs_.at("to")->ended(); }), runs_.at("to")->log());
            begin(member);
        }
        REQUIRE_MESSAGE(wait_until([&] { return day_.arrived(500, "v500"); }), logs());
        writer_ = std::make_unique<RecordingWriter>(day_.source(), seed, first_written);
        REQUIRE(writer_->commits_more(50));
    }

    SyncDay& day() { return day_; }
    RecordingWriter& writer() { return *writer_; }
    void begin(const std::string& member) { start(member, {"--from", "events"}); }
    void kill(const std::string& who) {
        runs_.at(who)->signal(SIGKILL);
        runs_.at(who)->wait();
        runs_.erase(who);
    }
    // How often a line of the log says so.
    int says(const std::string& who, const std::string& what) const {
        if (!runs_.contains(who)) return 0;
        const std::string log = runs_.at(who)->log();
        int count = 0;
        for (auto at = log.find(what); at != std::string::npos; at = log.find(what, at + 1)) ++count;
        return count;
    }
    // One of them does, that often more.
    bool comes_to_say(const std::vector<std::string>& who, const std::string& what, int more = 1) const {
        const auto all = [&] {
            int count = 0;
            for (const std::string& each : who) count += says(each, what);
            return count;
        };
        return wait_until([&, before = all()] { return all() >= before + more; }, Millis(60'000));
    }
    // What is written now comes through, and nobody has given up.
    void comes_back(int id) {
        CAPTURE(id);
        day_.ask_source("INSERT INTO t (id, v) VALUES (" + std::to_string(id) + ", 'mark')");
        CHECK_MESSAGE(wait_until([&] { return day_.arrived(id, "mark"); }, Millis(60'000)), logs());
        if (cache_ != nullptr) CHECK_MESSAGE(wait_until([&] { return cache_->ask({"HGET", "t:" + std::to_string(id), "v"}).text == "mark"; }, Millis(60'000)), logs());
        for (const auto& [who, run] : runs_) CHECK_MESSAGE(!run->ended(), who << " ended: " << run->log());
    }
    // Everybody ends when told to; the rest is brought over, and compared.
    void end() {
        const auto expected = writer_->stop();
        for (const auto& [who, run] : runs_) run->signal(SIGTERM);
        for (const auto& [who, run] : runs_) CHECK_MESSAGE(run->wait() == 143, run->log());
        for (const char* way : {"--to", "--from"}) {
            const CommandResult result = day_.ysdb({"sync", "run", way, "events", "--until-caught-up"});
            CHECK_MESSAGE(result.exit_code == 0, result.out << result.err);
        }
        INFO(logs());
        day_.compare(expected, first_written);
        if (cache_ == nullptr) return;
        std::size_t lost = 0;
        for (const auto& [id, v] : expected) lost += cache_->ask({"HGET", "t:" + std::to_string(id), "v"}).text == v ? 0 : 1;
        CHECK(lost == 0);
        CHECK(static_cast<std::int64_t>(cache_->ask({"KEYS", "t:*"}).elements.size()) == day_.ask_source("SELECT count(*) FROM t").row(0).integer(0));
    }
    std::string logs() const {
        std::string all;
        for (const auto& [who, run] : runs_) all += "--- " + who + "\n" + run->log();
        return all;
    }

private:
    void start(const std::string& who, std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"sync", "run"});
        arguments.insert(arguments.end(), {"--batch-age", "100ms", "--timeout", "5s"});
        runs_[who] = std::make_unique<Running>(day_.directory(), arguments);
    }

    const Cache* cache_;
    SyncDay day_;
    std::map<std::string, std::unique_ptr<Running>> runs_;
    std::unique_ptr<RecordingWriter> writer_;
};

}  // namespace

TEST_CASE("the broker dies, and hangs for longer than it keeps members: everybody comes back, also a member that had nothing to do") {
    const std::uint64_t seed = random_seed();
    SyncLab& lab = shared_lab();
    BusDay bus(lab, 2, nullptr, seed);
    lab.kill("kafka");
    CHECK(bus.writer().commits_more(50));
    CHECK_MESSAGE(bus.comes_to_say({"to"}, "sync.retry"), bus.logs());
    lab.start("kafka");
    bus.comes_back(10'001);
    lab.kill("kafka", "STOP");
    CHECK(bus.writer().commits_more(50));
    CHECK_MESSAGE(bus.comes_to_say({"to"}, "sync.retry", 3), bus.logs());   // each after five seconds; a member is kept for ten
    lab.kill("kafka", "CONT");
    bus.comes_back(10'002);
    bus.end();
}

TEST_CASE("ClickHouse and Redis die and hang under the members that write them: each is waited for, and both hold everything") {
    const std::uint64_t seed = random_seed();
    SyncLab& lab = shared_lab();
    Cache cache;
    BusDay bus(lab, 4, &cache, seed);
    const std::vector<std::string> members{"first", "second", "third"};
    cache.kill();
    CHECK(bus.writer().commits_more(50));
    CHECK_MESSAGE(bus.comes_to_say(members, "sync.retry sink=cache"), bus.logs());
    cache.start();
    bus.comes_back(10'001);
    lab.kill("clickhouse");
    CHECK(bus.writer().commits_more(50));
    CHECK_MESSAGE(bus.comes_to_say(members, "sync.retry sink=analytics"), bus.logs());
    bus.kill("second");   // its partitions go to somebody who cannot write them yet either
    CHECK(bus.writer().commits_more(50));
    lab.start("clickhouse");
    bus.comes_back(10'002);
    bus.begin("second");
    REQUIRE_MESSAGE(wait_until([&] { return bus.says("second", "sync.member") > 0; }), bus.logs());
    cache.signal(SIGSTOP);   // partitions move while what was told is not durable, and cannot be
    CHECK(bus.writer().commits_more(50));
    CHECK_MESSAGE(bus.comes_to_say(members, "sync.retry sink=cache"), bus.logs());
    cache.signal(SIGCONT);
    bus.comes_back(10'003);
    bus.end();
}
