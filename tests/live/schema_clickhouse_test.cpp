// needs: analytics
#include <doctest/doctest.h>

#include "core/base/file.h"
#include "core/generate/load.h"
#include "core/schema_doc/model.h"
#include "tests/live/schemas.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(120'000)); }

class Analytics {
public:
    Analytics() : context_({database_.config()}) { apply_schema(*context_, "yieldsensei", "analytics"); }
    Context& context() { return *context_; }
    Store& store() { return context_->stores.get("analytics"); }
    SqlResult query(const std::string& sql) { return store().sql()->query(sql, soon()); }
    double number(const std::string& sql) { return query(sql).row(0).real(0); }
    void load(std::uint64_t rows, std::vector<std::string> tables) {
        LoadOptions options;
        options.schema = "yieldsensei";
        options.rows = rows;
        options.until = unix_micros_now() / 3'600'000'000 * 3'600'000'000;
        options.tables = std::move(tables);
        load_schema(*context_, options);
    }

private:
    TestClickHouse database_;
    TestContext context_;
};

}  // namespace

TEST_CASE("down sections drop everything that up made") {
    Analytics analytics;
    CHECK(analytics.number("SELECT count() FROM system.tables WHERE database = currentDatabase()") == 27);
    apply_schema(analytics.context(), "yieldsensei", "analytics", Direction::down);
    CHECK(analytics.number("SELECT count() FROM system.tables WHERE database = currentDatabase()") == 0);
    apply_schema(analytics.context(), "yieldsensei", "analytics");
}

// The claim is about stored bytes: what the columns' own encoding takes against what it takes after the codecs.
TEST_CASE("market data takes at most a fifth of its size on disk") {
    Analytics analytics;
    analytics.load(1'000'000, {"price_data_raw"});
    analytics.query("OPTIMIZE TABLE price_data_raw FINAL");
    const SqlResult bytes = analytics.query(
        "SELECT sum(data_uncompressed_bytes), sum(data_compressed_bytes), sum(rows) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'price_data_raw'");
    const double raw = bytes.row(0).real(0), stored = bytes.row(0).real(1);
    CHECK(bytes.row(0).integer(2) == 1'000'000);
    MESSAGE("price_data_raw: " << raw << " bytes, stored in " << stored << ": " << 100 * (1 - stored / raw) << " % saved");
    CHECK(raw > 60e6);
    CHECK(stored <= 0.2 * raw);
}

