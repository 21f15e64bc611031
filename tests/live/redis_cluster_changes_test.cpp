// programs: redis-server
// Changes into a Redis Cluster: which version wins, in every slot, and what cannot be.
#include <doctest/doctest.h>

#include <array>
#include <barrier>
#include <random>
#include <thread>

#include "core/store/redis/slots.h"
#include "tests/live/cluster_cache.h"

using namespace ysdb;
using namespace ysdb::test;

TEST_CASE("an older change never overwrites a newer one, nor brings a removed row back, whichever master has it") {
    ClusterCache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    write(*writer, table, rows_at(0, 2000, 20, "new"));
    write(*writer, table, rows_at(0, 2000, 10, "old"));
    CHECK(count_of(cache.rows(), text_of(20, "new")) == 2000);
    write(*writer, table, rows_at(0, 1000, 15, "", Op::remove));
    CHECK(count_of(cache.rows(), text_of(20, "new")) == 2000);
    write(*writer, table, rows_at(0, 1000, 30, "", Op::remove));
    CHECK(cache.rows().size() == 1000);
    write(*writer, table, rows_at(0, 1000, 25, "old"));
    CHECK(cache.rows().size() == 1000);
    CHECK(cache->command({"GET", redis::beside_row(*cache.operator->(), "gone", cache.key("h:7"))}, soon()).text == version_text(at(30)));
    write(*writer, table, rows_at(500, 1000, 31, "back"));
    CHECK(count_of(cache.rows(), text_of(31, "back")) == 500);
    CHECK(cache->command({"EXISTS", redis::beside_row(*cache.operator->(), "gone", cache.key("h:700"))}, soon()).integer == 0);
}

TEST_CASE("keys with braces of any kind keep their guards beside them") {
    ClusterCache cache;
    const TableInfo table = holdings({2});
    const auto writer = cache.follow(cache.landing("h:{coin}"), table);
    for (const std::string coin : {"{", "}", "{}", "{a}", "}{a}", "{{a}}", "{}{a}", "a{b", "{a}{b}"}) {
        CAPTURE(coin);
        write(*writer, table, {{at(10), {1, 7, coin, {}}}});
        CHECK(cache.field("h:" + coin, "coin") == coin);
        write(*writer, table, {{at(12), {1, 7, coin, {}}, Op::remove}});
        write(*writer, table, {{at(11), {1, 7, coin, {}}}});
        CHECK(cache.field("h:" + coin, "coin") == "");
    }
}

TEST_CASE("a truncation removes what is older from every master, and raises the floor in all 16384 slots") {
    ClusterCache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("t:{id}"), table);
    write(*writer, table, rows_at(0, 3000, 10, "old"));
    write(*writer, table, rows_at(5000, 5100, 21, "newer"));
    cache->command({"SET", cache.key("t:theirs"), "x"}, soon());
    const auto start = SteadyClock::now();
    writer->truncate(at(20), soon());
    MESSAGE("truncation: " << std::chrono::duration<double>(SteadyClock::now() - start).count() << " s");
    writer->flush(soon());
    CHECK(cache->command({"DEL", cache.key("t:theirs")}, soon()).integer == 1);
    CHECK(cache.rows().size() == 100);
    CHECK(cache.keys("ysdb:landing:{*}" + cache.key("t:{id}")).size() == redis::slot_count);
    write(*writer, table, rows_at(0, 3000, 19, "late"));   // others than those that were there, too
    write(*writer, table, rows_at(9000, 12000, 19, "late"));
    CHECK(cache.rows().size() == 100);
    writer->truncate(at(15), soon());                      // an older one lowers nothing
    write(*writer, table, rows_at(0, 500, 19, "late"));
    CHECK(cache.rows().size() == 100);
    write(*writer, table, rows_at(0, 500, 22, "after"));
    CHECK(cache.rows().size() == 600);
}

TEST_CASE("a copy leaves what it holds and what changed since, and removes the rest") {
    ClusterCache cache;
    for (const std::string key : {"c:{id}", "q:{{user_id}}:{coin}"}) {
        CAPTURE(key);
        const bool pointers = key[0] == 'q';
        const TableInfo table = pointers ? holdings({0, 1}) : holdings();
        const auto writer = cache.follow(cache.landing(key), table);
        copy_among_changes(*writer, table);
        const auto name = [&](std::int64_t id, const std::string& coin) {
            const std::string n = std::to_string(id);
            return pointers ? "q:{" + n + "}:" + coin : "c:" + n;
        };
        CHECK(cache.rows(key.substr(0, 2) + "*").size() == 300);  // 300 of the copy, less the removed one, and 9000
        CHECK(cache.field(name(0, "copy"), "coin") == "copy");
        CHECK(cache.field(name(3, "since"), "coin") == "since");
        CHECK(cache.field(name(4, "since"), "coin") == "since");
        CHECK(cache.field(name(5, "copy"), "coin") == "");
        CHECK(cache.field(name(400, "old"), "coin") == "");
        if (pointers) CHECK(cache.keys("ysdb:row:{*}" + cache.key(key) + "*").size() == 301);  // and the removed row's
        write(*writer, table, {{at(49), {401, 401, "late", {}}}});
        CHECK(cache.field(name(401, "late"), "coin") == "");
    }
}

