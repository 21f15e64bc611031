// needs: main analytics cache events
// The three flows of the shipped schema, as `ysdb init --schema yieldsensei` configures them, over real servers: transactions (PostgreSQL ->
// ClickHouse, Redis, Kafka), portfolio (the same), market (ClickHouse -> views -> Redis, PostgreSQL, Kafka). What a user reads from each store must be
// there within the time that was promised: ClickHouse 30 s, Redis 5 s, everything a minute; also when a run is killed in the middle.
#include <algorithm>

#include "core/store/kafka/kafka.h"
#include "core/store/redis/redis.h"
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr Millis redis_promise{5'000}, clickhouse_promise{30'000}, any_promise{60'000};

Deadline soon() { return Deadline::after(Millis(60'000)); }

class Platform {
public:
    Platform() : directory_("/tmp/ysdb_" + unique_name()) {
        std::filesystem::create_directories(directory_);
        REQUIRE(run_ysdb({"init", directory_, "--schema", "yieldsensei"}).exit_code == 0);
        cache_.url = cache_.url.substr(0, cache_.url.find('/', cache_.url.find("://") + 3)) + "/9";   // a database of its own: keys are named as shipped
        std::string text = read_file(directory_ + "/ysdb.toml");
        for (const auto& [from, to] : std::map<std::string, std::string>{{"\"defi.", "\"" + prefix_ + "."}, {"name = \"yield\"", "name = \"" + yield() + "\""}, {"name = \"market\"", "name = \"" + market() + "\""}}) {
            for (auto found = text.find(from); found != std::string::npos; found = text.find(from, found + to.size())) text.replace(found, from.size(), to);
        }
        write_file_atomically(directory_ + "/ysdb.toml", text);
        empty_cache();
        ysdb({"migrate", "up", "--yes"}, 0);
    }
    ~Platform() {
        for (const std::string& set : {yield(), market()}) run_ysdb({"sync", "remove", "--set", set, "--yes"}, environment(), directory_);
        empty_cache();
        const auto store = open_store(store_config("events"));
        const std::vector<std::string> topics{prefix_ + ".transactions", prefix_ + ".portfolio", prefix_ + ".market"};
        kafka::as_kafka(*store).delete_topics(topics, soon());
        std::filesystem::remove_all(directory_);
    }
    std::map<std::string, std::string> environment() const {
        return {{"YSDB_STORES_MAIN_URL", main_.config().url}, {"YSDB_STORES_ANALYTICS_URL", analytics_.config().url}, {"YSDB_STORES_CACHE_URL", cache_.url}, {"YSDB_STORES_EVENTS_URL", store_config("events").url}};
    }
    CommandResult ysdb(std::vector<std::string> arguments, int code) const {
        CommandResult result = run_ysdb(std::move(arguments), environment(), directory_, Millis(240'000));
        INFO(result.out << result.err);
        CHECK(result.exit_code == code);
        return result;
    }
    SqlResult main(const std::string& sql) { return open_store(main_.config())->sql()->open_session("test", soon())->query(sql, soon()); }
    SqlResult analytics(const std::string& sql) { return open_store(analytics_.config())->sql()->query(sql, soon()); }
    std::string cached(const std::string& key, const std::string& field) {
        const auto store = open_store(cache_);
        return redis::as_redis(*store).command({"HGET", key, field}, soon()).text;
    }
    std::int64_t tagged(const std::string& tag) {
        const auto store = open_store(cache_);
        return redis::as_redis(*store).command({"ZCARD", tag}, soon()).integer;
    }
    // Values of a topic so far, those of removals as "null".
    std::vector<std::string> told(const std::string& topic) {
        const auto store = open_store(store_config("events"));
        kafka::ConsumerOptions options;
        options.group = unique_name();
        options.topics = {prefix_ + "." + topic};
        kafka::Consumer consumer = kafka::as_kafka(*store).consumer(options, soon());
        std::vector<std::string> values;
        bool any = true;
        for (int quiet = 0; quiet < 6 && any; quiet = values.empty() ? quiet + 1 : 6) {
            std::vector<kafka::Record> records = consumer.poll(10'000, Deadline::after(Millis(1'000)));
            for (; !records.empty(); records = consumer.poll(10'000, Deadline::after(Millis(500)))) {
                for (const auto& record : records) values.push_back(record.value.value_or("null"));
            }
        }
        return values;
    }
    // One message with all of these parts.
    bool was_told(const std::string& topic, const std::vector<std::string>& parts) {
        for (const std::string& value : told(topic)) {
            if (std::all_of(parts.begin(), parts.end(), [&](const std::string& part) { return value.find(part) != std::string::npos; })) return true;
        }
        return false;
    }
    std::unique_ptr<Running> run(const std::string& set) const {
        return std::make_unique<Running>(directory_, std::vector<std::string>{"sync", "run", "--set", set}, environment());
    }
    std::string yield() const { return prefix_ + "_y"; }
    std::string market() const { return prefix_ + "_m"; }
    std::string state(const std::string& set) const {
        std::string all;
        const auto report = nlohmann::json::parse(run_ysdb({"sync", "status", "--set", set, "--output", "json"}, environment(), directory_).out);
        for (const auto& row : report["tables"]) all += row["state"].get<std::string>() + " ";
        return all;
    }
    bool following(const std::string& set) const {
        const std::string all = state(set);
        return !all.empty() && all.find("new") == std::string::npos && all.find("copying") == std::string::npos && all.find("halted") == std::string::npos;
    }

private:
    void empty_cache() {
        const auto store = open_store(cache_);
        std::vector<std::string> all;
        redis::as_redis(*store).scan("*", 1000, Millis(20'000), {}, [&](std::span<const std::string> page) { all.insert(all.end(), page.begin(), page.end()); });
        for (const std::string& key : all) redis::as_redis(*store).command({"DEL", key}, soon());
    }

    TestDatabase main_;
    TestClickHouse analytics_;
    StoreConfig cache_ = store_config("cache");
    std::string prefix_ = unique_name(), directory_;
};

const std::string user = "00000000-0000-0000-0000-000000000007", eth = "00000000-0000-0000-0000-0000000000e1", btc = "00000000-0000-0000-0000-0000000000b1";

}  // namespace

TEST_CASE("the transaction, portfolio and market flows of the shipped schema arrive everywhere in time, through a killed run") {
    Platform platform;
    platform.main("INSERT INTO users (id, wallet_address) VALUES ('" + user + "', '0x00000000000000000000000000000000000000aa'); INSERT INTO assets (id, symbol, name, chain, contract_address, decimals) VALUES"
                  " ('" + eth + "', 'ETH', 'Ether', 'ethereum', '0x01', 18), ('" + btc + "', 'BTC', 'Bitcoin', 'ethereum', '0x02', 8);"
                  "INSERT INTO portfolio_holdings (user_id, asset_id, quantity, value_usd) VALUES ('" + user + "', '" + eth + "', 1.5, 3000)");
    platform.analytics("INSERT INTO price_data_raw (timestamp, asset_id, source, price, volume) SELECT now64(3) - number, 'ETH', 'dex', 2000 + number % 7, 10 FROM numbers(600)");
    auto transactions = platform.run(platform.yield()), market = platform.run(platform.market());
    REQUIRE_MESSAGE(wait_until([&] { return platform.following(platform.yield()) && platform.following(platform.market()); }, any_promise), platform.state(platform.yield()) << platform.state(platform.market()) << transactions->log() << market->log());

    // What was there is copied.
    const std::string holding = "portfolio:" + user + ":" + eth;
    CHECK(wait_until([&] { return platform.cached(holding, "quantity") == "1.500000000000000000"; }, redis_promise));
    CHECK(wait_until([&] { return platform.cached("price:ETH", "price").starts_with("200"); }, redis_promise));
    CHECK(platform.tagged("user:" + user + ":portfolio") == 1);

    // A transaction, and what it does to the portfolio.
    platform.main("INSERT INTO transaction_history (id, user_id, asset_id, type, chain, transaction_hash, block_number, block_timestamp, amount) VALUES (1, '" + user + "', '" + eth + "', 'deposit', 'ethereum', decode(repeat('ab', 32), 'hex'), 5, date_trunc('second', now()), 2.5);"
                  "UPDATE portfolio_holdings SET quantity = 4, value_usd = 8000 WHERE asset_id = '" + eth + "'; INSERT INTO portfolio_holdings (user_id, asset_id, quantity) VALUES ('" + user + "', '" + btc + "', 1)");
    CHECK(wait_until([&] { return platform.cached(holding, "quantity") == "4.000000000000000000" && platform.tagged("user:" + user + ":portfolio") == 2 && platform.tagged("user:" + user + ":transactions") == 1; }, redis_promise));
    CHECK(wait_until([&] { return platform.analytics("SELECT count() FROM transaction_history_current WHERE amount = 2.5").row(0).text(0) == "1"; }, clickhouse_promise));
    CHECK(wait_until([&] { return platform.was_told("transactions", {"\"amount\":\"2.500000000000000000\""}) && platform.was_told("portfolio", {"\"quantity\":\"4.000000000000000000\""}); }, any_promise));

    // Both runs die; meanwhile rows change, and go.
    transactions->signal(SIGKILL);
    market->signal(SIGKILL);
    transactions->wait();
    market->wait();
    const std::string sold = platform.main("SELECT id FROM portfolio_holdings WHERE asset_id = '" + btc + "'").row(0).text(0);
    platform.main("UPDATE transaction_history SET status = 'reverted' WHERE id = 1; DELETE FROM portfolio_holdings WHERE asset_id = '" + btc + "'; UPDATE portfolio_holdings SET quantity = 5");
    platform.analytics("INSERT INTO price_data_raw (timestamp, asset_id, source, price, volume) SELECT now64(3), 'SOL', 'dex', 150, 10");
    transactions = platform.run(platform.yield());
    market = platform.run(platform.market());
    CHECK(wait_until([&] { return platform.cached(holding, "quantity") == "5.000000000000000000" && platform.cached("portfolio:" + user + ":" + btc, "quantity").empty() && platform.tagged("user:" + user + ":portfolio") == 1; }, redis_promise * 2));
    CHECK(wait_until([&] { return platform.analytics("SELECT count() FROM transaction_history_current WHERE status = 'reverted'").row(0).text(0) == "1"; }, clickhouse_promise));
    CHECK(wait_until([&] { return platform.was_told("portfolio", {"\"op\":\"delete\"", sold}); }, any_promise));

    // Samples become prices, aggregates and events.
    CHECK(wait_until([&] { return platform.cached("price:SOL", "price") == "150"; }, redis_promise * 2));
    platform.analytics("INSERT INTO price_data_raw (timestamp, asset_id, source, price, volume) SELECT now64(3), 'SOL', 'dex', 160, 10");
    CHECK(wait_until([&] { return platform.cached("price:SOL", "price") == "160"; }, redis_promise));
    CHECK(wait_until([&] { return platform.main("SELECT coalesce(max(high), 0) FROM market_metrics WHERE asset_id = 'SOL'").row(0).text(0) == "160"; }, any_promise));
    CHECK(wait_until([&] { return platform.was_told("market", {"\"price\":160"}); }, any_promise));

    for (auto* running : {&transactions, &market}) {
        (*running)->signal(SIGTERM);
        CHECK((*running)->wait() == 143);
        CHECK_MESSAGE((*running)->log().find("rror") == std::string::npos, (*running)->log());
    }
    platform.ysdb({"sync", "run", "--set", platform.yield(), "--until-caught-up"}, 0);
    platform.ysdb({"sync", "run", "--set", platform.market(), "--until-caught-up"}, 0);
    platform.ysdb({"validate", "--set", platform.yield()}, 0);
    platform.ysdb({"validate", "--set", platform.market()}, 0);
}
