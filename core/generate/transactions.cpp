#include "core/generate/tables.h"

namespace ysdb::generate {

namespace {

constexpr std::string_view types[] = {"swap",   "deposit", "withdrawal", "claim",            "transfer", "stake",       "add_liquidity",
                                      "borrow", "repay",   "unstake",    "remove_liquidity", "bridge",   "liquidation", "fee"};
constexpr std::size_t transfer_type = 4;
constexpr Zipf type_zipf(std::size(types));
constexpr Zipf chain_zipf(chain_count);

TableInfo transaction_columns() {
    using enum TypeKind;
    TableInfo info{{"", "transaction_history"}, {}, {0, 10}};
    info.columns = {column("id", int64), column("user_id", uuid), column("protocol_id", uuid, true), column("asset_id", uuid),
                    column("type", enumeration), column("status", text), column("chain", text), column("transaction_hash", bytes),
                    column("log_index", int32), column("block_number", int64), column("block_timestamp", timestamptz),
                    money("amount", 36, 18), money("price_usd", 36, 18, true), money("value_usd", 24, 8, true),
                    column("gas_used", int64, true), money("gas_price", 30, 0, true), column("counterparty", text, true),
                    column("note", text, true), column("metadata", json), column("created_at", timestamptz)};
    return info;
}

// One amount in 4,000 is a limit of the column.
Int128 amount_of(Random& random, double price) {
    const std::uint64_t kind = random.below(4000);
    if (kind == 0) return decimal_limit(36);
    if (kind == 1) return 1;
    if (kind == 2) return 0;
    const double dollars = random.log_normal(250, 3.2);
    const double coins = dollars / price;
    // People type round numbers; contracts leave all eighteen digits.
    if (kind < 1200) return decimal_units(coins, 18, 2);
    const Int128 units = decimal_units(coins, 18, kind < 2400 ? 6 : 15);
    return kind < 2400 ? units : units + static_cast<Int128>(random.below(1000));
}

void add_metadata(Cells& cells, Random& random) {
    ShortText json;
    switch (random.below(6)) {
        case 0:
            json.add(R"({"slippage_bps": )").add(random.below(300)).add(R"(, "route": [")");
            json.add(pools()[random.below(pools().size())].protocol % 2 == 0 ? "direct" : "via WETH").add(R"("]})");
            break;
        case 1: json.add(R"({"mev_protected": true, "relay": "flashbots", "nonce": )").add(random.below(100000)).add("}"); break;
        case 2: json.add(R"({"label": "Łódź ☕", "nested": {"depth": [1, 2, {"deep": null}]}, "ratio": 0.)").add(1 + random.below(9)).add("}"); break;
        default: json.add("{}");
    }
    cells.text(json.view());
}

// Every tenth row is the second event of the transaction before it: same user, hash and moment, next log index.
void fill_transaction(const World& world, std::uint64_t row, Cells& cells) {
    const bool second_event = row % 10 == 9;
    const std::uint64_t first = second_event ? row - 1 : row;
    Random shared = world.random(Stream::transaction, first);
    Random random = world.random(Stream::transaction_event, row);

    const std::int64_t time = world.transactions.at(first, shared.next());
    const Uuid user = world.id(Stream::user_id, world.user_zipf.pick(shared));
    const Chain& chain = chains()[chain_zipf.pick(shared)];
    const std::uint64_t asset = world.asset_zipf.pick(random);
    const std::size_t type = type_zipf.pick(random);
    const std::uint64_t rare = random.below(20000);

    cells.integer(static_cast<std::int64_t>(row) + 1);
    cells.uuid(user);
    if (type == transfer_type || random.below(25) == 0) cells.null();
    else cells.uuid(fixed_id(Stream::protocol_id, random.below(protocols().size())));
    cells.uuid(world.asset_ids[asset]);
    cells.text(types[type]);
    const std::uint64_t state = shared.below(100);
    cells.text(state < 96 ? "confirmed" : state < 98 ? "failed" : state < 99 ? "reverted" : "pending");
    cells.text(chain.name);
    const std::uint64_t hash = mix(world.seed ^ static_cast<std::uint64_t>(Stream::transaction_hash) << 32, first);
    const std::size_t hash_size = chain.base58 ? 64 : 32;
    std::uint8_t* to = cells.bytes(hash_size);
    for (std::size_t i = 0; i < hash_size / 8; ++i) {
        const std::uint64_t part = i == 0 ? hash : mix(hash + i);
        std::memcpy(to + 8 * i, &part, 8);
    }
    cells.integer(rare == 0 ? INT32_MAX - static_cast<int>(second_event) : static_cast<std::int64_t>(shared.below(400)) + second_event);
    const std::int64_t since_genesis = time / 1000 - static_cast<std::int64_t>(chain.genesis_seconds) * 1000;
    cells.integer(rare == 1 ? INT64_MAX : since_genesis / chain.block_millis);
    cells.timestamp(time);

    const double price = asset < coins().size() ? market_price(world, asset, time, 12) : random.log_normal(0.5, 4);
    const Int128 amount = amount_of(random, price);
    cells.decimal(amount);
    if (random.below(50) == 0) {  // no price was known
        cells.null();
        cells.null();
    } else if (rare == 2) {
        cells.decimal(decimal_limit(36));
        cells.decimal(decimal_limit(24));
    } else {
        const Int128 price_units = decimal_units(price, 18, 9);
        cells.decimal(price_units);
        const double value = static_cast<double>(amount) * 1e-18 * price;
        cells.decimal(value < 1e15 ? decimal_units(value, 8, 15) : decimal_limit(24));
    }
    if (state == 99) {  // pending: not in a block yet
        cells.null();
        cells.null();
    } else {
        cells.integer(rare == 3 ? INT64_MAX : static_cast<std::int64_t>(21000 + random.below(400000)));
        cells.decimal(rare == 4 ? decimal_limit(30) : decimal_units(random.log_normal(chain.gas_price, 0.8), 0, 6));
    }
    if (random.below(5) == 0) {
        cells.null();
    } else {
        ShortText address;
        add_address(address, chain, random.next());
        cells.text(address.view());
    }
    if (random.below(30) == 0) cells.text(any_phrase(random));
    else cells.null();
    add_metadata(cells, random);
    cells.timestamp(time + static_cast<std::int64_t>(random.below(30 * second)));
}

std::uint64_t transaction_rows(const World& world) { return world.rows; }

constexpr TableMaker tables[] = {
    {"yieldsensei", "main", "transaction_history", transaction_columns, transaction_rows, fill_transaction},
};

}  // namespace

std::span<const TableMaker> transaction_tables() { return tables; }

}  // namespace ysdb::generate