TEST_CASE("with a hash tag of the primary key rows move, are found by their pointers, and have tags") {
    ClusterCache cache;
    const TableInfo table = holdings({0, 1});
    for (const std::string format : {"hash", "json"}) {
        CAPTURE(format);
        const auto writer = cache.follow(cache.landing(format + ":{{user_id}}:{coin}", {format + "-of:{{user_id}}"}, format), table);
        write(*writer, table, {{at(10), {1, 7, "eth", {}}}, {at(10, 2), {2, 8, "btc", {}}}});
        write(*writer, table, {{at(11), {1, 7, "sol", {}}}});
        CHECK(cache.keys(cache.key(format + ":*")) == std::vector<std::string>{cache.key(format + ":{7}:sol"), cache.key(format + ":{8}:btc")});
        CHECK(cache.members(format + "-of:{7}") == format + ":{7}:sol ");
        write(*writer, table, {{at(10, 1), {1, 7, "eth", {}}}});
        CHECK(cache.keys(cache.key(format + ":*")).size() == 2);
        write(*writer, table, {{at(12), {1, 7, "", {}}, Op::remove}});
        CHECK(cache.keys(cache.key(format + ":*")) == std::vector<std::string>{cache.key(format + ":{8}:btc")});
        CHECK(cache.members(format + "-of:{7}") == "");
        writer->truncate(at(20), soon());
        CHECK(cache.keys(cache.key(format + ":*")).empty());
        CHECK(cache.members(format + "-of:{8}") == "");
    }
}

TEST_CASE("a layout that no transaction could write in a cluster is refused with how to mend it") {
    ClusterCache cache;
    const auto refusal = [&](const Landing& landing, const TableInfo& table) { return failure_of([&] { cache.follow(landing, table); }).error; };
    const Error pointers = refusal(cache.landing("p:{user_id}:{coin}"), holdings());
    CHECK(pointers.code() == Code::refused);
    CHECK(pointers.message().find("in a cluster a row and its pointer would lie in different slots") != std::string::npos);
    CHECK(pointers.hint().find("{id}") != std::string::npos);
    CHECK(refusal(cache.landing("p:{{coin}}:{user_id}"), holdings({0, 1})).hint().find("{{user_id}}") != std::string::npos);
    const Error tags = refusal(cache.landing("h:{id}:{user_id}", {"of:{user_id}"}), holdings({0, 1}));
    CHECK(tags.code() == Code::config);
    CHECK(tags.message().find("lies in another slot") != std::string::npos);
    CHECK(tags.hint().find("{{user_id}}") != std::string::npos);
    CHECK(refusal(cache.landing("h:{{id}}", {"of:{{user_id}}"}), holdings()).code() == Code::config);
    // What the columns' own braces would part is told as a rejected row.
    const TableInfo table = holdings({2, 0});
    const auto writer = cache.follow(cache.landing("b:{{coin}}:{id}", {"of:{{coin}}"}), table);
    std::size_t rejected = 0;
    writer->apply(batch_of(table, {{at(1), {1, 7, "a}b", {}}}, {at(1, 2), {2, 7, "a", {}}}}), soon(), [&](std::size_t, const RejectedRow&) { ++rejected; });
    writer->flush(soon());
    CHECK(cache.rows("b:*").size() + rejected == 2);
    CHECK(cache.field("b:{a}:2", "coin") == "a");
}

namespace {

// Random histories of rows: (what was told, what is alive at the end).
std::pair<std::vector<HoldingChange>, std::map<std::string, std::string>> history(std::mt19937_64& random) {
    std::vector<HoldingChange> told;
    std::map<std::string, std::string> alive;
    for (std::uint64_t position = 1; position <= 80; ++position) {
        const auto id = static_cast<std::int64_t>(random() % 8);
        const std::string name = "h:" + std::to_string(id), coin = std::to_string(position);
        const bool removal = random() % 4 == 0;
        told.push_back({at(position), {id, 7, removal ? "" : coin, {}}, removal ? Op::remove : Op::upsert});
        if (removal) alive.erase(name);
        else alive[name] = text_of(position, coin);
    }
    return {told, alive};
}

}  // namespace

