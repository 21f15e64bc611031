// needs: cache
// programs: redis-server
// Changes into Redis, as the driver takes them: which version wins, what readers see, what a broken server costs.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <barrier>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "core/store/changes.h"
#include "core/store/redis/redis.h"
#include "core/store/store.h"
#include "core/value/version_text.h"
#include "tests/live/change_rows.h"
#include "tests/live/change_writes.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;
using redis::Command;
using redis::Reply;

namespace {

Deadline soon() { return Deadline::after(Millis(20'000)); }

using Fields = std::map<std::string, std::string>;

// A store, and landings below a prefix of the test's own; its keys are gone at the end.
class Cache {
public:
    Cache() : Cache(store_config("cache")) {}
    explicit Cache(const StoreConfig& config) : config_(config), store_(open_store(config)), prefix_(unique_name() + ":") {}
    ~Cache() {
        try {
            for (const std::string& key : keys("*" + prefix_ + "*")) (*this)->command({"DEL", key}, soon());
        } catch (const Error&) {  // its server is gone
        }
    }
    redis::RedisStore* operator->() { return &redis::as_redis(*store_); }
    const StoreConfig& config() const { return config_; }

    std::string key(const std::string& name) const { return prefix_ + name; }
    Landing landing(const std::string& key, const std::string& format = {}) const {
        Landing landing;
        landing.set = "s";
        landing.source = {"public", "holdings"};
        landing.key = prefix_ + key;
        landing.format = format;
        return landing;
    }
    std::unique_ptr<ChangeWriter> follow(const Landing& landing, const TableInfo& table) {
        auto writer = store_->changes()->follow(landing, soon());
        writer->reshape(table, {}, soon());
        return writer;
    }
    Fields hash(const std::string& name) {
        Fields fields;
        const Reply reply = (*this)->command({"HGETALL", key(name)}, soon());
        for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) fields[reply.elements[i].text] = reply.elements[i + 1].text;
        return fields;
    }
    std::vector<std::string> keys(const std::string& pattern) {
        std::vector<std::string> found;
        (*this)->scan(pattern, 1000, Millis(20'000), {}, [&](std::span<const std::string> page) { found.insert(found.end(), page.begin(), page.end()); });
        std::sort(found.begin(), found.end());
        found.erase(std::unique(found.begin(), found.end()), found.end());
        return found;
    }
    // All rows that readers see, by key, as one text each.
    std::map<std::string, std::string> rows() {
        std::map<std::string, std::string> found;
        for (const std::string& full : keys(prefix_ + "*")) {
            const std::string name = full.substr(prefix_.size());
            std::string text;
            for (const auto& [field, value] : hash(name)) text += field + "=" + value + " ";
            found[name] = text;
        }
        return found;
    }
    std::int64_t time_to_live(const std::string& full_key) { return (*this)->command({"PTTL", full_key}, soon()).integer; }

private:
    StoreConfig config_;
    std::unique_ptr<Store> store_;
    std::string prefix_;
};

}  // namespace

TEST_CASE("a row is a hash with a field a column, NULL is no field, and its version beside them") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    write(*writer, table, {{at(10), {1, 7, "eth", "first"}}, {at(10, 2), {2, 7, "btc", std::nullopt}}});
    CHECK(cache.hash("h:1") == Fields{{"id", "1"}, {"user_id", "7"}, {"coin", "eth"}, {"note", "first"}, {"_version", version_text(at(10))}});
    CHECK(cache.hash("h:2") == Fields{{"id", "2"}, {"user_id", "7"}, {"coin", "btc"}, {"_version", version_text(at(10, 2))}});
    write(*writer, table, {{at(11), {1, 8, "eth", std::nullopt}}});
    CHECK(cache.hash("h:1") == Fields{{"id", "1"}, {"user_id", "8"}, {"coin", "eth"}, {"_version", version_text(at(11))}});
    CHECK(cache.time_to_live(cache.key("h:1")) == -1);
}

TEST_CASE("or a JSON string, exact and whole") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("j:{id}", "json"), table);
    const std::string odd("q\"\\\n\0\x01 \xe2\x82\xac", 10);
    write(*writer, table, {{at(10), {1, 7, "eth", odd}}, {at(10, 2), {2, 7, "btc", std::nullopt}}});
    const auto row = nlohmann::json::parse(cache->command({"GET", cache.key("j:1")}, soon()).text);
    CHECK(row == nlohmann::json{{"_version", version_text(at(10))}, {"id", 1}, {"user_id", 7}, {"coin", "eth"}, {"note", odd}});
    CHECK(nlohmann::json::parse(cache->command({"GET", cache.key("j:2")}, soon()).text)["note"].is_null());
    write(*writer, table, {{at(9), {1, 0, "old", odd}}, {at(12), {2, 0, "new", odd}}});
    CHECK(nlohmann::json::parse(cache->command({"GET", cache.key("j:1")}, soon()).text)["coin"] == "eth");
    CHECK(nlohmann::json::parse(cache->command({"GET", cache.key("j:2")}, soon()).text)["coin"] == "new");
}

TEST_CASE("an older change never overwrites a newer one, nor brings a removed row back; a newer one does") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    write(*writer, table, {{at(20), {1, 7, "new", {}}}});
    write(*writer, table, {{at(10), {1, 7, "old", {}}}});
    CHECK(cache.hash("h:1")["coin"] == "new");
    write(*writer, table, {{at(10, 5), {1, 7, "old", {}}, Op::remove}});
    CHECK(cache.hash("h:1")["coin"] == "new");

