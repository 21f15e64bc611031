#include "core/generate/tables.h"

namespace ysdb::generate {

namespace {

constexpr std::string_view risks[] = {"very_low", "low", "medium", "high", "very_high"};
constexpr std::uint64_t snapshot_quarters = 8;

// --- users ----------------------------------------------------------------------------------------------------------------------

TableInfo user_columns() {
    using enum TypeKind;
    TableInfo info{{"", "users"}, {}, {0}};
    info.columns = {column("id", uuid), column("wallet_address", text), column("email", text, true), column("username", text, true),
                    column("display_name", text, true), column("risk_tolerance", enumeration), column("preferences", json),
                    column("is_active", boolean), column("last_login_at", timestamptz, true), column("created_at", timestamptz),
                    column("updated_at", timestamptz)};
    return info;
}

void fill_user(const World& world, std::uint64_t row, Cells& cells) {
    Random random = world.random(Stream::user, row);
    const std::string_view name = given_names()[random.below(given_names().size())];
    cells.uuid(world.id(Stream::user_id, row));
    ShortText wallet;
    add_address(wallet, chains()[random.below(4)], mix(world.seed, row));
    cells.text(wallet.view());
    if (random.below(5) == 0) cells.null();
    else cells.text(ShortText().add(random.below(3) == 0 ? "Person." : "person.").add(row).add("@example.org").view());
    if (random.below(10) == 0) cells.null();
    else cells.text(ShortText().add(name).add("_").add(row).view());
    if (random.below(4) == 0) cells.null();
    else if (random.below(8) == 0) cells.text(any_phrase(random));
    else cells.text(ShortText().add(name).add(" ").add(given_names()[random.below(given_names().size())]).view());
    cells.text(risks[(random.below(5) + random.below(5)) / 2]);
    ShortText preferences;
    if (random.below(3) == 0) preferences.add("{}");
    else {
        preferences.add(R"({"theme": ")").add(random.below(2) == 0 ? "dark" : "light").add(R"(", "currency": "USD", "alerts": {"apy_drop": )");
        preferences.add(random.below(50)).add(R"(}, "chains": [")").add(chains()[random.below(8)].name).add(R"("]})");
    }
    cells.text(preferences.view());
    cells.boolean(random.below(20) != 0);
    // Everybody came before the first transaction.
    const std::int64_t created = world.from - static_cast<std::int64_t>(random.below(500 * day));
    if (random.below(6) == 0) cells.null();
    else cells.timestamp(world.until - static_cast<std::int64_t>(random.below(90 * day)));
    cells.timestamp(created);
    cells.timestamp(created + static_cast<std::int64_t>(random.below(day)));
}

std::uint64_t user_rows(const World& world) { return world.users; }

// --- protocols --------------------------------------------------------------------------------------------------------------------

TableInfo protocol_columns() {
    using enum TypeKind;
    TableInfo info{{"", "protocols"}, {}, {0}};
    ColumnInfo chain_list = column("chains", array);
    chain_list.type.element = std::make_shared<const Type>(column("", text).type);
    info.columns = {column("id", uuid), column("slug", text), column("name", text), column("category", enumeration),
                    column("risk", enumeration), money("security_score", 5, 2, true), chain_list, money("tvl", 24, 2),
                    column("website", text, true), column("description", text, true), column("contracts", json),
                    column("audited_at", date, true), column("created_at", timestamptz), column("updated_at", timestamptz)};
    return info;
}

void add_text_array(Cells& cells, std::span<const std::string_view> items) {
    std::size_t size = 4;
    for (const auto& item : items) size += 4 + item.size();
    std::uint8_t* to = cells.bytes(size);
    const auto put = [&](const void* data, std::size_t count) {
        std::memcpy(to, data, count);
        to += count;
    };
    const auto count = static_cast<std::uint32_t>(items.size());
    put(&count, 4);
    for (const auto& item : items) {
        const auto length = static_cast<std::uint32_t>(item.size());
        put(&length, 4);
        put(item.data(), item.size());
    }
}

void fill_protocol(const World& world, std::uint64_t row, Cells& cells) {
    const Protocol& protocol = protocols()[row];
    Random random = world.random(Stream::protocol_id, row);
    cells.uuid(fixed_id(Stream::protocol_id, row));
    cells.text(protocol.slug);
    cells.text(protocol.name);
    cells.text(protocol.category);
    cells.text(protocol.risk);
    if (row % 9 == 8) cells.null();
    else cells.decimal(static_cast<Int128>(row == 0 ? 10000 : 4000 + random.below(5500)));
    std::array<std::string_view, 8> on;
    for (std::uint8_t i = 0; i < protocol.chain_count; ++i) on[i] = chains()[(protocol.first_chain + i) % chains().size()].name;
    add_text_array(cells, std::span(on).first(protocol.chain_count));
    cells.decimal(decimal_units(protocol.tvl * (0.8 + 0.4 * random.unit()), 2, 14));
    if (row % 11 == 10) cells.null();
    else cells.text(ShortText().add("https://").add(protocol.slug).add(".example.org").view());
    if (row % 7 == 6) cells.null();
    else cells.text(ShortText().add(protocol.name).add(" is a protocol for ").add(protocol.strategy).add(" on ").add(on[0]).add(". ").add(any_phrase(random)).view());
    ShortText contracts;
    contracts.add(R"({")").add(on[0]).add(R"(": ")");
    add_address(contracts, chains()[protocol.first_chain], row);
    cells.text(contracts.add(R"("})").view());
    if (row % 5 == 4) cells.null();
    else cells.date(static_cast<std::int32_t>(world.until / day) - static_cast<std::int32_t>(random.below(900)));
    cells.timestamp(world.from - 900 * day);
    cells.timestamp(world.until - static_cast<std::int64_t>(random.below(day)));
}

std::uint64_t protocol_rows(const World&) { return protocols().size(); }

// --- assets -----------------------------------------------------------------------------------------------------------------------

TableInfo asset_columns() {
    using enum TypeKind;
    TableInfo info{{"", "assets"}, {}, {0}};
    info.columns = {column("id", uuid), column("symbol", text), column("name", text), column("type", enumeration), column("chain", text),
                    column("contract_address", text, true), column("decimals", int16), money("price_usd", 36, 18, true),
                    column("metadata", json), column("created_at", timestamptz), column("updated_at", timestamptz)};
    return info;
}

void fill_asset(const World& world, std::uint64_t row, Cells& cells) {
    Random random = world.random(Stream::asset, row);
    const bool known = row < coins().size();
    const Chain& chain = chains()[known ? coins()[row].chain : random.below(chains().size())];
    const std::string_view type = known ? coins()[row].type : row % 5 == 0 ? "lp_token" : "token";
    cells.uuid(world.asset_ids[row]);
    cells.text(known ? coins()[row].symbol : ShortText().add(row % 13 == 0 ? "🪙" : "TKN").add(row).view());
    cells.text(known ? coins()[row].name : ShortText().add("Token ").add(row).add(" ").add(any_phrase(random)).view());
    cells.text(type);
    cells.text(chain.name);
    if (type == "native") {
        cells.null();
    } else {
        ShortText address;
        add_address(address, chain, mix(static_cast<std::uint64_t>(Stream::asset_id), row));
        cells.text(address.view());
    }
    cells.integer(known ? coins()[row].decimals : row % 50 == 49 ? 255 : static_cast<std::int64_t>(random.below(19)));
    if (known) cells.decimal(decimal_units(market_price(world, row, world.until, 6), 18, 9));
    else if (row % 10 == 9) cells.null();
    else if (row == 60) cells.decimal(decimal_limit(36));
    else cells.decimal(decimal_units(random.log_normal(0.5, 4), 18, 9));
    cells.text(known ? ShortText().add(R"({"supply": )").add(static_cast<std::uint64_t>(coins()[row].supply)).add("}").view() : "{}");
    cells.timestamp(world.from - 900 * day);
    cells.timestamp(world.until);
}

std::uint64_t asset_rows(const World& world) { return world.made_assets; }

// --- portfolio_holdings -----------------------------------------------------------------------------------------------------------

// Five users share twenty holdings: 1, 2, 4, 5 and 8 of them.
constexpr std::uint64_t group_users = 5;
constexpr std::uint64_t group_holdings = 20;
constexpr std::array<std::uint8_t, group_holdings> holder = {0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4};

TableInfo holding_columns() {
    using enum TypeKind;
    TableInfo info{{"", "portfolio_holdings"}, {}, {0}};
    info.columns = {column("id", uuid), column("user_id", uuid), column("asset_id", uuid), column("protocol_id", uuid, true),
                    money("quantity", 36, 18), money("average_cost_usd", 36, 18, true), money("value_usd", 24, 8, true),
                    money("apy", 9, 4, true), column("metadata", json), column("opened_at", timestamptz),
                    column("created_at", timestamptz), column("updated_at", timestamptz)};
    return info;
}

void fill_holding(const World& world, std::uint64_t row, Cells& cells) {
    Random random = world.random(Stream::holding, row);
    const std::uint64_t user = row / group_holdings * group_users + holder[row % group_holdings];
    // Distinct assets for one user: steps of up to 20 from the user's own start never come round in 200.
    const std::uint64_t start = mix(world.seed, user);
    const std::uint64_t asset = (start + row % group_holdings * (1 + (start >> 32) % 9)) % world.made_assets;
    cells.uuid(world.id(Stream::holding_id, row));
    cells.uuid(world.id(Stream::user_id, user));
    cells.uuid(world.asset_ids[asset]);
    const bool at_work = random.below(3) != 0;
    if (at_work) cells.uuid(fixed_id(Stream::protocol_id, random.below(protocols().size())));
    else cells.null();
    const double price = asset < coins().size() ? market_price(world, asset, world.until, 12) : random.log_normal(0.5, 4);
    const double value = random.log_normal(1200, 3);
    const std::uint64_t rare = random.below(5000);
    cells.decimal(rare == 0 ? decimal_limit(36) : rare == 1 ? 1 : rare == 2 ? 0 : decimal_units(value / price, 18, 15));
    if (random.below(8) == 0) cells.null();
    else cells.decimal(decimal_units(price * (0.6 + 0.8 * random.unit()), 18, 9));
    if (random.below(40) == 0) cells.null();
    else cells.decimal(rare == 0 ? decimal_limit(24) : decimal_units(value, 8, 15));
    if (!at_work) cells.null();
    else cells.decimal(rare == 3 ? decimal_limit(9) : rare == 4 ? Int128{-1000000} : decimal_units(random.log_normal(4, 1.2), 4, 6));
    cells.text(random.below(10) == 0 ? R"({"auto_compound": true, "lock_days": 30})" : "{}");
    const std::int64_t opened = world.from + static_cast<std::int64_t>(random.below(170 * day));
    cells.timestamp(opened);
    cells.timestamp(opened);
    cells.timestamp(opened + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(world.until - opened))));
}