TEST_CASE("changes end the same in whatever order, groups and repetitions they arrive, from two writers at once") {
    std::mt19937_64 random(random_seed());
    const TableInfo table = holdings();
    for (int round = 0; round < 10; ++round) {
        ClusterCache cache;
        const auto [told, alive] = history(random);
        std::vector<std::vector<HoldingChange>> shares;
        for (int w = 0; w < 2; ++w) {
            auto changes = told;
            std::shuffle(changes.begin(), changes.end(), random);
            shares.push_back(std::move(changes));
        }
        {
            std::vector<std::jthread> writers;
            for (const auto& changes : shares) {
                writers.emplace_back([&] {
                    const auto writer = cache.follow(cache.landing("h:{id}"), table);
                    for (std::size_t i = 0; i < changes.size(); i += 8) write(*writer, table, {changes.begin() + static_cast<std::ptrdiff_t>(i), changes.begin() + static_cast<std::ptrdiff_t>(std::min(i + 8, changes.size()))});
                });
            }
        }
        CHECK(cache.rows() == alive);
    }
}

TEST_CASE("two writers of the same rows at the same moment end with the newest change of each") {
    const TableInfo table = holdings();
    constexpr std::int64_t rounds = 150, rows = 4;
    std::mt19937_64 random(random_seed());
    // Removals touch other keys than rows do: each kind has to notice the other, and its own.
    for (const bool removals : {true, false}) {
        ClusterCache cache;
        std::vector<HoldingChange> told[2];
        std::map<std::string, std::string> expected;
        for (std::int64_t id = 0; id < rounds * rows; ++id) {
            const std::size_t newer = random() % 2;
            for (std::size_t w = 0; w < 2; ++w) {
                told[w].push_back({at(w == newer ? 20 : 10), {id, 7, std::to_string(w), {}}, removals && random() % 3 == 0 ? Op::remove : Op::upsert});
            }
            if (told[newer].back().op == Op::upsert) expected["d:" + std::to_string(id)] = text_of(20, std::to_string(newer));
        }
        std::barrier together(2);
        {
            std::vector<std::jthread> threads;
            for (const auto& changes : told) {
                threads.emplace_back([&] {
                    const auto writer = cache.follow(cache.landing("d:{id}"), table);
                    for (auto from = changes.begin(); from != changes.end(); from += rows) {
                        together.arrive_and_wait();
                        write(*writer, table, {from, from + rows});
                    }
                });
            }
        }
        CHECK(cache.rows() == expected);
    }
}

TEST_CASE("the epoch and the notes of a set only rise") {
    ClusterCache cache;
    const std::string set = unique_name();
    ChangeSink& sink = *cache->changes();
    CHECK(sink.epoch(set, soon()) == 0);
    sink.begin_epoch(set, 3, soon());
    sink.begin_epoch(set, 2, soon());
    CHECK(sink.epoch(set, soon()) == 3);
    sink.note(set, "lsn", 7, soon());
    CHECK(sink.noted(set, "lsn", soon()) == 7);
}

TEST_CASE("how fast rows are written, beside a single server") {
    TemporaryDirectory directory;
    RedisProcess single(directory.path(), {"save ''"});
    OwnCluster masters({}, false);
    const TableInfo table = holdings();
    constexpr std::int64_t rows = 20'000;
    for (const auto& [what, url, key] : std::vector<std::array<std::string, 3>>{{"a single server", "redis://" + single.address(), "h:{id}"},
                                                                              {"a cluster of 3", masters.url(), "h:{id}"},
                                                                              {"a cluster of 3, 100 rows a hash tag", masters.url(), "h:{{user_id}}:{id}"}}) {
        const auto store = open_store(store_at("cache", url));
        const bool tagged = key.find("user_id") != std::string::npos;
        const TableInfo shape = tagged ? holdings({0, 1}) : table;
        Landing landing;
        landing.set = "s";
        landing.key = unique_name() + key;
        const auto writer = store->changes()->follow(landing, soon());
        writer->reshape(shape, {}, soon());
        std::vector<ChangeBatch> made;
        for (std::int64_t from = 0; from < rows; from += rows / 10) {
            std::vector<HoldingChange> changes;
            for (std::int64_t id = from; id < from + rows / 10; ++id) changes.push_back({at(10), {id, id / 100, "coin" + std::to_string(id), "a note of some length"}});
            made.push_back(batch_of(shape, changes));
        }
        const auto start = SteadyClock::now();
        for (const ChangeBatch& batch : made) {
            writer->apply(batch, soon(), none_rejected);
            writer->flush(soon());
        }
        const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
        MESSAGE(what << ": " << static_cast<int>(rows / seconds) << " rows/s");
        CHECK(rows / seconds > 1'000);
    }
}
