#include "core/generate/generate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/generate/catalog.h"
#include "core/generate/random.h"
#include "core/generate/timeline.h"

using namespace ysdb;

namespace {

constexpr std::int64_t end_of_time = 1795248000000000;  // 2026-11-21 00:00 UTC

GenerateOptions options(std::uint64_t rows = 20000, std::uint64_t seed = 1) {
    GenerateOptions chosen;
    chosen.seed = seed;
    chosen.rows = rows;
    chosen.until = end_of_time;
    return chosen;
}

std::size_t table_index(const Generator& generator, const std::string& name) {
    for (std::size_t i = 0; i < generator.tables().size(); ++i) {
        if (generator.tables()[i].info.ref.table == name) return i;
    }
    FAIL("no such table: " << name);
    return 0;
}

Batch all_rows(const Generator& generator, const std::string& name) {
    const std::size_t index = table_index(generator, name);
    Batch batch(&generator.tables()[index].info);
    generator.fill(index, 0, generator.tables()[index].rows, batch);
    return batch;
}

std::size_t column_index(const Batch& batch, const std::string& name) {
    const auto& columns = batch.table().columns;
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const ColumnInfo& c) { return c.name == name; });
    REQUIRE(found != columns.end());
    return static_cast<std::size_t>(found - columns.begin());
}

template <class Value>
Value value_of(const Batch& batch, std::size_t row, std::size_t column) {
    Value value;
    REQUIRE(batch.cell(row, column).size == sizeof value);
    std::memcpy(&value, batch.value(row, column).data(), sizeof value);
    return value;
}

std::string digest(const Batch& batch) {
    std::string bytes;
    for (const Cell& cell : batch.cells()) {
        bytes.append(reinterpret_cast<const char*>(&cell.size), sizeof cell.size);
        if (!cell.is_null()) bytes.append(reinterpret_cast<const char*>(batch.data() + cell.offset), cell.size);
    }
    return sha256_hex(bytes).substr(0, 16);
}

Int128 nines(int digits) {
    Int128 value = 1;
    while (digits-- > 0) value *= 10;
    return value - 1;
}

}  // namespace

TEST_CASE("a seed makes the same rows on every machine and in every version") {
    const Generator yield("yieldsensei", options(2000));
    const Generator solana("solana", options(2000));
    std::string digests;
    for (const Generator* generator : {&yield, &solana}) {
        for (const GeneratedTable& table : generator->tables()) digests += table.info.ref.table + " " + digest(all_rows(*generator, table.info.ref.table)) + "\n";
    }
    CHECK(digests == R"(users c8a34821c0a37d4c
protocols 48bcd032db99a00a
assets d1acd60cb72f7f97
portfolio_holdings ee260e3474998869
portfolio_snapshots fa7eca809f4baf22
transaction_history d4635eab266d4961
price_data_raw 640c039f3c24c2be
liquidity_pools 8d360d0ca998df4c
protocol_tvl_history 6cb936f8b5851cea
yield_history 6148cdbe2e2be0f5
market_sentiment 9a67d9f8f09a9567
transaction_events 9e589375f0bec3ab
trader_config 6c809569ca5a1323
order_rules d6e7ce3d85ea3547
node_health c365fc9e14ea06b5
)");
}

TEST_CASE("rows do not depend on how the work is cut or on the number of threads") {
    const Generator generator("yieldsensei", options(5000));
    for (const GeneratedTable& table : generator.tables()) {
        const std::size_t index = table_index(generator, table.info.ref.table);
        std::vector<Batch> parts;
        for (std::size_t i = 0; i < (table.rows + 136) / 137; ++i) parts.emplace_back(&table.info);
        std::vector<std::jthread> threads;
        for (std::size_t worker = 0; worker < 4; ++worker) {
            threads.emplace_back([&, worker] {
                for (std::size_t part = worker; part < parts.size(); part += 4) {
                    generator.fill(index, part * 137, std::min<std::uint64_t>(137, table.rows - part * 137), parts[part]);
                }
            });
        }
        threads.clear();
        Batch joined(&table.info);
        for (const Batch& part : parts) {
            for (std::size_t i = 0; i < part.cells().size(); ++i) {
                const Cell& cell = part.cells()[i];
                if (cell.is_null()) joined.add_null();
                else std::memcpy(joined.grow(cell.size), part.data() + cell.offset, cell.size);
            }
        }
        CHECK_MESSAGE(digest(joined) == digest(all_rows(generator, table.info.ref.table)), table.info.ref.table);
    }
}