    write(*writer, table, {{at(30), {1, 7, "", {}}, Op::remove}});
    CHECK(cache.hash("h:1").empty());
    write(*writer, table, {{at(29, 9), {1, 7, "old", {}}}});
    CHECK(cache.hash("h:1").empty());
    const std::string tombstone = "ysdb:gone:" + cache.key("h:1");
    CHECK(cache->command({"GET", tombstone}, soon()).text == version_text(at(30)));
    CHECK(cache.time_to_live(tombstone) > 23 * 3'600'000);
    CHECK(cache.keys(cache.key("h:*")).empty());  // whoever lists rows does not meet it

    write(*writer, table, {{at(5, 1, 2), {1, 7, "of the next epoch", {}}}});
    CHECK(cache.hash("h:1")["coin"] == "of the next epoch");
    CHECK(cache->command({"EXISTS", tombstone}, soon()).integer == 0);
}

TEST_CASE("a key that was never there is removed for those to come, too") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    write(*writer, table, {{at(30), {1, 7, "", {}}, Op::remove}});
    write(*writer, table, {{at(29), {1, 7, "old", {}}}});
    CHECK(cache.hash("h:1").empty());
}

TEST_CASE("a changed key is a removal and a row elsewhere") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    write(*writer, table, {{at(10), {1, 7, "eth", {}}}});
    write(*writer, table, {{at(11), {1, 7, "", {}}, Op::remove}, {at(11), {2, 7, "eth", {}}}});
    CHECK(cache.hash("h:1").empty());
    CHECK(cache.hash("h:2")["coin"] == "eth");
}

TEST_CASE("several changes of one row in one flush: the last version wins, in whatever order they come") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    write(*writer, table, {{at(10), {1, 7, "a", {}}}, {at(12), {1, 7, "c", {}}}, {at(11), {1, 7, "b", {}}}, {at(9), {2, 7, "", {}}, Op::remove}, {at(10), {2, 7, "back", {}}}});
    CHECK(cache.hash("h:1")["coin"] == "c");
    CHECK(cache.hash("h:2")["coin"] == "back");
}

