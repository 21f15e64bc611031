#include "core/generate/world.h"

#include <algorithm>

namespace ysdb::generate {

namespace {

constexpr std::uint64_t made_asset_count = 200;
constexpr std::int64_t history = 180 * day;

constexpr std::array<double, 40> make_powers() {
    std::array<double, 40> powers{};
    double power = 1;
    for (double& p : powers) {
        p = power;
        power *= 10;
    }
    return powers;
}
constexpr std::array<double, 40> powers = make_powers();

constexpr std::array<Int128, 39> make_integer_powers() {
    std::array<Int128, 39> powers{};
    for (std::size_t i = 0; i < powers.size(); ++i) powers[i] = i == 0 ? 1 : powers[i - 1] * 10;
    return powers;
}
constexpr std::array<Int128, 39> integer_powers = make_integer_powers();

std::vector<Uuid> all_asset_ids(std::vector<Uuid> listed) {
    std::vector<Uuid> ids;
    ids.reserve(made_asset_count + listed.size());
    for (std::uint64_t n = 0; n < made_asset_count; ++n) ids.push_back(fixed_id(Stream::asset_id, n));
    ids.insert(ids.end(), listed.begin(), listed.end());
    return ids;
}

// Version 4 in form; the bits come from the counter.
Uuid as_uuid(std::uint64_t high, std::uint64_t low) {
    Uuid id;
    std::memcpy(id.data(), &high, 8);
    std::memcpy(id.data() + 8, &low, 8);
    id[6] = static_cast<std::uint8_t>((id[6] & 0x0f) | 0x40);
    id[8] = static_cast<std::uint8_t>((id[8] & 0x3f) | 0x80);
    return id;
}

}  // namespace

World::World(std::uint64_t seed_, std::uint64_t rows_, std::int64_t until_, std::vector<Uuid> listed_assets)
    : seed(seed_), rows(rows_), until(until_), from(until_ - history), users(std::clamp<std::uint64_t>(rows_ / 50, 25, 10'000'000)),
      made_assets(made_asset_count), asset_ids(all_asset_ids(std::move(listed_assets))), user_zipf(users), asset_zipf(asset_ids.size()),
      transactions(from, until, rows), blocks(from, until, rows / 2 / block_rows) {}

Uuid World::id(Stream stream, std::uint64_t row) const {
    Random draw = random(stream, row);
    const std::uint64_t high = draw.next();
    return as_uuid(high, draw.next());
}

Uuid fixed_id(Stream stream, std::uint64_t number) {
    const std::uint64_t high = mix(static_cast<std::uint64_t>(stream), number);
    return as_uuid(high, mix(high));
}

double market_price(const World& world, std::size_t coin, std::int64_t micros, int finest) {
    const Coin& c = coins()[coin];
    // A peg holds to a tenth of a percent or so.
    const double scale = c.pegged ? 0.0000007 : 0.000137;
    const std::int64_t seconds = micros / second / c.quiet_seconds * c.quiet_seconds;
    const std::uint64_t base = mix(world.seed ^ static_cast<std::uint64_t>(Stream::walk) << 32, coin);
    double exponent = 0;
    for (int k = finest; k < 24; ++k) {
        const std::uint64_t wave = mix(base, static_cast<std::uint64_t>(k));
        const auto at = static_cast<std::uint64_t>(seconds) >> k;
        const double left = Random::bell(mix(wave + at));
        const double right = Random::bell(mix(wave + at + 1));
        const double between = static_cast<double>(static_cast<std::uint64_t>(seconds) & ((std::uint64_t{1} << k) - 1)) / static_cast<double>(std::uint64_t{1} << k);
        const double amplitude = static_cast<double>(std::uint64_t{1} << (k / 2)) * ((k & 1) != 0 ? 1.4142135623730951 : 1.0);
        exponent += amplitude * (left + (right - left) * between);
    }
    return c.price * exp2_portable(scale * exponent);
}

Int128 decimal_units(double value, int scale, int significant) {
    const double scaled = value * powers[static_cast<std::size_t>(scale)];
    const auto digits = static_cast<int>(std::upper_bound(powers.begin(), powers.end(), scaled) - powers.begin());
    const int dropped = std::max(0, digits - significant);
    const auto kept = static_cast<std::int64_t>(scaled / powers[static_cast<std::size_t>(dropped)] + 0.5);
    return kept * integer_powers[static_cast<std::size_t>(dropped)];
}

Int128 decimal_limit(int digits) { return integer_powers[static_cast<std::size_t>(digits)] - 1; }

void add_address(ShortText& text, const Chain& chain, std::uint64_t number) {
    if (chain.base58) {
        static constexpr char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
        char out[44];
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < sizeof out; ++i) {
            if (i % 10 == 0) bits = mix(number + i);
            out[i] = alphabet[bits % 58];
            bits /= 58;
        }
        text.add(std::string_view(out, sizeof out));
        return;
    }
    text.add("0x").add_hex(mix(number), 16).add_hex(mix(number + 1), 16).add_hex(mix(number + 2), 8);
}

std::string_view any_phrase(Random& random) { return phrases()[random.below(phrases().size())]; }

}  // namespace ysdb::generate