TEST_CASE("every view has rows after a load, and the aggregates agree with the raw rows") {
    Analytics analytics;
    analytics.load(120'000, {"price_data_raw", "liquidity_pools", "protocol_tvl_history", "yield_history", "market_sentiment", "transaction_events"});
    const SqlResult views = analytics.query("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' ORDER BY name");
    CHECK(views.rows() == 14);
    for (std::size_t i = 0; i < views.rows(); ++i) CHECK_MESSAGE(analytics.number("SELECT count() FROM " + views.row(i).text(0)) > 0, views.row(i).text(0));

    CHECK(analytics.number("SELECT sum(samples) FROM price_metrics_5min") == 120'000);
    CHECK(analytics.number("SELECT count() FROM price_metrics_5min m JOIN (SELECT asset_id, toStartOfFiveMinutes(timestamp) AS bucket, max(toFloat64(price)) AS high,"
                           " min(toFloat64(price)) AS low, avg(toFloat64(price)) AS average, count() AS samples FROM price_data_raw GROUP BY asset_id, bucket) r"
                           " ON r.asset_id = m.asset_id AND r.bucket = m.bucket"
                           " WHERE m.high != r.high OR m.low != r.low OR m.samples != r.samples OR abs(m.average - r.average) > 1e-9 * r.average") == 0);
    CHECK(analytics.number("SELECT count() FROM price_metrics_5min WHERE low > open OR low > close OR high < open OR high < close OR isNaN(trend) OR volatility < 0") == 0);
    // A day of movement: the view's price before is the last raw price at least 24 hours older than the newest bucket.
    CHECK(analytics.number("SELECT count() FROM top_movers_24h") == 40);
    CHECK(analytics.number("SELECT max(abs(change_percent - 100 * (price / price_before - 1))) FROM top_movers_24h") < 1e-9);
    CHECK(analytics.number("SELECT sum(share_of_market_percent) FROM protocol_market_share") == doctest::Approx(100));
    CHECK(analytics.number("SELECT sum(market_share_percent) FROM cross_chain_metrics") == doctest::Approx(100));
    CHECK(analytics.number("SELECT count() FROM best_yields_by_strategy WHERE rank = 1") == analytics.number("SELECT uniqExact(strategy) FROM yield_history"));
}

TEST_CASE("a sandwich and an arbitrage are found, and an ordinary swap is neither") {
    Analytics analytics;
    const auto swap = [&](int index, int log, const char* hash, const char* sender, const char* in, const char* out, double paid, double got) {
        analytics.query(std::string("INSERT INTO transaction_events (timestamp, chain, block_number, transaction_index, log_index, transaction_hash, event_type, protocol_id,"
                                    " pool_id, sender, token_in, token_out, amount_in, amount_out, value_usd) VALUES (now64(3), 'ethereum', 7, ") +
                        std::to_string(index) + ", " + std::to_string(log) + ", '" + hash + "', 'swap', 'uniswap-v3', 'p', '" + sender + "', '" + in + "', '" + out + "', " +
                        std::to_string(paid) + ", " + std::to_string(got) + ", 100)");
    };
    swap(1, 0, "h1", "mallory", "USDC", "ETH", 1000, 0.5);
    swap(2, 0, "h2", "alice", "USDC", "ETH", 5000, 2.4);
    swap(3, 0, "h3", "mallory", "ETH", "USDC", 0.5, 1004);
    swap(9, 0, "h4", "bob", "USDC", "ETH", 10, 0.005);
    swap(12, 0, "h5", "carol", "USDC", "ETH", 100, 0.05);
    swap(12, 1, "h5", "carol", "ETH", "USDC", 0.05, 101);
    const SqlResult sandwich = analytics.query("SELECT attacker, victim, profit_in_token FROM mev_sandwiches");
    REQUIRE(sandwich.rows() == 1);
    CHECK(sandwich.row(0).text(0) == "mallory");
    CHECK(sandwich.row(0).text(1) == "alice");
    CHECK(sandwich.row(0).real(2) == doctest::Approx(4));
    const SqlResult arbitrage = analytics.query("SELECT trader, profit_in_token FROM arbitrage_transactions");
    REQUIRE(arbitrage.rows() == 1);
    CHECK(arbitrage.row(0).text(0) == "carol");
    CHECK(arbitrage.row(0).real(1) == doctest::Approx(1));
    CHECK(analytics.number("SELECT sum(events) FROM mev_summary") == 2);
}

TEST_CASE("a user's event that is delivered twice is one row") {
    Analytics analytics;
    for (int i = 0; i < 2; ++i) {
        analytics.query("INSERT INTO user_activity (user_id, timestamp, event_id, activity, details) VALUES"
                        " ('b9afb0fb-eb4b-4be6-bc83-276fde11e915', '2026-01-01 00:00:00', '29f860ad-ffb9-43a7-b392-cfef91c3bb76', 'login', '{}')");
    }
    CHECK(analytics.number("SELECT count() FROM user_activity FINAL WHERE user_id = 'b9afb0fb-eb4b-4be6-bc83-276fde11e915'") == 1);
}

TEST_CASE("the committed dictionary is what the command prints for a fresh database") {
    Analytics analytics;
    const std::string printed = schema_doc::dictionary({schema_doc::read_schema(analytics.store(), "", soon())});
    const std::string chapter = printed.substr(printed.find("\n## "));
    const std::string committed = read_file(YSDB_SOURCE_DIR "/docs/schema-yieldsensei.md");
    CHECK_MESSAGE(committed.ends_with(chapter), "renew docs/schema-yieldsensei.md: ysdb schema dictionary");
}

TEST_CASE("the diagram shows how rows flow from market data into aggregates and views") {
    Analytics analytics;
    const auto model = schema_doc::read_schema(analytics.store(), "", soon());
    const std::string drawn = schema_doc::diagram(model);
    CHECK(drawn.find("    price_data_raw --> mv_price_metrics_5min\n") != std::string::npos);
    CHECK(drawn.find("    mv_price_metrics_5min --> price_metrics_5min_states\n") != std::string::npos);
    CHECK(drawn.find("    price_metrics_5min_states -.-> price_metrics_5min\n") != std::string::npos);
    const std::string text = schema_doc::dictionary({model});
    CHECK(text.find("| `price` | `Decimal(18, 10)` | | | `Delta(8), ZSTD(3)` |") != std::string::npos);
    CHECK(text.find("- partitioned by `toYYYYMM(timestamp)`") != std::string::npos);
    CHECK(text.find("bloom_filter") != std::string::npos);
    CHECK(text.find("- kept `toDateTime(timestamp) + toIntervalMonth(15)`") != std::string::npos);
}
