#include "core/generate/catalog.h"

namespace ysdb::generate {

namespace {

constexpr std::array<Chain, chain_count> all_chains{{
    {"ethereum", 12000, 1438269973, false, 2e10},
    {"arbitrum", 250, 1622240000, false, 1e8},
    {"base", 2000, 1686789347, false, 5e7},
    {"solana", 400, 1584368940, true, 5000},
    {"polygon", 2100, 1590824836, false, 4e10},
    {"optimism", 2000, 1636665386, false, 5e7},
    {"bsc", 3000, 1587390414, false, 1e9},
    {"avalanche", 2000, 1600858926, false, 2.5e10},
}};

constexpr std::array<Coin, coin_count> all_coins{{
    {"ETH", "Ether", "native", 0, 18, 3200, 1.2e8, 15, false},
    {"USDC", "USD Coin", "stablecoin", 0, 6, 1, 4.1e10, 300, true},
    {"BTC", "Bitcoin (wrapped)", "wrapped", 0, 8, 97000, 1.9e7, 15, false},
    {"USDT", "Tether USD", "stablecoin", 0, 6, 1, 1.4e11, 300, true},
    {"SOL", "Solana", "native", 3, 9, 190, 4.8e8, 15, false},
    {"stETH", "Lido Staked Ether", "synthetic", 0, 18, 3195, 9.4e6, 30, false},
    {"DAI", "Dai Stablecoin", "stablecoin", 0, 18, 1, 5.3e9, 300, true},
    {"BNB", "BNB", "native", 6, 18, 640, 1.4e8, 15, false},
    {"ARB", "Arbitrum", "governance", 1, 18, 0.82, 4.2e9, 30, false},
    {"UNI", "Uniswap", "governance", 0, 18, 11.4, 6.0e8, 30, false},
    {"AAVE", "Aave", "governance", 0, 18, 285, 1.5e7, 60, false},
    {"LINK", "Chainlink", "token", 0, 18, 21.3, 6.3e8, 30, false},
    {"AVAX", "Avalanche", "native", 7, 18, 38, 4.1e8, 30, false},
    {"POL", "Polygon", "native", 4, 18, 0.46, 8.4e9, 30, false},
    {"OP", "Optimism", "governance", 5, 18, 1.8, 1.3e9, 60, false},
    {"MKR", "Maker", "governance", 0, 18, 1480, 8.8e5, 120, false},
    {"LDO", "Lido DAO", "governance", 0, 18, 1.7, 8.9e8, 60, false},
    {"CRV", "Curve DAO", "governance", 0, 18, 0.71, 1.3e9, 60, false},
    {"JUP", "Jupiter", "governance", 3, 6, 0.93, 1.7e9, 60, false},
    {"PENDLE", "Pendle", "governance", 0, 18, 4.6, 1.6e8, 120, false},
    {"WBTC", "Wrapped Bitcoin", "wrapped", 0, 8, 96950, 1.3e5, 60, false},
    {"PEPE", "Pepe", "token", 0, 18, 0.0000182, 4.2e14, 30, false},
    {"SHIB", "Shiba Inu", "token", 0, 18, 0.0000214, 5.8e14, 60, false},
    {"BONK", "Bonk", "token", 3, 5, 0.0000317, 7.5e13, 60, false},
    {"GMX", "GMX", "governance", 1, 18, 24.1, 1.0e7, 300, false},
    {"SNX", "Synthetix", "governance", 0, 18, 1.9, 3.3e8, 300, false},
    {"COMP", "Compound", "governance", 0, 18, 72, 8.9e6, 300, false},
    {"FRAX", "Frax", "stablecoin", 0, 18, 1, 6.4e8, 600, true},
    {"rETH", "Rocket Pool Ether", "synthetic", 0, 18, 3570, 4.2e5, 300, false},
    {"cbETH", "Coinbase Staked Ether", "synthetic", 2, 18, 3460, 1.2e5, 300, false},
    {"JitoSOL", "Jito Staked SOL", "synthetic", 3, 9, 221, 1.4e7, 120, false},
    {"mSOL", "Marinade Staked SOL", "synthetic", 3, 9, 236, 5.4e6, 300, false},
    {"CAKE", "PancakeSwap", "governance", 6, 18, 2.4, 2.9e8, 120, false},
    {"BAL", "Balancer", "governance", 0, 18, 2.7, 6.2e7, 600, false},
    {"1INCH", "1inch", "governance", 0, 18, 0.39, 1.3e9, 300, false},
    {"SUSHI", "Sushi", "governance", 0, 18, 1.3, 2.7e8, 600, false},
    {"AERO", "Aerodrome", "governance", 2, 18, 1.4, 7.4e8, 120, false},
    {"RAY", "Raydium", "governance", 3, 6, 5.1, 2.9e8, 120, false},
    {"LUSD", "Liquity USD", "stablecoin", 0, 18, 1, 6.8e7, 900, true},
    {"YFI", "yearn.finance", "governance", 0, 18, 8900, 3.3e4, 900, false},
}};

constexpr std::array<Protocol, 36> all_protocols{{
    {"lido", "Lido", "liquid_staking", "low", "staking", 3.2e10, 0, 1},
    {"aave-v3", "Aave V3", "lending", "low", "lending", 2.1e10, 0, 7},
    {"uniswap-v3", "Uniswap V3", "dex", "low", "liquidity", 4.9e9, 0, 8},
    {"eigenlayer", "EigenLayer", "restaking", "medium", "restaking", 1.5e10, 0, 1},
    {"makerdao", "MakerDAO", "cdp", "low", "savings", 5.4e9, 0, 1},
    {"curve-dex", "Curve", "dex", "low", "liquidity", 2.2e9, 0, 6},
    {"pendle", "Pendle", "yield", "medium", "fixed_yield", 4.4e9, 0, 5},
    {"compound-v3", "Compound V3", "lending", "low", "lending", 2.6e9, 0, 5},
    {"jito", "Jito", "liquid_staking", "low", "staking", 2.9e9, 3, 1},
    {"raydium", "Raydium", "dex", "medium", "liquidity", 1.9e9, 3, 1},
    {"gmx-v2", "GMX V2", "derivatives", "medium", "perpetuals", 4.6e8, 1, 2},
    {"pancakeswap-v3", "PancakeSwap V3", "dex", "medium", "liquidity", 6.9e8, 6, 4},
    {"rocket-pool", "Rocket Pool", "liquid_staking", "low", "staking", 3.3e9, 0, 1},
    {"yearn-v3", "Yearn V3", "yield", "medium", "vault", 3.1e8, 0, 4},
    {"convex", "Convex", "yield", "medium", "vault", 1.4e9, 0, 1},
    {"balancer-v2", "Balancer V2", "dex", "medium", "liquidity", 7.8e8, 0, 5},
    {"morpho-blue", "Morpho", "lending", "medium", "lending", 3.6e9, 0, 3},
    {"spark", "Spark", "lending", "low", "lending", 3.9e9, 0, 2},
    {"aerodrome", "Aerodrome", "dex", "medium", "liquidity", 1.2e9, 2, 1},
    {"kamino", "Kamino", "lending", "medium", "lending", 2.0e9, 3, 1},
    {"marinade", "Marinade", "liquid_staking", "low", "staking", 1.6e9, 3, 1},
    {"jupiter-perps", "Jupiter Perps", "derivatives", "medium", "perpetuals", 1.5e9, 3, 1},
    {"stargate", "Stargate", "bridge", "medium", "liquidity", 3.7e8, 0, 8},
    {"across", "Across", "bridge", "medium", "liquidity", 1.3e8, 0, 6},
    {"ethena", "Ethena", "yield", "high", "basis", 5.8e9, 0, 1},
    {"frax-ether", "Frax Ether", "liquid_staking", "medium", "staking", 4.1e8, 0, 1},
    {"venus", "Venus", "lending", "medium", "lending", 1.7e9, 6, 2},
    {"benqi", "BENQI", "lending", "medium", "lending", 3.9e8, 7, 1},
    {"trader-joe", "Trader Joe", "dex", "medium", "liquidity", 1.6e8, 7, 3},
    {"velodrome", "Velodrome", "dex", "medium", "liquidity", 1.4e8, 5, 1},
    {"drift", "Drift", "derivatives", "high", "perpetuals", 8.7e8, 3, 1},
    {"nexus-mutual", "Nexus Mutual", "insurance", "medium", "insurance", 2.4e8, 0, 1},
    {"ondo", "Ondo Finance", "rwa", "low", "rwa", 6.2e8, 0, 3},
    {"beefy", "Beefy", "yield", "high", "vault", 2.3e8, 0, 8},
    {"synthetix-v3", "Synthetix V3", "derivatives", "high", "perpetuals", 9.4e7, 0, 3},
    {"liquity", "Liquity", "cdp", "medium", "savings", 1.1e8, 0, 1},
}};

constexpr std::array<std::string_view, 20> all_phrases{{
    "🚀 to the moon",
    "👩‍👩‍👧‍👦 family wallet",
    "مدفوعات شهر يناير",
    "תשלום עבור 3 NFT",
    "e\u0301te\u0301 d\u0323\u0307eux marques",
    "日本の税金用メモ",
    "Zahlung für „Miete“ – Oktober",
    "it's 100% \"quoted\", isn't it?",
    "two\nlines\tand a tab",
    "back\\slash \\N and \\. on purpose",
    "",
    " leading and trailing ",
    "🇺🇦🏳️‍🌈👍🏽",
    "ไทยกับ a\u0300\u0316\u0330 หลายชั้น",
    "\u202Eright-to-left override\u202C",
    "null",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 beyond the basic plane",
    "'; DROP TABLE users; --",
    "zero\u200Bwidth\uFEFFspace",
    "a plain note about a plain swap",
}};

constexpr std::array<std::string_view, 24> all_names{{
    "Ada", "Björn", "Chloé", "Dmitri", "Émile", "Fatima", "Goran", "Hiroshi", "Ingrid", "João", "Kateryna", "Łukasz",
    "Mei", "Nguyễn", "Özlem", "Priya", "Quentin", "Renée", "Søren", "Tomáš", "Uma", "Víctor", "王芳", "يوسف",
}};

constexpr std::array<PriceSource, 3> all_sources{{
    {"binance", true, false, false},
    {"coingecko", false, false, true},
    {"uniswap-v3", false, true, false},
}};

constexpr std::array<Pool, pool_count> all_pools{{
    {2, 0, 1, 5},   {2, 2, 0, 30},  {2, 9, 0, 30},   {2, 21, 0, 100}, {2, 11, 0, 30}, {2, 6, 1, 1},   {2, 20, 2, 5},   {2, 8, 1, 30},
    {5, 1, 3, 4},   {5, 6, 1, 4},   {5, 5, 0, 4},    {5, 27, 1, 4},   {5, 17, 0, 40}, {5, 38, 6, 4},  {9, 4, 1, 25},   {9, 23, 4, 25},
    {9, 37, 4, 25}, {9, 18, 1, 25}, {11, 7, 3, 25},  {11, 32, 7, 25}, {11, 0, 7, 5},  {15, 33, 0, 50},{15, 28, 0, 4},  {15, 10, 0, 50},
    {18, 36, 1, 30},{18, 29, 0, 5}, {18, 0, 1, 5},   {28, 12, 1, 20}, {28, 12, 0, 20},{29, 14, 1, 30},{29, 0, 14, 30}, {1, 1, 1, 0},
    {1, 0, 0, 0},   {1, 3, 3, 0},   {7, 1, 1, 0},    {7, 0, 0, 0},    {16, 1, 1, 0},  {16, 2, 2, 0},  {17, 6, 6, 0},   {19, 4, 4, 0},
    {0, 0, 5, 0},   {12, 0, 28, 0}, {8, 4, 30, 0},   {20, 4, 31, 0},  {6, 5, 19, 10}, {13, 1, 1, 0},  {14, 17, 17, 0}, {10, 0, 24, 0},
}};

}  // namespace

std::span<const Chain, chain_count> chains() { return all_chains; }
std::span<const Coin, coin_count> coins() { return all_coins; }
std::span<const Protocol> protocols() { return all_protocols; }
std::span<const std::string_view> phrases() { return all_phrases; }
std::span<const std::string_view> given_names() { return all_names; }
std::span<const PriceSource> price_sources() { return all_sources; }
std::span<const Pool, pool_count> pools() { return all_pools; }

}  // namespace ysdb::generate