TEST_CASE("rows live as long as the landing says, anew with each change") {
    Cache cache;
    const TableInfo table = holdings();
    for (const std::string format : {"hash", "json"}) {
        CAPTURE(format);
        Landing landing = cache.landing(format + ":{id}", format);
        landing.ttl = Millis(300'000);
        const auto writer = cache.follow(landing, table);
        const std::string key = cache.key(format + ":1");
        write(*writer, table, {{at(10), {1, 7, "eth", {}}}});
        CHECK(cache.time_to_live(key) > 250'000);
        CHECK(cache.time_to_live(key) <= 300'000);
        cache->command({"PEXPIRE", key, "1000"}, soon());
        write(*writer, table, {{at(11), {1, 7, "eth", {}}}});
        CHECK(cache.time_to_live(key) > 250'000);
    }
}

TEST_CASE("a key outside the primary key: the row moves with its columns, and a removal finds it") {
    Cache cache;
    const TableInfo table = holdings();
    for (const std::string format : {"hash", "json"}) {
        CAPTURE(format);
        const auto writer = cache.follow(cache.landing(format + ":{user_id}:{coin}", format), table);
        const auto present = [&] {
            std::vector<std::string> names;
            for (const std::string& key : cache.keys(cache.key(format + ":*"))) names.push_back(key.substr(cache.key("").size()));
            return names;
        };
        write(*writer, table, {{at(10), {1, 7, "eth", {}}}, {at(10, 2), {2, 8, "btc", {}}}});
        CHECK(present() == std::vector<std::string>{format + ":7:eth", format + ":8:btc"});
        write(*writer, table, {{at(11), {1, 9, "eth", {}}}});
        CHECK(present() == std::vector<std::string>{format + ":8:btc", format + ":9:eth"});
        write(*writer, table, {{at(10, 1), {1, 7, "eth", {}}}});  // replayed
        CHECK(present() == std::vector<std::string>{format + ":8:btc", format + ":9:eth"});
        // Two rows change places within one transaction.
        write(*writer, table, {{at(12, 1), {1, 0, "x", {}}}, {at(12, 2), {2, 9, "eth", "two"}}, {at(12, 3), {1, 8, "btc", "one"}}});
        CHECK(present() == std::vector<std::string>{format + ":8:btc", format + ":9:eth"});
        write(*writer, table, {{at(13), {1, 0, "", {}}, Op::remove}});
        CHECK(present() == std::vector<std::string>{format + ":9:eth"});
        write(*writer, table, {{at(12, 3), {1, 8, "btc", "one"}}});
        CHECK(present() == std::vector<std::string>{format + ":9:eth"});
    }
}

namespace {

// Random histories that a table could have had: (user, coin) is unique at any moment.
struct History {
    std::vector<HoldingChange> changes;
    std::optional<Version> truncated;
    std::map<std::int64_t, HoldingChange> alive;
};

History history(std::mt19937_64& random, bool with_truncation) {
    History history;
    const auto pick = [&](std::uint64_t below) { return static_cast<std::int64_t>(random() % below); };
    for (std::uint64_t position = 1; position <= 60; ++position) {
        if (with_truncation && position == 30) {
            history.truncated = at(position);
            history.alive.clear();
            continue;
        }
        const std::int64_t id = pick(6);
        if (pick(4) == 0) {
            history.changes.push_back({at(position), {id, 0, "", {}}, Op::remove});
            history.alive.erase(id);
            continue;
        }
        const Holding row{id, pick(3), pick(2) == 0 ? "eth" : "btc", std::to_string(position)};
        const bool taken = std::any_of(history.alive.begin(), history.alive.end(), [&](const auto& other) {
            return other.first != id && other.second.row.user == row.user && other.second.row.coin == row.coin;
        });
        if (taken) continue;
        history.changes.push_back({at(position), row});
        history.alive.insert_or_assign(id, history.changes.back());
    }
    return history;
}

std::string field_text(const HoldingChange& change) {
    return "_version=" + version_text(change.version) + " coin=" + change.row.coin + " id=" + std::to_string(change.row.id) + " note=" + *change.row.note +
           " user_id=" + std::to_string(change.row.user) + " ";
}

}  // namespace

TEST_CASE("changes end the same in whatever order, groups and repetitions they arrive") {
    const TableInfo table = holdings();
    std::mt19937_64 random(random_seed());
    for (int round = 0; round < 40; ++round) {
        Cache cache;
        const bool by_place = round % 2 == 0;
        History told = history(random, round % 4 < 2);
        std::map<std::string, std::string> expected;
        for (const auto& [id, change] : told.alive) {
            expected[by_place ? "h:" + std::to_string(change.row.user) + ":" + change.row.coin : "h:" + std::to_string(id)] = field_text(change);
        }
        std::vector<HoldingChange> changes = told.changes;
        for (int i = 0; i < 20; ++i) changes.push_back(told.changes[random() % told.changes.size()]);
        std::shuffle(changes.begin(), changes.end(), random);
        const auto writer = cache.follow(cache.landing(by_place ? "h:{user_id}:{coin}" : "h:{id}"), table);
        const std::size_t truncation = random() % changes.size();
        for (std::size_t i = 0; i < changes.size();) {
            const std::size_t size = std::min<std::size_t>(1 + random() % 8, changes.size() - i);
            if (told.truncated && i <= truncation && truncation < i + size) writer->truncate(*told.truncated, soon());
            write(*writer, table, {changes.begin() + static_cast<std::ptrdiff_t>(i), changes.begin() + static_cast<std::ptrdiff_t>(i + size)});
            i += size;
        }
        CHECK(cache.rows() == expected);
    }
}

TEST_CASE("two writers of the same rows at once end with the newest change of each") {
    const TableInfo table = holdings();
    constexpr std::int64_t rounds = 300;
    // In each round both write the same rows, others than in the round before. A single row has nothing beside it that would notice the other writer.
    const auto rows_of = [](std::int64_t round) { return round % 3 == 0 ? std::int64_t{40} : std::int64_t{1}; };
    std::mt19937_64 random(random_seed());
    // Removals touch other keys than rows do: each kind has to notice the other, and its own.
    for (const auto& [key, removals] : {std::pair<std::string, bool>{"d:{id}", true}, {"d:{id}", false}, {"p:{user_id}:{coin}", true}, {"p:{user_id}:{coin}", false}}) {
        CAPTURE(key);
        Cache cache;
        std::vector<HoldingChange> told[2];
        std::map<std::string, std::string> expected;
        std::int64_t rows = 0;
        for (std::int64_t round = 0; round < rounds; ++round) rows += rows_of(round);
        for (std::int64_t id = 0; id < rows; ++id) {
            const std::size_t newer = random() % 2;
            for (std::size_t w = 0; w < 2; ++w) {
                const bool removal = removals && random() % 3 == 0;
                told[w].push_back({at(w == newer ? 20 : 10), {id, id, "c", std::to_string(w)}, removal ? Op::remove : Op::upsert});
            }
            if (told[newer].back().op == Op::upsert) expected[key[0] == 'd' ? "d:" + std::to_string(id) : "p:" + std::to_string(id) + ":c"] = field_text(told[newer].back());
        }
        std::barrier together(2);
        {
            std::vector<std::jthread> threads;
            for (const auto& changes : told) {
                threads.emplace_back([&, key = key] {
                    const auto store = open_store(cache.config());
                    const auto writer = store->changes()->follow(cache.landing(key), soon());
                    writer->reshape(table, {}, soon());
                    auto at = changes.begin();
                    for (std::int64_t round = 0; round < rounds; ++round) {
                        together.arrive_and_wait();
                        write(*writer, table, {at, at + rows_of(round)});
                        at += rows_of(round);
                    }
                });
            }
        }
        CHECK(cache.rows() == expected);
    }
}

TEST_CASE("a truncation removes what is older, nothing that only looks alike, and keeps older changes out") {
    Cache cache;
    const TableInfo table = holdings(), pairs = holdings({0, 1});
    const auto writer = cache.follow(cache.landing("t:{id}"), table);
    const auto other = cache.follow(cache.landing("t:{id}:{user_id}"), pairs);
    std::vector<HoldingChange> changes;
    for (std::int64_t id = 0; id < 1500; ++id) changes.push_back({at(10), {id, 7, "eth", {}}});
    changes.push_back({at(21), {5000, 7, "newer", {}}});
    write(*writer, table, changes);
    write(*other, pairs, {{at(10), {1, 2, "pair", {}}}});
    cache->command({"SET", cache.key("t:someone's"), "x"}, soon());
    cache->command({"HSET", cache.key("t:theirs"), "id", "theirs"}, soon());

    writer->truncate(at(20), soon());
    CHECK(cache.keys(cache.key("t:*")) ==
          std::vector<std::string>{cache.key("t:1:2"), cache.key("t:5000"), cache.key("t:someone's"), cache.key("t:theirs")});
    write(*writer, table, {{at(19), {3, 7, "old", {}}}, {at(22), {4, 7, "new", {}}}});
    CHECK(cache.hash("t:3").empty());
    CHECK(cache.hash("t:4")["coin"] == "new");
    write(*other, pairs, {{at(19), {3, 2, "pair", {}}}});
    CHECK(cache.hash("t:3:2")["coin"] == "pair");
    cache->command({"DEL", cache.key("t:someone's")}, soon());
}

TEST_CASE("a truncation removes JSON rows and the pointers of rows, too") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("t:{user_id}:{coin}", "json"), table);
    write(*writer, table, {{at(10), {1, 7, "eth", {}}}, {at(30), {2, 7, "btc", {}}}});
    CHECK(cache.keys("ysdb:row:" + cache.key("*")).size() == 2);
    writer->truncate(at(20), soon());
    CHECK(cache.keys(cache.key("t:*")) == std::vector<std::string>{cache.key("t:7:btc")});
    CHECK(cache.keys("ysdb:row:" + cache.key("*")).size() == 1);
}

TEST_CASE("a copy leaves what it holds and what changed since, and removes the rest") {
    Cache cache;
    const TableInfo table = holdings();
    for (const std::string key : {"c:{id}", "q:{user_id}:{coin}"}) {
        CAPTURE(key);
        const auto writer = cache.follow(cache.landing(key), table);
        REQUIRE(writer->takes_copies());
        copy_among_changes(*writer, table);
        const auto name = [&](std::int64_t id, const std::string& coin) {
            const std::string n = std::to_string(id);
            return key[0] == 'c' ? "c:" + n : "q:" + n + ":" + coin;
        };
        CHECK(cache.keys(cache.key(key.substr(0, 2) + "*")).size() == 300);  // 300 of the copy, less the removed one, and 9000
        CHECK(cache.hash(name(0, "copy"))["coin"] == "copy");
        CHECK(cache.hash(name(3, "since"))["coin"] == "since");
        CHECK(cache.hash(name(4, "since"))["coin"] == "since");
        CHECK(cache.hash(name(5, "copy")).empty());
        CHECK(cache.hash(name(9000, "since"))["coin"] == "since");
        CHECK(cache.hash(name(400, "old")).empty());
        write(*writer, table, {{at(49), {401, 401, "late", {}}}});
        CHECK(cache.hash(name(401, "late")).empty());
    }
}

TEST_CASE("a copy of an empty table removes all that is older; one that never told its version removes nothing") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("c:{id}"), table);
    write(*writer, table, {{at(10), {1, 7, "eth", {}}}});
    const auto silent = writer->begin_copy(table, "run1", soon());
    CHECK(failure_of([&] { writer->finish_copy("run1", soon()); }).error.code() == Code::internal);
    CHECK(cache.hash("c:1")["coin"] == "eth");
    const auto copy = writer->begin_copy(table, "run2", soon());
    ChangeBatch empty = batch_of(table, {});
    empty.versions = {at(50, 0)};
    copy->apply(empty, "token", soon(), [](RejectedRow) {});
    writer->finish_copy("run2", soon());
    CHECK(cache.hash("c:1").empty());
}