std::uint64_t holding_rows(const World& world) { return world.users / group_users * group_holdings; }

// --- portfolio_snapshots ----------------------------------------------------------------------------------------------------------

TableInfo snapshot_columns() {
    using enum TypeKind;
    TableInfo info{{"", "portfolio_snapshots"}, {}, {0, 2}};
    info.columns = {column("id", int64), column("user_id", uuid), column("snapshot_date", date), money("total_value_usd", 24, 8),
                    money("profit_loss_usd", 24, 8, true), money("weighted_apy", 9, 4, true), column("holdings_count", int32),
                    column("risk_score", float32, true), column("asset_allocation", json), column("created_at", timestamptz)};
    return info;
}

// The last day of a quarter, or the first of the next: both sides of the partitions' border. `back` 0 is the newest quarter that ended.
std::int32_t quarter_border(std::int64_t until, std::uint64_t back, bool last_day) {
    const CivilDate today = civil_from_days(static_cast<std::int32_t>(until / day));
    const int quarters = today.year * 4 + (today.month - 1) / 3 - static_cast<int>(back);
    return days_from_civil({quarters / 4, quarters % 4 * 3 + 1, 1}) - (last_day ? 1 : 0);
}

void fill_snapshot(const World& world, std::uint64_t row, Cells& cells) {
    const std::uint64_t user = row / snapshot_quarters;
    const std::uint64_t quarter = row % snapshot_quarters;
    Random random = world.random(Stream::snapshot, row);
    Random owner = world.random(Stream::snapshot, ~user);
    const std::int32_t date = quarter_border(world.until, snapshot_quarters - 1 - quarter, user % 2 == 0);
    const double wealth = owner.log_normal(8000, 3);
    const auto size = static_cast<std::int64_t>(1 + owner.below(8));
    const std::uint64_t rare = random.below(5000);
    const double swing = random.normal();
    cells.integer(static_cast<std::int64_t>(row) + 1);
    cells.uuid(world.id(Stream::user_id, user));
    cells.date(date);
    cells.decimal(rare == 0 ? decimal_limit(24) : rare == 1 ? 0 : decimal_units(wealth * exp2_portable(0.4 * swing), 8, 15));
    if (quarter == 0) cells.null();
    else if (rare == 2) cells.decimal(-decimal_limit(24));
    else cells.decimal(decimal_units(wealth * 0.2 * (swing < 0 ? -swing : swing), 8, 15) * (swing < 0 ? -1 : 1));
    if (random.below(6) == 0) cells.null();
    else cells.decimal(decimal_units(random.log_normal(4, 1), 4, 6));
    cells.integer(rare == 3 ? INT32_MAX : size);
    if (random.below(10) == 0) cells.null();
    else cells.float32(rare == 4 ? 0.0f : static_cast<float>(random.below(10001)) / 100.0f);
    const std::uint64_t share = 10 + random.below(80);
    const std::uint64_t first = owner.below(coins().size());
    const std::uint64_t second = (first + 1 + owner.below(coins().size() - 1)) % coins().size();
    cells.text(ShortText().add(R"({")").add(coins()[first].symbol).add(R"(": )").add(share).add(R"(, ")").add(coins()[second].symbol).add(R"(": )")
                   .add(100 - share).add("}").view());
    cells.timestamp(date * day + static_cast<std::int64_t>(random.below(day)));
}

std::uint64_t snapshot_rows(const World& world) { return world.users * snapshot_quarters; }

constexpr TableMaker tables[] = {
    {"yieldsensei", "main", "users", user_columns, user_rows, fill_user},
    {"yieldsensei", "main", "protocols", protocol_columns, protocol_rows, fill_protocol},
    {"yieldsensei", "main", "assets", asset_columns, asset_rows, fill_asset},
    {"yieldsensei", "main", "portfolio_holdings", holding_columns, holding_rows, fill_holding},
    {"yieldsensei", "main", "portfolio_snapshots", snapshot_columns, snapshot_rows, fill_snapshot},
};

}  // namespace

std::span<const TableMaker> user_tables() { return tables; }

}  // namespace ysdb::generate
