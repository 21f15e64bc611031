#include "core/generate/tokens.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/generate/tables.h"

namespace ysdb {

namespace {

using nlohmann::json;

struct Network {
    std::uint64_t id;
    std::string_view name;    // empty: a test network
};

// Numbers below 200 that Solana's registry uses for itself are told apart by the form of the address.
constexpr Network hexadecimal_networks[] = {
    {1, "ethereum"},     {10, "optimism"},   {56, "bsc"},        {130, "unichain"},  {137, "polygon"},   {143, "monad"},
    {196, "xlayer"},     {324, "zksync"},    {480, "worldchain"},{1868, "soneium"},  {8453, "base"},     {42161, "arbitrum"},
    {42220, "celo"},     {43114, "avalanche"},{57073, "ink"},    {81457, "blast"},   {7777777, "zora"},  {3, ""},
    {4, ""},             {5, ""},            {42, ""},           {97, ""},           {420, ""},          {43113, ""},
    {44787, ""},         {80001, ""},        {84531, ""},        {84532, ""},        {421611, ""},       {421613, ""},
    {421614, ""},        {11155111, ""},     {11155420, ""},     {1301, ""},
};
constexpr Network base58_networks[] = {{101, "solana"}, {501000101, "solana"}, {102, ""}, {103, ""}};

struct Refusal {
    std::string reason;
};

std::string text_field(const json& entry, const char* field) {
    const auto found = entry.find(field);
    if (found == entry.end() || found->is_null()) throw Refusal{std::string("no ") + field};
    if (!found->is_string()) throw Refusal{std::string(field) + " is no text"};
    return found->get<std::string>();
}

std::uint64_t number_field(const json& entry, const char* field) {
    const auto found = entry.find(field);
    if (found == entry.end() || found->is_null()) throw Refusal{std::string("no ") + field};
    if (!found->is_number_unsigned()) throw Refusal{std::string(field) + " is no whole number"};
    return found->get<std::uint64_t>();
}

bool is_hexadecimal_address(std::string_view address) {
    return address.size() == 42 && (address.starts_with("0x") || address.starts_with("0X")) &&
           address.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string_view::npos;
}

// 32 bytes in base 58, as Solana's mints are.
bool is_base58_key(std::string_view address) {
    static constexpr std::string_view alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    std::array<std::uint8_t, 34> number{};
    for (const char c : address) {
        const auto digit = alphabet.find(c);
        if (digit == std::string_view::npos) return false;
        auto carry = static_cast<unsigned>(digit);
        for (auto place = number.rbegin(); place != number.rend(); ++place) {
            carry += 58u * *place;
            *place = static_cast<std::uint8_t>(carry);
            carry >>= 8;
        }
        if (number[0] != 0 || number[1] != 0) return false;  // more than 32 bytes
    }
    // A leading '1' stands for a zero byte; any other key fills its 32 bytes but for a few leading zeros.
    const auto zeros = static_cast<std::size_t>(std::find_if(number.begin() + 2, number.end(), [](auto byte) { return byte != 0; }) - (number.begin() + 2));
    const auto ones = std::min(address.find_first_not_of('1'), address.size());
    return zeros == ones;
}

// The chain's name; throws for test networks and for addresses of the wrong form.
std::string network_name(std::uint64_t id, std::string_view address) {
    for (const Network& network : base58_networks) {
        if (network.id != id) continue;
        if (network.name.empty()) throw Refusal{"test network"};
        if (!is_base58_key(address)) throw Refusal{"address is no 32-byte key in base58"};
        return std::string(network.name);
    }
    const auto known = std::find_if(std::begin(hexadecimal_networks), std::end(hexadecimal_networks), [&](const Network& n) { return n.id == id; });
    if (known != std::end(hexadecimal_networks) && known->name.empty()) throw Refusal{"test network"};
    if (!is_hexadecimal_address(address)) throw Refusal{"address is not 0x and 40 hexadecimal digits"};
    return known != std::end(hexadecimal_networks) ? std::string(known->name) : "eip155:" + std::to_string(id);
}

std::string checked_name(const json& entry, const char* field, std::size_t longest, bool& trimmed) {
    const std::string whole = text_field(entry, field);
    const std::string name(trim(whole));
    if (name.empty()) throw Refusal{std::string(field) + " is blank"};
    if (name.find('\0') != std::string::npos) throw Refusal{std::string(field) + " holds a zero byte"};
    // Lengths of varchar count characters, not bytes.
    const auto characters = static_cast<std::size_t>(std::count_if(name.begin(), name.end(), [](char c) { return (c & 0xc0) != 0x80; }));
    if (characters > longest) throw Refusal{std::string(field) + " is longer than " + std::to_string(longest) + " characters"};
    trimmed |= name.size() != whole.size();
    return name;
}

std::string extensions_of(const json& entry) {
    json kept = json::object();
    if (const auto found = entry.find("extensions"); found != entry.end() && found->is_object()) kept = *found;
    for (const char* field : {"tags", "logoURI"}) {
        if (const auto found = entry.find(field); found != entry.end() && !found->is_null() && !found->empty()) kept[field] = *found;
    }
    const std::string text = kept.dump();
    // jsonb cannot hold a zero character.
    if (text.find("\\u0000") != std::string::npos) throw Refusal{"extensions hold a zero character"};
    return text;
}

Token read_token(const json& entry, bool& trimmed) {
    if (!entry.is_object()) throw Refusal{"is no object"};
    Token token;
    token.address = std::string(trim(text_field(entry, "address")));
    token.chain = network_name(number_field(entry, "chainId"), token.address);
    if (token.address.starts_with("0x") || token.address.starts_with("0X")) token.address = lower(token.address);
    token.symbol = checked_name(entry, "symbol", 64, trimmed);
    token.name = checked_name(entry, "name", 255, trimmed);
    const std::uint64_t decimals = number_field(entry, "decimals");
    if (decimals > 255) throw Refusal{"decimals above 255"};
    token.decimals = static_cast<int>(decimals);
    if (const auto logo = entry.find("logoURI"); logo != entry.end() && logo->is_string()) token.logo = logo->get<std::string>();
    token.extensions = extensions_of(entry);
    return token;
}

std::string example_of(const json& entry) {
    if (!entry.is_object()) return entry.dump().substr(0, 60);
    std::string example;
    for (const char* field : {"symbol", "address"}) {
        if (const auto found = entry.find(field); found != entry.end() && found->is_string()) {
            example += (example.empty() ? "" : " ") + found->get<std::string>();
        }
    }
    return example;
}

std::string version_of(const json& list) {
    const auto version = list.find("version");
    if (version == list.end() || !version->is_object()) return {};
    return std::to_string(version->value("major", 0)) + "." + std::to_string(version->value("minor", 0)) + "." + std::to_string(version->value("patch", 0));
}

// As chains name them; a list does not say what is a stablecoin or a wrapper.
std::string_view type_of(const Token& token) {
    static constexpr std::string_view stable[] = {"USDC", "USDT", "DAI", "FRAX", "LUSD", "TUSD", "BUSD", "GUSD", "USDP", "PYUSD", "USDe", "crvUSD", "GHO", "USDC.e", "EURC", "sUSD"};
    static constexpr std::string_view wrapped[] = {"WETH", "WBTC", "WMATIC", "WPOL", "WBNB", "WAVAX", "cbBTC", "tBTC"};
    if (std::find(std::begin(stable), std::end(stable), token.symbol) != std::end(stable)) return "stablecoin";
    if (std::find(std::begin(wrapped), std::end(wrapped), token.symbol) != std::end(wrapped)) return "wrapped";
    return "token";
}

}  // namespace

TokenList read_token_list(std::string_view text, std::string_view what) {
    const json list = json::parse(text, nullptr, false);
    const auto entries = list.is_object() ? list.find("tokens") : list.end();
    if (!list.is_object() || entries == list.end() || !entries->is_array()) {
        throw Error(Code::refused, std::string(what) + " is no token list", "it should be a JSON object with an array \"tokens\"");
    }
    TokenList result;
    result.name = list.value("name", std::string(what));
    result.version = version_of(list);
    result.entries = entries->size();
    std::set<std::pair<std::string, std::string>> seen;
    std::map<std::string, LeftOut> left_out;
    for (const json& entry : *entries) {
        try {
            bool trimmed = false;
            Token token = read_token(entry, trimmed);
            if (!seen.emplace(token.chain, token.address).second) throw Refusal{"repeats an address"};
            result.trimmed += trimmed;
            result.tokens.push_back(std::move(token));
        } catch (const Refusal& refusal) {
            LeftOut& group = left_out[refusal.reason];
            group.reason = refusal.reason;
            if (group.count++ == 0) group.example = example_of(entry);
        }
    }
    for (auto& [reason, group] : left_out) result.left_out.push_back(std::move(group));
    return result;
}

AssetId asset_id(const Token& token) {
    const std::string name = token.chain + '\0' + token.address;
    const Hash128 hash = xxh128(name.data(), name.size());
    AssetId id;
    std::memcpy(id.data(), &hash.low, 8);
    std::memcpy(id.data() + 8, &hash.high, 8);
    id[6] = static_cast<std::uint8_t>((id[6] & 0x0f) | 0x80);  // version 8: made by a rule of one's own
    id[8] = static_cast<std::uint8_t>((id[8] & 0x3f) | 0x80);
    return id;
}

TableInfo listed_asset_columns() {
    using enum TypeKind;
    using generate::column;
    TableInfo info{{"", "assets"}, {}, {0}};
    info.columns = {column("id", uuid), column("symbol", text), column("name", text), column("type", enumeration), column("chain", text),
                    column("contract_address", text), column("decimals", int16), column("logo_url", text, true), column("metadata", json),
                    column("created_at", timestamptz), column("updated_at", timestamptz)};
    return info;
}

void add_listed_asset(const Token& token, const std::string& list, std::int64_t now, Batch& out) {
    generate::Cells cells(out);
    cells.uuid(asset_id(token));
    cells.text(token.symbol);
    cells.text(token.name);
    cells.text(type_of(token));
    cells.text(token.chain);
    cells.text(token.address);
    cells.integer(token.decimals);
    if (token.logo.empty()) cells.null();
    else cells.text(token.logo);
    cells.text(json{{"list", list}, {"extensions", json::parse(token.extensions)}}.dump());
    cells.timestamp(now);
    cells.timestamp(now);
}

TableInfo listed_token_columns() {
    using enum TypeKind;
    using generate::column;
    TableInfo info{{"", "tokens"}, {}, {0}};
    info.columns = {column("address", text), column("symbol", text), column("name", text), column("decimals", int32), column("extensions", json)};
    return info;
}

void add_listed_token(const Token& token, Batch& out) {
    generate::Cells cells(out);
    cells.text(token.address);
    cells.text(token.symbol);
    cells.text(token.name);
    cells.integer(token.decimals);
    cells.text(token.extensions);
}

}  // namespace ysdb