TEST_CASE("whoever listens hears of each row that changed, and of nothing that was known") {
    Cache cache;
    const TableInfo table = holdings();
    Landing landing = cache.landing("h:{id}");
    landing.channel = cache.key("news");
    const auto writer = cache.follow(landing, table);
    redis::Session listener = cache->open_session(soon());
    listener.command({"SUBSCRIBE", landing.channel}, soon());
    write(*writer, table, {{at(10), {1, 7, "eth", {}}}});
    write(*writer, table, {{at(10), {1, 7, "eth", {}}}, {at(9), {1, 7, "old", {}}}});
    write(*writer, table, {{at(11), {1, 7, "", {}}, Op::remove}});
    writer->truncate(at(12), soon());
    const std::vector<Command> pings(4, Command{"PING"});
    std::vector<nlohmann::json> heard;
    for (const Reply& reply : listener.pipeline(pings, soon())) {
        if (reply.elements.size() == 3) heard.push_back(nlohmann::json::parse(reply.elements[2].text));
    }
    REQUIRE(heard.size() == 3);
    CHECK(heard[0] == nlohmann::json{{"op", "upsert"}, {"table", "public.holdings"}, {"version", version_text(at(10))}, {"key", {{"id", 1}}}, {"row", {{"id", 1}, {"user_id", 7}, {"coin", "eth"}, {"note", nullptr}}}});
    CHECK(heard[1] == nlohmann::json{{"op", "delete"}, {"table", "public.holdings"}, {"version", version_text(at(11))}, {"key", {{"id", 1}}}});
    CHECK(heard[2]["op"] == "truncate");
}

