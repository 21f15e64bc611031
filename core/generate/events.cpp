#include "core/generate/tables.h"

namespace ysdb::generate {

namespace {

// block_rows events make a block. Some blocks hold a sandwich (rows 2, 3, 4), some an arbitrage (rows 5 and 6 are one transaction).
enum class Pattern { none, sandwich, arbitrage };

std::uint64_t event_rows(const World& world) { return world.blocks.rows() * block_rows; }

TableInfo event_columns() {
    using enum TypeKind;
    TableInfo info{{"", "transaction_events"}, {}, {}};
    info.columns = {column("timestamp", timestamptz), column("chain", text), column("block_number", uint64), column("transaction_index", uint32),
                    column("log_index", uint32), column("transaction_hash", text), column("event_type", text), column("protocol_id", text),
                    column("pool_id", text), column("sender", text), column("token_in", text), column("token_out", text),
                    money("amount_in", 38, 18), money("amount_out", 38, 18), money("value_usd", 18, 2, true), column("gas_used", uint64),
                    column("gas_price", uint64)};
    return info;
}

constexpr std::string_view types[] = {"swap", "transfer", "mint", "burn", "deposit", "withdraw", "borrow", "repay", "liquidation"};
constexpr Zipf type_zipf(std::size(types));
constexpr Zipf pool_zipf(pool_count);

// What one event is about, before it is written.
struct Event {
    const Pool* pool = nullptr;
    std::string_view type = "swap";
    std::uint64_t hash = 0;
    std::uint64_t sender = 0;
    std::uint32_t log_index = 0;
    bool reversed = false;           // token1 in, token0 out
    double dollars = 0;
    double gain = 0.997;             // what comes out against what went in
};

Event plain_event(const World& world, std::uint64_t row, Random& random) {
    Event event;
    event.pool = &pools()[pool_zipf.pick(random)];
    event.type = types[type_zipf.pick(random)];
    if (event.type == "swap" && event.pool->coin0 == event.pool->coin1) event.type = "deposit";  // a lending pool
    event.hash = mix(world.seed ^ static_cast<std::uint64_t>(Stream::event) << 32, row);
    event.sender = mix(world.seed, world.user_zipf.pick(random));
    event.log_index = static_cast<std::uint32_t>(random.below(300));
    event.reversed = random.below(2) == 1;
    event.dollars = random.log_normal(900, 2.5);
    return event;
}

void make_sandwich(Event& event, std::uint64_t place, Random block) {
    event.pool = &pools()[block.below(20)];   // a pool of two coins
    event.type = "swap";
    const std::uint64_t attacker = block.next();
    const bool reversed = block.below(2) == 1;
    const double dollars = block.log_normal(20000, 1);
    if (place != 3) event.sender = attacker;
    event.reversed = place == 4 ? !reversed : reversed;
    event.dollars = dollars;
    event.gain = place == 4 ? 1.004 : 0.997;
}

void make_arbitrage(Event& event, std::uint64_t place, const World& world, std::uint64_t row, Random block) {
    static constexpr std::uint8_t twins[] = {0, 26};  // the same two coins on two exchanges
    event.pool = &pools()[twins[place - 5]];
    event.type = "swap";
    event.hash = mix(world.seed ^ static_cast<std::uint64_t>(Stream::event) << 32, row - (place - 5));
    event.sender = block.next();
    event.dollars = block.log_normal(5000, 1);
    event.log_index = static_cast<std::uint32_t>(place);
    event.reversed = place == 5;     // USDC in, then ETH in
    event.gain = place == 5 ? 1.0 : 1.002;
}

void fill_event(const World& world, std::uint64_t row, Cells& cells) {
    const std::uint64_t block_index = row / block_rows;
    const std::uint64_t place = row % block_rows;
    Random block = world.random(Stream::event_block, block_index);
    const std::int64_t time = world.blocks.at(block_index, block.next()) / 1000 * 1000;
    const std::uint64_t kind = block.below(50);
    const Pattern pattern = kind == 0 ? Pattern::sandwich : kind == 1 ? Pattern::arbitrage : Pattern::none;
    Random random = world.random(Stream::event, row);

    Event event = plain_event(world, row, random);
    if (pattern == Pattern::sandwich && place >= 2 && place <= 4) make_sandwich(event, place, block);
    if (pattern == Pattern::arbitrage && (place == 5 || place == 6)) make_arbitrage(event, place, world, row, block);
    // One chain a block; patterns are played where their pools are.
    const Chain& chain = chains()[pattern == Pattern::none ? block_index % chains().size() : 0];
    const Coin& in = coins()[event.reversed ? event.pool->coin1 : event.pool->coin0];
    const Coin& out = coins()[event.reversed ? event.pool->coin0 : event.pool->coin1];
    const std::uint64_t rare = random.below(20000);

    cells.timestamp(time);
    cells.text(chain.name);
    cells.integer((time / 1000 - static_cast<std::int64_t>(chain.genesis_seconds) * 1000) / chain.block_millis);
    cells.integer(static_cast<std::int64_t>(pattern == Pattern::arbitrage && place == 6 ? 15 : place * 3));
    cells.integer(event.log_index);
    ShortText hash;
    if (!chain.base58) hash.add("0x");
    for (std::uint64_t i = 0; i < 4; ++i) hash.add_hex(mix(event.hash + i), 16);
    cells.text(hash.view());
    cells.text(event.type);
    cells.text(protocols()[event.pool->protocol].slug);
    cells.text(ShortText().add(protocols()[event.pool->protocol].slug).add(":").add(coins()[event.pool->coin0].symbol).add("-")
                   .add(coins()[event.pool->coin1].symbol).view());
    ShortText sender;
    add_address(sender, chain, event.sender);
    cells.text(sender.view());
    cells.text(in.symbol);
    cells.text(out.symbol);
    const double coins_in = event.dollars / in.price;
    cells.decimal(rare == 0 ? decimal_limit(38) : rare == 1 ? 1 : decimal_units(coins_in, 18, 9));
    cells.decimal(rare == 1 ? 0 : decimal_units(event.dollars * event.gain / out.price, 18, 9));
    if (random.below(40) == 0) cells.null();
    else cells.decimal(decimal_units(event.dollars, 2, 8));
    cells.integer(static_cast<std::int64_t>(45000 + random.below(300000)));
    cells.integer(static_cast<std::int64_t>(random.log_normal(chain.gas_price, 0.6)));
}

constexpr TableMaker tables[] = {
    {"yieldsensei", "analytics", "transaction_events", event_columns, event_rows, fill_event},
};

}  // namespace

std::span<const TableMaker> event_tables() { return tables; }

}  // namespace ysdb::generate
