// programs: redis-server
// A Redis Cluster as a store: commands find their master, also while slots move and masters die.
#include <doctest/doctest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "core/store/redis/slots.h"
#include "tests/live/own_cluster.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;
using redis::Command;
using redis::Reply;

namespace {

Deadline soon() { return Deadline::after(Millis(20'000)); }

OwnCluster& shared() {
    static OwnCluster cluster({"cluster-node-timeout 15000"});
    return cluster;
}

}  // namespace

TEST_CASE("a probe tells that it is a cluster, of how many masters, and how it is") {
    const auto store = open_store(shared().config());
    const ProbeResult result = store->probe(soon());
    CHECK(result.role == "primary");
    CHECK(result.detail == "cluster, 3 masters, state ok");
    CHECK(result.latency_s > 0);
    const ProbeResult single = shared().direct(0).probe(soon());
    CHECK(single.detail.find("redis+cluster://") != std::string::npos);
}

TEST_CASE("commands go to the master of their key, pipelines to all at once, a scan through all of them") {
    const auto store = open_store(shared().config());
    redis::RedisStore& cluster = redis::as_redis(*store);
    std::vector<Command> sets, gets;
    for (int i = 0; i < 3000; ++i) sets.push_back({"SET", "k:" + std::to_string(i), std::to_string(i)}), gets.push_back({"GET", "k:" + std::to_string(i)});
    sets.push_back({"PING"});
    const std::uint64_t moved = shared().errors("MOVED");
    CHECK(cluster.pipeline(sets, soon()).back().text == "PONG");
    const auto replies = cluster.pipeline(gets, soon());
    bool in_order = true;
    for (int i = 0; i < 3000; ++i) in_order = in_order && replies[static_cast<std::size_t>(i)].text == std::to_string(i);
    CHECK(in_order);
    CHECK(shared().errors("MOVED") == moved);   // all went to the right one at once
    for (std::size_t i = 0; i < 3; ++i) CHECK(shared().direct(i).command({"DBSIZE"}, soon()).integer > 500);
    std::set<std::string> seen;
    cluster.scan("k:*", 500, Millis(20'000), {}, [&](std::span<const std::string> page) { seen.insert(page.begin(), page.end()); });
    CHECK(seen.size() == 3000);
    CHECK(cluster.command({"GET", "k:77"}, soon()).text == "77");
    const Error crossed = failure_of([&] { cluster.command({"DEL", "k:1", "k:2"}, soon()); }).error;
    CHECK(crossed.server_code() == "CROSSSLOT");
    CHECK(crossed.hint().find("hash tag") != std::string::npos);
    redis::Session session = cluster.open_session("k:5", soon());
    CHECK(session.command({"GET", "k:5"}, soon()).text == "5");
}

TEST_CASE("one node of the url is enough, dead ones are passed over, and what is no cluster is said to be none") {
    const auto store = open_store(store_at("cache", "redis+cluster://127.0.0.1:1," + shared().node(4).address()));
    redis::as_redis(*store).command({"SET", "s", "1"}, soon());
    CHECK(redis::as_redis(*store).command({"GET", "s"}, soon()).text == "1");
    const Failure nobody = failure_of([&] { open_store(store_at("cache", "redis+cluster://127.0.0.1:1"))->probe(Deadline::after(Millis(2'000))); });
    CHECK(nobody.error.code() == Code::connect);
    CHECK(nobody.error.retryable());
    CHECK(nobody.seconds < 3);
    TemporaryDirectory directory;
    RedisProcess single(directory.path(), {});
    const Error error = failure_of([&] { open_store(store_at("cache", "redis+cluster://" + single.address()))->probe(soon()); }).error;
    CHECK(error.message().find("no node of a Redis Cluster") != std::string::npos);
    CHECK_FALSE(error.retryable());
    const Error foreign = failure_of([&] {
        const std::string key = shared().master_of(redis::key_slot("a")) == 0 ? "b" : "a";
        shared().direct(shared().master_of(redis::key_slot(key)) == 0 ? 1 : 0).command({"GET", key}, soon());
    }).error;
    CHECK(foreign.hint().find("redis+cluster://") != std::string::npos);
}

TEST_CASE("while a slot moves its commands are served, wherever their key is, and later at its new place") {
    const auto store = open_store(shared().config());
    redis::RedisStore& cluster = redis::as_redis(*store);
    const std::uint16_t slot = redis::key_slot("{moving}");
    const std::size_t from = shared().master_of(slot), to = (from + 1) % 3;
    for (int i = 0; i < 50; ++i) cluster.command({"SET", "{moving}:" + std::to_string(i), std::to_string(i)}, soon());
    shared().open_slot(slot, from, to);
    const std::uint64_t asked = shared().errors("ASK"), moved = shared().errors("MOVED");
    cluster.command({"SET", "{moving}:new", "n"}, soon());               // made where the slot goes
    CHECK(cluster.command({"GET", "{moving}:7"}, soon()).text == "7");   // still where it was
    CHECK(shared().errors("ASK") > asked);
    shared().move_keys(slot, from, to);
    const std::vector<Command> commands{{"GET", "{moving}:7"}, {"INCR", "{moving}:7"}, {"GET", "{moving}:new"}, {"GET", "{moving}:7"}};
    const auto replies = cluster.pipeline(commands, soon());
    CHECK(replies[0].text == "7");
    CHECK(replies[2].text == "n");
    CHECK(replies[3].text == "8");
    CHECK(shared().errors("MOVED") == moved);
    shared().close_slot(slot, to);
    CHECK(cluster.command({"GET", "{moving}:8"}, soon()).text == "8");
    CHECK(shared().errors("MOVED") > moved);
    const std::uint64_t learned = shared().errors("MOVED");
    CHECK(cluster.command({"GET", "{moving}:9"}, soon()).text == "9");
    CHECK(shared().errors("MOVED") == learned);                          // the map is the new one
    shared().open_slot(slot, to, from);
    shared().move_keys(slot, to, from);
    shared().close_slot(slot, from);
}

TEST_CASE("writers ride over the death of a master, and over one that is demoted: only calls in flight fail, and none for good") {
    OwnCluster own;
    const auto store = open_store(own.config());
    redis::RedisStore& cluster = redis::as_redis(*store);
    std::atomic<int> good = 0, failed = 0, for_good = 0;
    std::string last;
    std::mutex mutex;
    {
        std::vector<std::jthread> writers;
        for (int w = 0; w < 4; ++w) {
            writers.emplace_back([&, w](std::stop_token stop) {
                for (int n = 0; !stop.stop_requested(); ++n) {
                    try {
                        cluster.command({"SET", "w" + std::to_string(w) + ":" + std::to_string(n % 100), std::to_string(n)}, Deadline::after(Millis(15'000)));
                        ++good;
                    } catch (const Error& error) {
                        ++failed;
                        if (error.retryable()) continue;
                        ++for_good;
                        const std::lock_guard lock(mutex);
                        last = error.message();
                    }
                }
            });
        }
        const auto goes_on = [&] {
            const int before = good;
            return wait_until([&] { return good > before + 2000; });
        };
        REQUIRE(goes_on());
        own.direct(4).command({"CLUSTER", "FAILOVER"}, soon());
        REQUIRE(wait_until([&] { return own.master_of(8000) == 4; }));
        CHECK(goes_on());
        CHECK(failed == 0);
        own.kill(0);
        REQUIRE(wait_until([&] { return own.master_of(1) == 3; }));
        CHECK(goes_on());
    }
    CAPTURE(last);
    CHECK(failed <= 4);
    CHECK(for_good == 0);
    CHECK(store->probe(soon()).detail == "cluster, 3 masters, state ok");
}

TEST_CASE("without a master of a slot its commands end at the deadline, and can be tried again; others go on") {
    OwnCluster own({"cluster-require-full-coverage no"}, false);
    const auto store = open_store(own.config());
    redis::RedisStore& cluster = redis::as_redis(*store);
    const auto key_of = [](std::size_t third) {
        for (int i = 0;; ++i) {
            const std::string key = "k" + std::to_string(i);
            if (redis::key_slot(key) * 3 / 16384 == static_cast<int>(third)) return key;
        }
    };
    cluster.command({"SET", key_of(2), "1"}, soon());
    own.kill(0);
    const Failure failure = failure_of([&] { cluster.command({"SET", key_of(0), "1"}, Deadline::after(Millis(1'500))); });
    CHECK(failure.seconds < 3);
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.retryable());
    CHECK(failure.error.message().find("store 'cache'") == 0);
    CHECK(cluster.command({"GET", key_of(2)}, soon()).text == "1");
}
