// Token lists as people publish them (the tokenlist.org form: Uniswap's default list, Solana's registry) as rows of `assets` and `tokens`.
// No entry disappears silently: each is taken, or counted under the reason why not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/generate/generate.h"
#include "core/value/batch.h"

namespace ysdb {

struct Token {
    std::string chain;        // "ethereum", "solana"; "eip155:4663" for a chain without a known name
    std::string address;      // hexadecimal in lower case, base58 as it is
    std::string symbol;       // without surrounding white space
    std::string name;
    int decimals = 0;         // 0 .. 255
    std::string logo;         // may be empty
    std::string extensions;   // a JSON object: what else the list says, tags and logo included
};

struct LeftOut {
    std::string reason;       // "test network"
    std::uint64_t count = 0;
    std::string example;      // "USDC 0xabc..."
};

struct TokenList {
    std::string name;         // "Uniswap Labs Default"
    std::string version;
    std::uint64_t entries = 0;
    std::uint64_t trimmed = 0;            // taken, with white space around a name removed
    std::vector<Token> tokens;            // in the list's order; (chain, address) is unique
    std::vector<LeftOut> left_out;
};

// Throws Error(refused) when the text is no token list. `what` names it in messages.
TokenList read_token_list(std::string_view json, std::string_view what);

// The id of a listed asset: the same for ever, from chain and address.
AssetId asset_id(const Token& token);

// Columns of YieldSensei's `assets` and Solana's `tokens` that a list fills, and one row of them.
TableInfo listed_asset_columns();
void add_listed_asset(const Token& token, const std::string& list, std::int64_t now, Batch& out);
TableInfo listed_token_columns();
void add_listed_token(const Token& token, Batch& out);

}  // namespace ysdb