TEST_CASE("another seed makes other rows of the same shape") {
    const Generator one("yieldsensei", options(2000, 1));
    const Generator two("yieldsensei", options(2000, 2));
    for (const char* table : {"users", "transaction_history", "price_data_raw", "transaction_events"}) {
        CHECK(digest(all_rows(one, table)) != digest(all_rows(two, table)));
        CHECK(all_rows(one, table).rows() == all_rows(two, table).rows());
    }
    CHECK_THROWS_WITH_AS(Generator("yieldsense", options()), doctest::Contains("yieldsensei"), Error);
}

TEST_CASE("few users do most of the transactions, as Zipf's law says") {
    const Generator generator("yieldsensei", options(50000));
    const Batch batch = all_rows(generator, "transaction_history");
    std::map<std::string_view, int> transactions;
    for (std::size_t row = 0; row < batch.rows(); ++row) ++transactions[batch.text(row, 1)];
    std::vector<int> counts;
    for (const auto& [user, count] : transactions) counts.push_back(count);
    std::sort(counts.rbegin(), counts.rend());
    // 1,000 users: the first takes log 2 / log 1001 of all, the first hundred log 101 / log 1001.
    CHECK(counts[0] / 50000.0 == doctest::Approx(0.1003).epsilon(0.1));
    int hundred = 0;
    for (std::size_t i = 0; i < 100; ++i) hundred += counts[i];
    CHECK(hundred / 50000.0 == doctest::Approx(0.668).epsilon(0.05));
    CHECK(counts.size() > 900);
}

TEST_CASE("transactions fall in order, on both sides of every month's border, and none after the end") {
    const Generator generator("yieldsensei", options(20000));
    const Batch batch = all_rows(generator, "transaction_history");
    const std::size_t column = column_index(batch, "block_timestamp");
    std::vector<std::int64_t> times;
    for (std::size_t row = 0; row < batch.rows(); ++row) times.push_back(value_of<std::int64_t>(batch, row, column));
    CHECK(std::is_sorted(times.begin(), times.end()));
    CHECK(times.back() < end_of_time);
    const auto starts = generate::month_starts(times.front(), times.back());
    REQUIRE(starts.size() >= 5);
    int exact = 0, just_before = 0;
    for (const std::int64_t start : starts) {
        exact += std::binary_search(times.begin(), times.end(), start);
        just_before += std::binary_search(times.begin(), times.end(), start - 1);
    }
    // A border may fall on the second event of a transaction, which shares its transaction's moment.
    CHECK(exact >= static_cast<int>(starts.size()) - 2);
    CHECK(just_before >= static_cast<int>(starts.size()) - 2);
}

TEST_CASE("snapshots fall on the last and first days of quarters") {
    const Generator generator("yieldsensei", options(2000));
    const Batch batch = all_rows(generator, "portfolio_snapshots");
    std::set<std::pair<int, int>> days;
    for (std::size_t row = 0; row < batch.rows(); ++row) {
        const auto date = generate::civil_from_days(value_of<std::int32_t>(batch, row, 2));
        days.insert({date.month, date.day});
    }
    CHECK(days == std::set<std::pair<int, int>>{{1, 1}, {3, 31}, {4, 1}, {6, 30}, {7, 1}, {9, 30}, {10, 1}, {12, 31}});
}

TEST_CASE("the limits of the columns, NULLs and hard text all occur") {
    const Generator generator("yieldsensei", options(100000));
    const Batch batch = all_rows(generator, "transaction_history");
    const std::size_t amount = column_index(batch, "amount");
    std::set<Int128> amounts;
    std::map<std::string, std::size_t> nulls;
    std::set<std::string_view> notes;
    for (std::size_t row = 0; row < batch.rows(); ++row) {
        amounts.insert(value_of<Int128>(batch, row, amount));
        for (std::size_t column = 0; column < batch.columns(); ++column) {
            if (batch.cell(row, column).is_null()) ++nulls[batch.table().columns[column].name];
        }
        const std::size_t note = column_index(batch, "note");
        if (!batch.cell(row, note).is_null()) notes.insert(batch.text(row, note));
    }
    CHECK(*amounts.begin() == 0);
    CHECK(amounts.count(1) == 1);
    CHECK(*amounts.rbegin() == nines(36));
    for (const ColumnInfo& column : batch.table().columns) CHECK_MESSAGE((nulls[column.name] > 0) == column.type.nullable, column.name);
    CHECK(notes.size() == generate::phrases().size());
    CHECK(std::any_of(notes.begin(), notes.end(), [](std::string_view note) { return note.empty(); }));
    CHECK(std::all_of(notes.begin(), notes.end(), [](std::string_view note) { return valid_utf8(note); }));
}