TEST_CASE("rows that cannot be written are told, and the others are written") {
    Cache cache;
    const TableInfo table = holdings();
    std::vector<std::pair<std::size_t, RejectedRow>> rejected;
    const auto take = [&](std::size_t row, RejectedRow why) { rejected.emplace_back(row, std::move(why)); };
    const auto json = cache.follow(cache.landing("j:{id}", "json"), table);
    json->apply(batch_of(table, {{at(1), {1, 7, "\xff", {}}}, {at(1, 2), {2, 7, "eth", {}}}}), soon(), take);
    json->flush(soon());
    REQUIRE(rejected.size() == 1);
    CHECK(rejected[0].first == 0);
    CHECK(rejected[0].second.key == "id=1");
    CHECK(rejected[0].second.column == "coin");
    CHECK(rejected[0].second.reason.find("UTF-8") != std::string::npos);
    CHECK(cache.keys(cache.key("j:*")).size() == 1);

    rejected.clear();
    const auto ambiguous = cache.follow(cache.landing("k:{coin}:{id}"), table);
    ambiguous->apply(batch_of(table, {{at(1), {1, 7, "a", {}}}, {at(1, 2), {2, 7, "a:b", {}}}}), soon(), take);
    ambiguous->flush(soon());
    REQUIRE(rejected.size() == 1);
    CHECK(rejected[0].second.column == "coin");
    const auto hash = cache.follow(cache.landing("b:{id}"), table);  // a hash holds any bytes
    write(*hash, table, {{at(1), {1, 7, "\xff", {}}}});
    CHECK(cache.hash("b:1")["coin"] == "\xff");
}

