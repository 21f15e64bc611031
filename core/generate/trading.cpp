#include "core/generate/tables.h"

namespace ysdb::generate {

namespace {

constexpr Zipf coin_zipf(coin_count);

std::uint64_t trader_rows(const World& world) { return world.users; }

TableInfo trader_columns() {
    using enum TypeKind;
    TableInfo info{{"", "trader_config"}, {}, {0}};
    info.columns = {column("id", uuid), column("name", text), column("mode", text), money("max_position_size", 20, 8, true),
                    money("max_daily_loss", 20, 8, true), column("max_slippage_bps", int32, true), column("mev_protection_enabled", boolean),
                    column("created_at", timestamp), column("updated_at", timestamp)};
    return info;
}

void fill_trader(const World& world, std::uint64_t row, Cells& cells) {
    Random random = world.random(Stream::trader, row);
    const std::uint64_t rare = random.below(1000);
    cells.uuid(world.id(Stream::user_id, row));
    if (random.below(8) == 0) cells.text(ShortText().add("trader ").add(row).add(" ").add(any_phrase(random)).view());
    else cells.text(ShortText().add("trader ").add(row).view());
    cells.text(random.below(4) == 0 ? "live" : "paper");
    if (random.below(10) == 0) cells.null();
    else cells.decimal(rare == 0 ? decimal_limit(20) : decimal_units(random.log_normal(500, 2) + 1, 8, 3));
    if (random.below(10) == 0) cells.null();
    else cells.decimal(rare == 1 ? 1 : decimal_units(random.log_normal(100, 2) + 1, 8, 3));
    if (random.below(12) == 0) cells.null();
    else cells.integer(static_cast<std::int64_t>(rare == 2 ? 10000 : 10 * (1 + random.below(30))));
    cells.boolean(random.below(5) != 0);
    const std::int64_t created = world.from + static_cast<std::int64_t>(random.below(100 * day));
    cells.timestamp(created);
    cells.timestamp(created + static_cast<std::int64_t>(random.below(30 * day)));
}

std::uint64_t rule_rows(const World& world) { return world.rows; }

TableInfo rule_columns() {
    using enum TypeKind;
    TableInfo info{{"", "order_rules"}, {}, {0}};
    info.columns = {column("id", uuid), column("trader_id", uuid), column("position_token", text), column("rule_type", text),
                    money("trigger_price", 20, 8), money("amount", 20, 8), column("created_at", timestamp), column("triggered_at", timestamp, true)};
    return info;
}

void fill_rule(const World& world, std::uint64_t row, Cells& cells) {
    Random random = world.random(Stream::rule, row);
    const std::uint64_t rare = random.below(5000);
    const std::size_t coin = coin_zipf.pick(random);
    const bool stop = random.below(2) == 0;
    const double price = coins()[coin].price;
    const std::int64_t created = world.transactions.at(row, random.next());
    cells.uuid(world.id(Stream::holding_id, row));
    cells.uuid(world.id(Stream::user_id, world.user_zipf.pick(random)));
    ShortText mint;
    add_address(mint, chains()[3], coin);
    cells.text(mint.view());
    cells.text(stop ? "stop_loss" : "take_profit");
    cells.decimal(rare == 0 ? decimal_limit(20) : 1 + decimal_units(price * (stop ? 0.9 : 1.2), 8, 6));
    cells.decimal(rare == 1 ? 1 : 1 + decimal_units(random.log_normal(300, 2) / price, 8, 5));
    cells.timestamp(created);
    if (random.below(3) != 0) cells.null();
    else cells.timestamp(created + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(world.until - created) + 1)));
}

// A probe every 30 seconds.
std::uint64_t health_rows(const World& world) { return world.rows / 10; }

TableInfo health_columns() {
    using enum TypeKind;
    TableInfo info{{"", "node_health"}, {}, {0}};
    info.columns = {column("timestamp", timestamp), column("latency_ms", int32), money("error_rate", 5, 4, true),
                    column("circuit_breaker_status", text, true), column("last_failure", timestamp, true)};
    return info;
}

void fill_health(const World& world, std::uint64_t row, Cells& cells) {
    Random random = world.random(Stream::health, row);
    const std::int64_t time = world.until - static_cast<std::int64_t>(health_rows(world) - row) * 30 * second;
    const bool bad = random.below(60) == 0;
    cells.timestamp(time);
    cells.integer(random.below(5000) == 0 ? INT32_MAX : static_cast<std::int64_t>(random.log_normal(bad ? 900 : 45, 0.7)));
    if (random.below(30) == 0) cells.null();
    else cells.decimal(static_cast<Int128>(bad ? random.below(10001) : random.below(40)));
    if (random.below(30) == 0) cells.null();
    else cells.text(!bad ? "closed" : random.below(2) == 0 ? "open" : "half_open");
    if (random.below(4) == 0) cells.null();
    else cells.timestamp(time - static_cast<std::int64_t>(random.below(6 * hour)));
}

constexpr TableMaker tables[] = {
    {"solana", "main", "trader_config", trader_columns, trader_rows, fill_trader},
    {"solana", "main", "order_rules", rule_columns, rule_rows, fill_rule},
    {"solana", "main", "node_health", health_columns, health_rows, fill_health},
};

}  // namespace

std::span<const TableMaker> trading_tables() { return tables; }

}  // namespace ysdb::generate