TEST_CASE("keys are unique and every reference has its row") {
    const Generator generator("yieldsensei", options(20000));
    const auto ids = [&](const char* table) {
        const Batch batch = all_rows(generator, table);
        std::set<std::string> all;
        for (std::size_t row = 0; row < batch.rows(); ++row) all.emplace(batch.text(row, 0));
        CHECK(all.size() == batch.rows());
        return all;
    };
    const auto users = ids("users"), protocols = ids("protocols"), assets = ids("assets");
    ids("portfolio_holdings");
    const auto check_references = [&](const char* table, int user, int protocol, int asset, std::vector<std::size_t> key) {
        const Batch batch = all_rows(generator, table);
        std::set<std::vector<std::string>> keys;
        std::size_t dangling = 0;
        for (std::size_t row = 0; row < batch.rows(); ++row) {
            const auto text = [&](int column) { return std::string(batch.text(row, static_cast<std::size_t>(column))); };
            dangling += users.count(text(user)) == 0;
            if (protocol >= 0 && !batch.cell(row, static_cast<std::size_t>(protocol)).is_null()) dangling += protocols.count(text(protocol)) == 0;
            if (asset >= 0) dangling += assets.count(text(asset)) == 0;
            std::vector<std::string> parts;
            for (const std::size_t column : key) parts.emplace_back(batch.text(row, column));
            keys.insert(std::move(parts));
        }
        CHECK_MESSAGE(dangling == 0, table);
        CHECK_MESSAGE(keys.size() == batch.rows(), table);
    };
    check_references("portfolio_holdings", 1, 3, 2, {1, 2});
    check_references("transaction_history", 1, 2, 3, {7, 8, 10});
    check_references("portfolio_snapshots", 1, -1, -1, {1, 2});
}

TEST_CASE("listed assets take part in transactions") {
    GenerateOptions with_list = options(20000);
    with_list.listed_assets.assign(500, AssetId{});
    for (std::size_t i = 0; i < 500; ++i) with_list.listed_assets[i][0] = static_cast<std::uint8_t>(1 + i % 255);
    const Generator generator("yieldsensei", with_list);
    const Batch batch = all_rows(generator, "transaction_history");
    std::size_t listed = 0;
    for (std::size_t row = 0; row < batch.rows(); ++row) listed += batch.text(row, 3).substr(1) == std::string(15, '\0');
    CHECK(listed > 2000);
    CHECK(listed < 6000);
}

TEST_CASE("market prices walk: small steps, six significant digits, a peg that holds") {
    const Generator generator("yieldsensei", options(240000));
    const Batch batch = all_rows(generator, "price_data_raw");
    std::map<std::string, std::vector<std::pair<std::int64_t, std::int64_t>>> walks;
    for (std::size_t row = 0; row < batch.rows(); ++row) {
        if (batch.text(row, 3) != "binance") continue;
        walks[std::string(batch.text(row, 1))].emplace_back(value_of<std::int64_t>(batch, row, 0), static_cast<std::int64_t>(value_of<Int128>(batch, row, 4)));
    }
    CHECK(walks.size() == generate::coins().size());
    for (const auto& [time, price] : walks["USDC"]) CHECK(std::abs(static_cast<double>(price) - 1e10) < 2e8);
    double largest = 0, lowest = 1e300, highest = 0;
    const auto& ether = walks["ETH"];
    for (std::size_t i = 1; i < ether.size(); ++i) {
        const double before = static_cast<double>(ether[i - 1].second), now = static_cast<double>(ether[i].second);
        if (ether[i].first - ether[i - 1].first <= 2 * generate::minute) largest = std::max(largest, std::abs(now / before - 1));
        lowest = std::min(lowest, now);
        highest = std::max(highest, now);
        CHECK(ether[i].second % 10000000 == 0);  // 3,200.12: ten decimals, the last seven not used
    }
    CHECK(largest > 0.0001);
    CHECK(largest < 0.02);
    CHECK(highest / lowest > 1.1);
}

TEST_CASE("portable powers and logarithms are right") {
    CHECK(generate::exp2_portable(0) == 1.0);
    CHECK(generate::exp2_portable(10) == 1024.0);
    CHECK(generate::exp2_portable(0.5) == doctest::Approx(1.4142135623731).epsilon(1e-10));
    CHECK(generate::exp2_portable(-3.25) == doctest::Approx(0.10511205190671).epsilon(1e-10));
    CHECK(generate::log2_portable(1000) == doctest::Approx(9.9657842846621).epsilon(1e-10));
    static_assert(generate::log2_portable(8) == 3.0);
}