TEST_CASE("a landing that would lose rows is refused with the fix") {
    Cache cache;
    const auto refusal = [&](const std::string& key, const TableInfo& table, const std::string& channel = {}) {
        Landing landing = cache.landing(key);
        landing.channel = channel;
        return failure_of([&] { cache.follow(landing, table); }).error;
    };
    const Error shared = refusal("h:{id}", holdings({0, 1}));
    CHECK(shared.code() == Code::refused);
    CHECK(shared.hint().find("{id}:{user_id}") != std::string::npos);
    CHECK(refusal("h:{id}", holdings({})).message().find("no primary key") != std::string::npos);
    CHECK(refusal("h:{ip}", holdings()).message().find("did you mean 'id'?") != std::string::npos);
    CHECK(refusal("h:{id}", holdings(), "news:{coin}").message().find("outside the primary key") != std::string::npos);
    CHECK(refusal("h", holdings()).message().find("names no column") != std::string::npos);
    TableInfo versioned = holdings();
    versioned.columns[3].name = "_version";
    CHECK(refusal("h:{id}", versioned).message().find("_version") != std::string::npos);
    Landing odd = cache.landing("h:{id}", "hsah");
    CHECK(failure_of([&] { cache.follow(odd, holdings()); }).error.message().find("did you mean 'hash'?") != std::string::npos);
}

TEST_CASE("another format, another set of columns: rows change as they are written, and versions hold") {
    Cache cache;
    const TableInfo table = holdings();
    write(*cache.follow(cache.landing("f:{id}"), table), table, {{at(10), {1, 7, "eth", "n"}}, {at(20), {2, 7, "btc", {}}}});
    const auto json = cache.follow(cache.landing("f:{id}", "json"), table);
    write(*json, table, {{at(11), {1, 7, "eth", {}}}, {at(19), {2, 7, "old", {}}}});
    CHECK(cache->command({"TYPE", cache.key("f:1")}, soon()).text == "string");
    CHECK(cache.hash("f:2")["coin"] == "btc");
    const auto hash = cache.follow(cache.landing("f:{id}"), table);
    write(*hash, table, {{at(10), {1, 7, "old", {}}}});
    CHECK(cache->command({"TYPE", cache.key("f:1")}, soon()).text == "string");
    TableInfo fewer = table;
    fewer.columns.pop_back();
    fewer.columns.push_back({"remark", {TypeKind::text, true}});
    const std::vector<ColumnChange> renamed{{ColumnChange::Kind::renamed, "remark", "note"}};
    hash->reshape(fewer, renamed, soon());
    write(*hash, fewer, {{at(12), {1, 7, "eth", "m"}}});
    CHECK(cache.hash("f:1") == Fields{{"id", "1"}, {"user_id", "7"}, {"coin", "eth"}, {"remark", "m"}, {"_version", version_text(at(12))}});
    cache->command({"DEL", cache.key("f:3")}, soon());
    cache->command({"RPUSH", cache.key("f:3"), "somebody's list"}, soon());
    write(*hash, fewer, {{at(12), {3, 7, "eth", "m"}}});
    CHECK(cache.hash("f:3")["coin"] == "eth");
}

