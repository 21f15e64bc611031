// The generated world: who is in it, what things cost, and how each table's row is made. A row is a pure function of (World, row number).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/generate/catalog.h"
#include "core/generate/cells.h"
#include "core/generate/random.h"
#include "core/generate/timeline.h"

namespace ysdb::generate {

// One stream of random numbers a purpose, so that adding a table never changes another's rows. The numbers are part of the promise
// "same seed, same rows": append, never renumber.
enum class Stream : std::uint64_t {
    user_id = 1, protocol_id, asset_id, holding_id, user, asset, holding, transaction, transaction_event, transaction_hash, snapshot,
    price, walk, liquidity, tvl, event, event_block, yield, sentiment, trader, rule, health,
};

inline constexpr std::uint64_t block_rows = 8;

struct World {
    World(std::uint64_t seed, std::uint64_t rows, std::int64_t until, std::vector<Uuid> listed_assets);

    std::uint64_t seed;
    std::uint64_t rows;              // transactions; the other tables follow in proportion
    std::int64_t until;              // nothing happens later, microseconds UTC
    std::int64_t from;               // the oldest transaction
    std::uint64_t users;
    std::uint64_t made_assets;       // generated ones; the listed follow them
    std::vector<Uuid> asset_ids;     // generated, then from token lists
    Zipf user_zipf;
    Zipf asset_zipf;
    Spread transactions;
    Spread blocks;                   // of block_rows events each

    Random random(Stream stream, std::uint64_t row) const { return {seed, static_cast<std::uint64_t>(stream), row}; }
    Uuid id(Stream stream, std::uint64_t row) const;
};

// Ids that do not depend on the seed, so that protocols and assets can be shared between runs.
Uuid fixed_id(Stream stream, std::uint64_t number);

// USD for one coin at a moment: a random walk (4 % a day) by noise of many wavelengths, reproducible at any time without its past.
// `finest` is the shortest wavelength taken, as a power of two of seconds.
double market_price(const World& world, std::size_t coin, std::int64_t micros, int finest);

// value x 10^scale as an integer, rounded to `significant` decimal digits. 0 <= value x 10^scale < 10^36.
Int128 decimal_units(double value, int scale, int significant);
// 10^digits - 1: the largest value of a decimal with that many digits.
Int128 decimal_limit(int digits);

void add_address(ShortText& text, const Chain& chain, std::uint64_t number);
std::string_view any_phrase(Random& random);

}  // namespace ysdb::generate
