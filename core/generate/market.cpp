#include "core/generate/tables.h"

namespace ysdb::generate {

namespace {

// --- price_data_raw ---------------------------------------------------------------------------------------------------------------

std::uint64_t price_series() { return coins().size() * price_sources().size(); }

TableInfo price_columns() {
    using enum TypeKind;
    TableInfo info{{"", "price_data_raw"}, {}, {}};
    info.columns = {column("timestamp", timestamptz), column("asset_id", text), column("chain", text), column("source", text),
                    money("price", 18, 10), money("bid", 18, 10, true), money("ask", 18, 10, true), money("volume", 18, 2),
                    money("market_cap", 18, 2, true), money("liquidity", 18, 2), column("confidence", float64), column("block_number", uint64)};
    return info;
}

void fill_price(const World& world, std::uint64_t row, Cells& cells) {
    const Grid grid(world.until, world.rows, price_series());
    const std::uint64_t series = grid.series_of(row);
    const std::int64_t time = grid.at(row);
    const std::uint64_t coin_index = series / price_sources().size();
    const Coin& coin = coins()[coin_index];
    const PriceSource& source = price_sources()[series % price_sources().size()];
    const Chain& chain = chains()[coin.chain];
    Random random = world.random(Stream::price, row);
    // What a source's price lacks to the market's, changing with each move of the market: up to some basis points.
    const std::uint64_t moved = static_cast<std::uint64_t>(time / second) / coin.quiet_seconds;
    const double premium = 0.0002 * Random::bell(mix(mix(world.seed, series), moved));
    const double price = market_price(world, coin_index, time, 4) * (1 + premium);
    const Int128 units = decimal_units(price, 10, 6);
    const bool trades = random.below(coin.quiet_seconds) < 20;

    cells.timestamp(time);
    cells.text(coin.symbol);
    cells.text(source.on_chain ? chain.name : std::string_view());
    cells.text(source.name);
    cells.decimal(units);
    if (source.has_book) {
        const Int128 tick = std::max<Int128>(units / 20000, 1);
        cells.decimal(units - tick);
        cells.decimal(units + tick);
    } else {
        cells.null();
        cells.null();
    }
    cells.decimal(trades ? decimal_units(random.log_normal(coin.quiet_seconds < 60 ? 40000 : 1500, 2), 2, 5) : 0);
    if (source.knows_supply) cells.decimal(decimal_units(price * coin.supply, 2, 6));
    else cells.null();
    // A book's or a pool's depth is read once an hour.
    const double depth = exp2_portable(0.3 * Random::bell(mix(mix(world.seed, ~series), static_cast<std::uint64_t>(time / hour))));
    cells.decimal(decimal_units(coin.price * coin.supply * 0.0004 * depth, 2, 5));
    cells.float64(random.below(50) == 0 ? static_cast<double>(80 + random.below(20)) / 100 : 1.0);
    cells.integer(source.on_chain ? (time / 1000 - static_cast<std::int64_t>(chain.genesis_seconds) * 1000) / chain.block_millis : 0);
}

std::uint64_t price_rows(const World& world) { return world.rows; }

// --- liquidity_pools --------------------------------------------------------------------------------------------------------------

std::uint64_t pool_rows(const World& world) { return world.rows / 10; }

void add_pool_id(Cells& cells, const Pool& pool) {
    cells.text(ShortText().add(protocols()[pool.protocol].slug).add(":").add(coins()[pool.coin0].symbol).add("-").add(coins()[pool.coin1].symbol).view());
}

TableInfo pool_columns() {
    using enum TypeKind;
    TableInfo info{{"", "liquidity_pools"}, {}, {}};
    info.columns = {column("timestamp", timestamptz), column("protocol_id", text), column("pool_id", text), column("chain", text),
                    column("token0", text), column("token1", text), money("reserve0", 38, 18), money("reserve1", 38, 18),
                    money("tvl_usd", 18, 2), money("volume_24h_usd", 18, 2), money("fees_24h_usd", 18, 2), column("fee_tier_bps", uint16),
                    column("apy", float64, true), column("block_number", uint64)};
    return info;
}

void fill_pool(const World& world, std::uint64_t row, Cells& cells) {
    const Grid grid(world.until, pool_rows(world), pools().size());
    const std::uint64_t series = grid.series_of(row);
    const std::int64_t time = grid.at(row);
    const Pool& pool = pools()[series];
    const Chain& chain = chains()[protocols()[pool.protocol].first_chain];
    Random random = world.random(Stream::liquidity, row);
    const double price0 = market_price(world, pool.coin0, time, 8);
    const double price1 = market_price(world, pool.coin1, time, 8);
    const double tvl = protocols()[pool.protocol].tvl * 0.02 * (1 + 0.2 * Random::bell(mix(mix(world.seed, series), static_cast<std::uint64_t>(time / day))));
    const double volume = tvl * 0.15 * exp2_portable(0.7 * Random::bell(mix(mix(world.seed, ~series), static_cast<std::uint64_t>(time / hour))));
    const double fees = volume * pool.fee_bps / 10000.0;
    cells.timestamp(time);
    cells.text(protocols()[pool.protocol].slug);
    add_pool_id(cells, pool);
    cells.text(chain.name);
    cells.text(coins()[pool.coin0].symbol);
    cells.text(coins()[pool.coin1].symbol);
    cells.decimal(random.below(20000) == 0 ? decimal_limit(38) : decimal_units(tvl / 2 / price0, 18, 12));
    cells.decimal(decimal_units(tvl / 2 / price1, 18, 12));
    cells.decimal(decimal_units(tvl, 2, 8));
    cells.decimal(decimal_units(volume, 2, 6));
    cells.decimal(decimal_units(fees, 2, 6));
    cells.integer(pool.fee_bps);
    if (random.below(30) == 0) cells.null();
    else cells.float64(static_cast<double>(static_cast<std::int64_t>(fees * 365 / tvl * 10000)) / 100);
    cells.integer((time / 1000 - static_cast<std::int64_t>(chain.genesis_seconds) * 1000) / chain.block_millis);
}

// --- protocol_tvl_history ---------------------------------------------------------------------------------------------------------

std::uint64_t tvl_rows(const World& world) { return world.rows / 20; }

struct Deployment {
    std::uint8_t protocol;
    std::uint8_t chain;
    std::uint8_t order;   // 0: the protocol's main chain
};
const std::vector<Deployment>& deployments() {
    static const std::vector<Deployment> all = [] {
        std::vector<Deployment> list;
        for (std::size_t p = 0; p < protocols().size(); ++p) {
            for (std::uint8_t i = 0; i < protocols()[p].chain_count; ++i) {
                list.push_back({static_cast<std::uint8_t>(p), static_cast<std::uint8_t>((protocols()[p].first_chain + i) % chains().size()), i});
            }
        }
        return list;
    }();
    return all;
}

TableInfo tvl_columns() {
    using enum TypeKind;
    TableInfo info{{"", "protocol_tvl_history"}, {}, {}};
    info.columns = {column("timestamp", timestamptz), column("protocol_id", text), column("chain", text), column("category", text),
                    money("tvl_usd", 18, 2), money("volume_24h_usd", 18, 2, true), money("fees_24h_usd", 18, 2, true),
                    column("active_users_24h", uint32), column("transactions_24h", uint64)};
    return info;
}

void fill_tvl(const World& world, std::uint64_t row, Cells& cells) {
    const Grid grid(world.until, tvl_rows(world), deployments().size());
    const Deployment& at = deployments()[grid.series_of(row)];
    const Protocol& protocol = protocols()[at.protocol];
    const std::int64_t time = grid.at(row);
    Random random = world.random(Stream::tvl, row);
    // Value locked follows the price of what is locked; the later a chain, the smaller its part.
    const double market = market_price(world, 0, time, 8) / coins()[0].price;
    const double share = exp2_portable(-1.2 * at.order);
    const double tvl = protocol.tvl * share * (0.4 + 0.6 * market) * (1 + 0.01 * random.normal());
    const bool trades = protocol.category == "dex" || protocol.category == "derivatives" || protocol.category == "bridge";
    cells.timestamp(time);
    cells.text(protocol.slug);
    cells.text(chains()[at.chain].name);
    cells.text(protocol.category);
    cells.decimal(random.below(20000) == 0 ? 0 : decimal_units(tvl, 2, 9));
    if (trades) cells.decimal(decimal_units(tvl * 0.1 * exp2_portable(0.5 * random.normal()), 2, 6));
    else cells.null();
    if (random.below(12) == 0) cells.null();
    else cells.decimal(decimal_units(tvl * 0.0001, 2, 6));
    const std::uint64_t users = 20 + static_cast<std::uint64_t>(tvl / 2e5) + random.below(50);
    cells.integer(static_cast<std::int64_t>(users));
    cells.integer(static_cast<std::int64_t>(users * (2 + random.below(4))));
}

// --- yield_history ----------------------------------------------------------------------------------------------------------------

std::uint64_t yield_rows(const World& world) { return world.rows / 10; }

TableInfo yield_columns() {
    using enum TypeKind;
    TableInfo info{{"", "yield_history"}, {}, {}};
    info.columns = {column("timestamp", timestamptz), column("strategy", text), column("protocol_id", text), column("pool_id", text),
                    column("chain", text), column("asset_id", text), column("apy", float64), column("apy_base", float64),
                    column("apy_reward", float64, true), money("tvl_usd", 18, 2), column("risk_score", float32), column("security_score", float32)};
    return info;
}

double hundredths(double value) { return static_cast<double>(static_cast<std::int64_t>(value * 100 + 0.5)) / 100; }

void fill_yield(const World& world, std::uint64_t row, Cells& cells) {
    const Grid grid(world.until, yield_rows(world), pools().size());
    const std::uint64_t series = grid.series_of(row);
    const Pool& pool = pools()[series];
    const Protocol& protocol = protocols()[pool.protocol];
    const std::int64_t time = grid.at(row);
    Random own = world.random(Stream::yield, ~series);
    Random random = world.random(Stream::yield, row);
    const bool risky = protocol.risk == "high" || protocol.risk == "medium";
    const double usual = own.log_normal(risky ? 9 : 4, 0.8);
    const bool has_rewards = own.below(3) == 0;
    // Rates are set once an hour.
    const double base = hundredths(usual * exp2_portable(0.2 * Random::bell(mix(mix(world.seed, series), static_cast<std::uint64_t>(time / hour)))));
    const double reward = has_rewards ? hundredths(usual * 0.4) : 0;
    cells.timestamp(time);
    cells.text(protocol.strategy);
    cells.text(protocol.slug);
    add_pool_id(cells, pool);
    cells.text(chains()[protocol.first_chain].name);
    cells.text(coins()[pool.coin0].symbol);
    cells.float64(hundredths(base + reward));
    cells.float64(base);
    if (has_rewards) cells.float64(reward);
    else cells.null();
    cells.decimal(decimal_units(protocol.tvl * 0.02 * (1 + 0.05 * random.normal()), 2, 7));
    cells.float32(static_cast<float>(protocol.risk == "high" ? 60 + own.below(30) : risky ? 30 + own.below(30) : 5 + own.below(25)));
    cells.float32(static_cast<float>(protocol.risk == "low" ? 80 + own.below(20) : 40 + own.below(45)));
}

// --- market_sentiment -------------------------------------------------------------------------------------------------------------

constexpr std::string_view voices[] = {"twitter", "reddit", "news", "telegram"};

std::uint64_t sentiment_rows(const World& world) { return world.rows / 20; }

TableInfo sentiment_columns() {
    using enum TypeKind;
    TableInfo info{{"", "market_sentiment"}, {}, {}};
    info.columns = {column("timestamp", timestamptz), column("asset_id", text), column("source", text), column("score", float32),
                    column("confidence", float32, true), column("mentions", uint32), column("positive", uint32), column("negative", uint32),
                    column("engagement", uint64), column("sample", text, true), column("model_version", text)};
    return info;
}

void fill_sentiment(const World& world, std::uint64_t row, Cells& cells) {
    const Grid grid(world.until, sentiment_rows(world), coins().size() * std::size(voices));
    const std::uint64_t series = grid.series_of(row);
    const std::int64_t time = grid.at(row);
    Random random = world.random(Stream::sentiment, row);
    const std::uint64_t coin = series / std::size(voices);
    const std::uint64_t rare = random.below(20000);
    const auto mentions = static_cast<std::uint64_t>(random.log_normal(400.0 / (1 + static_cast<double>(coin)), 1.5));
    const double score = std::clamp(0.1 + 0.3 * random.normal(), -1.0, 1.0);
    const std::uint64_t positive = static_cast<std::uint64_t>(static_cast<double>(mentions) * (score + 1) / 2.4);
    cells.timestamp(time);
    cells.text(coins()[coin].symbol);
    cells.text(voices[series % std::size(voices)]);
    cells.float32(static_cast<float>(static_cast<std::int64_t>(score * 100)) / 100);
    if (random.below(15) == 0) cells.null();
    else cells.float32(static_cast<float>(50 + random.below(50)) / 100);
    cells.integer(static_cast<std::int64_t>(rare == 0 ? UINT32_MAX : mentions));
    cells.integer(static_cast<std::int64_t>(positive));
    cells.integer(static_cast<std::int64_t>(mentions - std::min(positive, mentions)));
    cells.integer(static_cast<std::int64_t>(rare == 1 ? UINT64_MAX : mentions * random.below(30)));
    if (random.below(20) == 0) cells.text(any_phrase(random));
    else cells.null();
    cells.text(time < world.until - 30 * day ? "v1.4" : "v2.0");
}

constexpr TableMaker tables[] = {
    {"yieldsensei", "analytics", "price_data_raw", price_columns, price_rows, fill_price},
    {"yieldsensei", "analytics", "liquidity_pools", pool_columns, pool_rows, fill_pool},
    {"yieldsensei", "analytics", "protocol_tvl_history", tvl_columns, tvl_rows, fill_tvl},
    {"yieldsensei", "analytics", "yield_history", yield_columns, yield_rows, fill_yield},
    {"yieldsensei", "analytics", "market_sentiment", sentiment_columns, sentiment_rows, fill_sentiment},
};

}  // namespace

std::span<const TableMaker> market_tables() { return tables; }

}  // namespace ysdb::generate