TEST_CASE("the epoch of a set only rises") {
    Cache cache;
    const std::string set = unique_name();
    ChangeSink& sink = *cache->changes();
    CHECK(sink.epoch(set, soon()) == 0);
    sink.begin_epoch(set, 3, soon());
    CHECK(sink.epoch(set, soon()) == 3);
    sink.begin_epoch(set, 2, soon());
    CHECK(sink.epoch(set, soon()) == 3);
    cache->command({"DEL", "ysdb:sync:" + set}, soon());
}

TEST_CASE("what was told since the last flush can be forgotten") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    writer->apply(batch_of(table, {{at(10), {1, 7, "eth", {}}}}), soon(), none_rejected);
    writer->discard();
    writer->flush(soon());
    CHECK(cache.hash("h:1").empty());
}

namespace {

const std::vector<std::string> strict{"save ''", "appendonly yes", "appendfsync always", "rename-command EVAL ''", "rename-command EVALSHA ''", "rename-command FLUSHALL ''",
                                      "rename-command FLUSHDB ''", "rename-command DEBUG ''"};

StoreConfig at_port(int port) { return store_at("cache", "redis://127.0.0.1:" + std::to_string(port)); }

std::uint64_t calls_of(redis::RedisStore& store, const std::string& command) {
    const std::string stats = store.command({"INFO", "commandstats"}, soon()).text;
    const auto found = stats.find("cmdstat_" + command + ":calls=");
    return found == std::string::npos ? 0 : std::strtoull(stats.c_str() + found + command.size() + 15, nullptr, 10);
}

}  // namespace

TEST_CASE("500 rows cost a few transactions, and no command that production has off") {
    TemporaryDirectory directory;
    RedisProcess server(directory.path() / "r", strict);
    Cache cache(at_port(server.port()));
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    std::vector<HoldingChange> changes;
    for (std::int64_t id = 0; id < 500; ++id) changes.push_back({at(10), {id, 7, "eth", {}}});
    write(*writer, table, changes);
    CHECK(cache.keys(cache.key("h:*")).size() == 500);
    CHECK(calls_of(*cache.operator->(), "exec") <= 5);
    write(*writer, table, changes);  // all there: nothing is written
    CHECK(calls_of(*cache.operator->(), "exec") <= 5);
}

TEST_CASE("a server that dies costs an error to try again after, and no row") {
    TemporaryDirectory directory;
    auto settings = strict;
    auto server = std::make_unique<RedisProcess>(directory.path() / "r", settings);
    const int port = server->port();
    settings.push_back("port " + std::to_string(port));
    Cache cache(at_port(port));
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);

    std::map<std::int64_t, std::uint64_t> flushed;
    std::uint64_t position = 0;
    int failed = 0;
    // As the caller does it: what failed is discarded and told again, from the last flush on.
    const auto tell = [&](std::uint64_t from, std::uint64_t to) {
        std::vector<HoldingChange> changes;
        for (std::uint64_t p = from; p < to; ++p) changes.push_back({at(p), {static_cast<std::int64_t>(p % 50), 7, std::to_string(p), {}}, p % 11 == 0 ? Op::remove : Op::upsert});
        const auto limit = SteadyClock::now() + std::chrono::seconds(20);
        while (true) {
            try {
                const Deadline deadline = Deadline::after(Millis(3'000));
                writer->apply(batch_of(table, changes), deadline, none_rejected);
                writer->flush(deadline);
                break;
            } catch (const Error& error) {
                ++failed;
                CHECK(error.code() == Code::connect);
                CHECK(error.retryable());
                writer->discard();
                REQUIRE(SteadyClock::now() < limit);
                if (server == nullptr) server = std::make_unique<RedisProcess>(directory.path() / "r", settings);
            }
        }
        for (const auto& change : changes) flushed[change.row.id] = change.version.position;
    };
    for (int round = 0; round < 6; ++round) {
        for (int i = 0; i < 10; ++i, position += 30) tell(position, position + 30);
        if (round % 2 == 0) {
            server->signal(SIGKILL);
            server.reset();
        }
    }
    CHECK(failed >= 2);
    for (const auto& [id, last] : flushed) {
        CAPTURE(id);
        const Fields row = cache.hash("h:" + std::to_string(id));
        if (last % 11 == 0) CHECK(row.empty());
        else CHECK(row.at("coin") == std::to_string(last));
    }
}

TEST_CASE("a server that hangs costs the deadline, and is gone on with when it wakes") {
    TemporaryDirectory directory;
    RedisProcess server(directory.path() / "r", strict);
    Cache cache(at_port(server.port()));
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    write(*writer, table, {{at(10), {1, 7, "eth", {}}}});
    server.signal(SIGSTOP);
    writer->apply(batch_of(table, {{at(11), {1, 7, "btc", {}}}}), soon(), none_rejected);
    const Failure failure = failure_of([&] { writer->flush(Deadline::after(Millis(500))); });
    CHECK(failure.seconds < 3);
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.retryable());
    server.signal(SIGCONT);
    writer->discard();
    write(*writer, table, {{at(11), {1, 7, "btc", {}}}});
    CHECK(cache.hash("h:1")["coin"] == "btc");
}

