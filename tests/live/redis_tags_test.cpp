// needs: cache
// Tags: sorted sets that list the keys of rows, as the rows come, change, move, expire and go.
#include <doctest/doctest.h>

#include <algorithm>

#include "core/store/changes.h"
#include "core/store/redis/redis.h"
#include "core/store/store.h"
#include "tests/live/change_rows.h"
#include "tests/live/change_writes.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;
using redis::Reply;

namespace {

Deadline soon() { return Deadline::after(Millis(20'000)); }

class Cache {
public:
    Cache() : store_(open_store(store_config("cache"))), prefix_(unique_name() + ":") {}
    ~Cache() {
        std::vector<std::string> all;
        (*this)->scan("*" + prefix_ + "*", 1000, Millis(20'000), {}, [&](std::span<const std::string> page) { all.insert(all.end(), page.begin(), page.end()); });
        for (const std::string& key : all) (*this)->command({"DEL", key}, soon());
    }
    redis::RedisStore* operator->() { return &redis::as_redis(*store_); }
    std::unique_ptr<ChangeWriter> follow(const std::string& key, const std::string& format, std::vector<std::string> tags, const TableInfo& table, std::optional<Millis> ttl = {}) {
        Landing landing;
        landing.set = "s";
        landing.source = {"public", "holdings"};
        landing.key = prefix_ + key;
        landing.format = format;
        landing.ttl = ttl;
        for (std::string& tag : tags) landing.tags.push_back(prefix_ + tag);
        auto writer = store_->changes()->follow(landing, soon());
        writer->reshape(table, {}, soon());
        return writer;
    }
    // Members of a tag, without the prefix, in the order of their names.
    std::string members(const std::string& tag) {
        std::vector<std::string> names;
        for (const Reply& member : (*this)->command({"ZRANGE", prefix_ + tag, "0", "-1"}, soon()).elements) names.push_back(member.text.substr(prefix_.size()));
        std::sort(names.begin(), names.end());
        std::string text;
        for (const std::string& name : names) text += name + " ";
        return text;
    }
    std::string key(const std::string& name) const { return prefix_ + name; }

private:
    std::unique_ptr<Store> store_;
    std::string prefix_;
};

}  // namespace

TEST_CASE("a row's key is in the tags it has: it comes, moves from one to the other, and goes with the row, in every layout") {
    for (const std::string format : {"hash", "json"}) {
        for (const std::string key : {"h:{id}", "p:{user_id}:{coin}"}) {   // told by the primary key, and found by a pointer
            CAPTURE(format);
            CAPTURE(key);
            Cache cache;
            const TableInfo table = holdings();
            const auto writer = cache.follow(key, format, {"user:{user_id}", "coin:{coin}", "noted:{note}"}, table);
            const bool pointers = key[0] == 'p';
            const auto name = [&](int id, int user, const std::string& coin) { return pointers ? "p:" + std::to_string(user) + ":" + coin + " " : "h:" + std::to_string(id) + " "; };
            write(*writer, table, {{at(1), {1, 7, "eth", {}}}, {at(2), {2, 7, "btc", "x"}}});
            CHECK(cache.members("user:7") == (pointers ? "p:7:btc p:7:eth " : "h:1 h:2 "));
            CHECK(cache.members("coin:eth") == name(1, 7, "eth"));
            CHECK(cache.members("noted:x") == name(2, 7, "btc"));
            write(*writer, table, {{at(3), {1, 8, "eth", {}}}, {at(4), {2, 7, "btc", {}}}});   // another user; no note any more
            CHECK(cache.members("user:7") == name(2, 7, "btc"));
            CHECK(cache.members("user:8") == name(1, 8, "eth"));
            CHECK(cache.members("coin:eth") == name(1, 8, "eth"));
            CHECK(cache.members("noted:x") == "");
            write(*writer, table, {{at(2), {1, 7, "old", {}}}});                               // an older change moves nothing
            CHECK(cache.members("coin:old") == "");
            CHECK(cache.members("user:8") == name(1, 8, "eth"));
            write(*writer, table, {{at(5), {1, 8, "eth", {}}, Op::remove}});
            CHECK(cache.members("user:8") == "");
            CHECK(cache.members("coin:eth") == "");
            writer->truncate(at(6), soon());
            CHECK(cache.members("user:7") == "");
            CHECK(cache.members("coin:btc") == "");
            CHECK(cache->command({"EXISTS", "ysdb:tags:" + cache.key("h:2"), "ysdb:tags:" + cache.key("p:7:btc")}, soon()).integer == 0);
        }
    }
}

TEST_CASE("several changes of one flush leave a row in its last tags") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow("p:{user_id}:{coin}", "hash", {"user:{user_id}"}, table);
    write(*writer, table, {{at(1), {1, 7, "eth", {}}}, {at(2), {1, 8, "eth", {}}}, {at(3), {2, 8, "eth", {}}}, {at(4), {1, 9, "btc", {}}}});
    CHECK(cache.members("user:7") == "");
    CHECK(cache.members("user:8") == "p:8:eth ");
    CHECK(cache.members("user:9") == "p:9:btc ");
}

TEST_CASE("with a time to live a tag lists what is there, and goes with its last row") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow("h:{id}", "hash", {"user:{user_id}"}, table, Millis(700));
    write(*writer, table, {{at(1), {1, 7, "eth", {}}}});
    CHECK(cache.members("user:7") == "h:1 ");
    CHECK(wait_until([&] { return cache->command({"EXISTS", cache.key("h:1")}, soon()).integer == 0; }));
    write(*writer, table, {{at(2), {2, 7, "eth", {}}}});
    CHECK(cache.members("user:7") == "h:2 ");   // the expired one is taken out with it
    CHECK(wait_until([&] { return cache->command({"EXISTS", cache.key("user:7"), cache.key("h:2"), "ysdb:tags:" + cache.key("h:2")}, soon()).integer == 0; }));
}

TEST_CASE("a copy puts its rows into their tags, and takes those out that it does not hold") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow("h:{id}", "json", {"user:{user_id}"}, table);
    write(*writer, table, {{at(1), {1, 7, "eth", {}}}, {at(1), {2, 7, "btc", {}}}});
    const auto copy = writer->begin_copy(table, "r", soon());
    copy->apply(batch_of(table, {{{1, 5, 0}, {1, 8, "eth", {}}}, {{1, 5, 0}, {3, 7, "sol", {}}}}), "t", soon(), [](const RejectedRow&) {});
    copy->flush(soon());
    writer->finish_copy("r", soon());
    CHECK(cache.members("user:7") == "h:3 ");
    CHECK(cache.members("user:8") == "h:1 ");
}
