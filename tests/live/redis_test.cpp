// needs: cache
#include <doctest/doctest.h>

#include <atomic>
#include <set>
#include <thread>

#include "core/store/redis/redis.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;
using redis::Command;
using redis::Reply;

namespace {

Deadline soon() { return Deadline::after(Millis(20'000)); }

// A store and a key prefix of the test's own; its keys are gone at the end.
class Keys {
public:
    Keys() : store_(open_store(store_config("cache"))), prefix_(unique_name() + ":") {}
    ~Keys() {
        (*this)->scan(prefix_ + "*", 1000, Millis(20'000), {}, [&](std::span<const std::string> keys) {
            Command command{"DEL"};
            command.insert(command.end(), keys.begin(), keys.end());
            (*this)->command(command, soon());
        });
    }
    redis::RedisStore* operator->() { return &redis::as_redis(*store_); }
    std::string operator()(const std::string& name) const { return prefix_ + name; }

private:
    std::unique_ptr<Store> store_;
    std::string prefix_;
};

}  // namespace

TEST_CASE("a probe tells the product, its version, its role and how long a round trip takes") {
    const ProbeResult result = open_store(store_config("cache"))->probe(soon());
    CHECK(!result.product.empty());
    CHECK(result.version.find('.') != std::string::npos);
    CHECK((result.role == "primary" || result.role == "replica"));
    CHECK(result.latency_s > 0);
    CHECK(result.latency_s < 1);
}

TEST_CASE("commands answer with typed replies, bytes kept as they are") {
    Keys keys;
    const std::string bytes("a\0\r\n\xff b", 7);
    CHECK(keys->command({"SET", keys("s"), bytes}, soon()).text == "OK");
    CHECK(keys->command({"GET", keys("s")}, soon()).text == bytes);
    CHECK(keys->command({"GET", keys("none")}, soon()).is_nil());
    CHECK(keys->command({"INCRBY", keys("n"), "9223372036854775807"}, soon()).integer == 9223372036854775807);
    keys->command({"RPUSH", keys("l"), "1", "", "3"}, soon());
    const Reply list = keys->command({"LRANGE", keys("l"), "0", "-1"}, soon());
    REQUIRE(list.elements.size() == 3);
    CHECK(list.elements[1].text.empty());
    CHECK(list.elements[2].text == "3");
}

TEST_CASE("a refused command says which store, which command and the server's own code") {
    Keys keys;
    keys->command({"SET", keys("s"), "text"}, soon());
    const Error error = failure_of([&] { keys->command({"LPUSH", keys("s"), "1"}, soon()); }).error;
    CHECK(error.code() == Code::rejected);
    CHECK(error.server_code() == "WRONGTYPE");
    CHECK(error.message().find("store 'cache': LPUSH") == 0);
    CHECK(keys->command({"GET", keys("s")}, soon()).text == "text");
}

TEST_CASE("a pipeline answers in order, refusals in their place, however much it carries") {
    Keys keys;
    std::vector<Command> commands{{"SET", keys("s"), "text"}, {"LPUSH", keys("s"), "1"}, {"GET", keys("s")}};
    const auto replies = keys->pipeline(commands, soon());
    REQUIRE(replies.size() == 3);
    CHECK(replies[0].text == "OK");
    CHECK(replies[1].is_error());
    CHECK(replies[2].text == "text");

    const std::string megabyte(1 << 20, 'x');
    std::vector<Command> large;
    for (int i = 0; i < 40; ++i) large.push_back({"ECHO", megabyte});
    const auto echoes = keys->pipeline(large, soon());
    CHECK(echoes.size() == 40);
    CHECK(std::all_of(echoes.begin(), echoes.end(), [&](const Reply& reply) { return reply.text == megabyte; }));
}

TEST_CASE("a scan sees every key of its pattern and no other") {
    Keys keys;
    std::vector<Command> commands;
    for (int i = 0; i < 2500; ++i) commands.push_back({"SET", keys("scan:" + std::to_string(i)), "1"});
    commands.push_back({"SET", keys("other"), "1"});
    keys->pipeline(commands, soon());
    std::set<std::string> seen;
    int pages = 0;
    keys->scan(keys("scan:*"), 500, Millis(20'000), {}, [&](std::span<const std::string> page) {
        seen.insert(page.begin(), page.end());
        ++pages;
    });
    CHECK(seen.size() == 2500);
    CHECK(seen.count(keys("other")) == 0);
    CHECK(pages > 1);
}

TEST_CASE("a session keeps its state: a watched key that changed makes its transaction do nothing") {
    Keys keys;
    keys->command({"SET", keys("v"), "1"}, soon());
    redis::Session session = keys->open_session(soon());
    session.command({"WATCH", keys("v")}, soon());
    keys->command({"SET", keys("v"), "2"}, soon());
    const std::vector<Command> transaction{{"MULTI"}, {"SET", keys("v"), "3"}, {"EXEC"}};
    CHECK(session.pipeline(transaction, soon()).back().is_nil());
    CHECK(keys->command({"GET", keys("v")}, soon()).text == "2");
}

TEST_CASE("fifty concurrent commands over a pool of twenty all succeed") {
    StoreConfig config = store_config("cache");
    config.pool.max = 20;
    const auto store = open_store(config);
    std::atomic<int> good = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 50; ++i) {
            threads.emplace_back([&, i] {
                for (int n = 0; n < 20; ++n) {
                    const std::string word = std::to_string(i) + ":" + std::to_string(n);
                    if (redis::as_redis(*store).command({"ECHO", word}, soon()).text == word) ++good;
                }
            });
        }
    }
    CHECK(good == 1000);
}

TEST_CASE("a command that overstays its deadline ends there, and the store goes on working") {
    Keys keys;
    const Failure failure = failure_of([&] { keys->command({"BLPOP", keys("empty"), "30"}, Deadline::after(Millis(300))); });
    CHECK(failure.seconds < 2);
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.retryable());
    CHECK(failure.error.message().find("store 'cache'") != std::string::npos);
    CHECK(keys->command({"PING"}, soon()).text == "PONG");
}

TEST_CASE("a pooled connection that the server closed meanwhile is replaced without anybody noticing") {
    Keys keys;
    const std::string id = std::to_string(keys->command({"CLIENT", "ID"}, soon()).integer);
    redis::Session other = keys->open_session(soon());
    other.command({"CLIENT", "KILL", "ID", id}, soon());
    REQUIRE(wait_until([&] { return other.command({"CLIENT", "LIST", "ID", id}, soon()).text.empty(); }));
    CHECK(keys->command({"PING"}, soon()).text == "PONG");
}