TEST_CASE("a full server is waited for, not given up on") {
    TemporaryDirectory directory;
    RedisProcess server(directory.path() / "r", {"save ''", "maxmemory 2mb", "maxmemory-policy noeviction"});
    Cache cache(at_port(server.port()));
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    const Failure failure = failure_of([&] {
        for (std::int64_t id = 0; id < 200; ++id) write(*writer, table, {{at(10), {id, 7, std::string(50'000, 'x'), {}}}});
    });
    CHECK(failure.error.server_code() == "OOM");
    CHECK(failure.error.retryable());
    cache->command({"CONFIG", "SET", "maxmemory", "0"}, soon());
    writer->discard();
    write(*writer, table, {{at(11), {7, 7, "fits", {}}}});
    CHECK(cache.hash("h:7")["coin"] == "fits");
}

TEST_CASE("how fast rows are written") {
    Cache cache;
    const TableInfo table = holdings();
    constexpr std::int64_t rows = 10'000;
    std::vector<std::vector<HoldingChange>> batches(10);
    for (std::int64_t id = 0; id < rows; ++id) batches[static_cast<std::size_t>(id / (rows / 10))].push_back({at(10), {id, id % 100, "coin" + std::to_string(id), "a note of some length"}});
    for (const auto& [key, format] : {std::pair<std::string, std::string>{"h:{id}", "hash"}, {"j:{id}", "json"}, {"p:{user_id}:{coin}", "hash"}}) {
        const auto writer = cache.follow(cache.landing(key, format), table);
        std::vector<ChangeBatch> made;
        for (const auto& changes : batches) made.push_back(batch_of(table, changes));
        const auto start = SteadyClock::now();
        for (const ChangeBatch& batch : made) {
            writer->apply(batch, soon(), none_rejected);
            writer->flush(soon());
        }
        const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
        MESSAGE(key << " " << format << ": " << static_cast<int>(rows / seconds) << " rows/s");
        CHECK(cache.keys(cache.key(key.substr(0, 2) + "*")).size() == rows);
        CHECK(rows / seconds > 2'000);
    }
}

TEST_CASE("how soon a change is there") {
    Cache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    std::uint64_t position = 0;
    for (const std::int64_t rows : {1, 50, 500}) {
        std::vector<double> took;
        for (int i = 0; i < 50; ++i) {
            std::vector<HoldingChange> changes;
            for (std::int64_t id = 0; id < rows; ++id) changes.push_back({at(++position), {id, id % 100, "coin" + std::to_string(id), "a note of some length"}});
            const ChangeBatch batch = batch_of(table, changes);
            const auto start = SteadyClock::now();
            writer->apply(batch, soon(), none_rejected);
            writer->flush(soon());
            took.push_back(std::chrono::duration<double>(SteadyClock::now() - start).count() * 1000);
        }
        std::sort(took.begin(), took.end());
        MESSAGE(rows << " rows: median " << took[took.size() / 2] << " ms, slowest " << took.back() << " ms");
        CHECK(took[took.size() / 2] < 500);
    }
}
