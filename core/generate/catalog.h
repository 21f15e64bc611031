// The fixed cast of the generated world: chains, coins, protocols, and words in many scripts. The same for every seed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace ysdb::generate {

struct Chain {
    std::string_view name;
    std::uint32_t block_millis;      // time between blocks
    std::uint64_t genesis_seconds;   // block number 0, near enough
    bool base58;                     // Solana's addresses and signatures; otherwise 0x and 20 / 32 bytes
    double gas_price;                // typical, in the smallest unit
};
inline constexpr std::size_t chain_count = 8;
std::span<const Chain, chain_count> chains();

struct Coin {
    std::string_view symbol;         // also the market's name of it (asset_id)
    std::string_view name;
    std::string_view type;           // asset_type
    std::uint8_t chain;              // index into chains()
    std::uint8_t decimals;
    double price;                    // USD, where its random walk starts
    double supply;
    std::uint16_t quiet_seconds;     // its price moves at most this often
    bool pegged;                     // to the dollar
};
// The first are the best known: Zipf draws take them most.
inline constexpr std::size_t coin_count = 40;
std::span<const Coin, coin_count> coins();

struct Protocol {
    std::string_view slug;
    std::string_view name;
    std::string_view category;       // protocol_category
    std::string_view risk;           // risk_level
    std::string_view strategy;       // as in yield_history
    double tvl;                      // USD
    std::uint8_t first_chain;        // deployed on `chain_count` chains from this one on, round the list
    std::uint8_t chain_count;
};
std::span<const Protocol> protocols();

// Words that break naive code: emoji and their joiners, right-to-left, combining marks, quotes, newlines, an empty string.
std::span<const std::string_view> phrases();
std::span<const std::string_view> given_names();

// Where market prices come from.
struct PriceSource {
    std::string_view name;
    bool has_book;
    bool on_chain;
    bool knows_supply;
};
std::span<const PriceSource> price_sources();

// Liquidity pools and yield opportunities: pairs of protocol and coins.
struct Pool {
    std::uint8_t protocol;           // index into protocols()
    std::uint8_t coin0, coin1;       // indexes into coins()
    std::uint16_t fee_bps;
};
inline constexpr std::size_t pool_count = 48;
std::span<const Pool, pool_count> pools();

}  // namespace ysdb::generate
