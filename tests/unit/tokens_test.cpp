#include "core/generate/tokens.h"

#include <doctest/doctest.h>

#include "core/base/error.h"

using namespace ysdb;

namespace {

TokenList read(const std::string& tokens) { return read_token_list(R"({"name": "Test", "version": {"major": 1, "minor": 2, "patch": 3}, "tokens": [)" + tokens + "]}", "a test"); }

std::string reason_for(const std::string& token) {
    const TokenList list = read(token);
    CHECK(list.tokens.empty());
    REQUIRE(list.left_out.size() == 1);
    CHECK(list.left_out[0].count == 1);
    return list.left_out[0].reason;
}

constexpr const char* good = R"({"chainId": 1, "address": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "name": " USD\u2022Coin ", "symbol": "USDC", "decimals": 6,
    "logoURI": "https://x/y.png", "tags": ["stable"], "extensions": {"site": "é"}})";

}  // namespace

TEST_CASE("a token is taken with its address in one spelling and its names trimmed") {
    const TokenList list = read(good);
    CHECK(list.name == "Test");
    CHECK(list.version == "1.2.3");
    REQUIRE(list.tokens.size() == 1);
    const Token& token = list.tokens[0];
    CHECK(token.chain == "ethereum");
    CHECK(token.address == "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48");
    CHECK(token.name == "USD•Coin");
    CHECK(token.decimals == 6);
    CHECK(token.extensions == R"({"logoURI":"https://x/y.png","site":"é","tags":["stable"]})");
    CHECK(list.trimmed == 1);
    CHECK(list.left_out.empty());
}

TEST_CASE("every entry that is left out is counted under its reason") {
    CHECK(reason_for("7") == "is no object");
    CHECK(reason_for(R"({"chainId": 1, "name": "n", "symbol": "s", "decimals": 1})") == "no address");
    CHECK(reason_for(R"({"chainId": 1, "address": "0x12", "name": "n", "symbol": "s", "decimals": 1})") == "address is not 0x and 40 hexadecimal digits");
    CHECK(reason_for(R"({"chainId": 5, "address": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "name": "n", "symbol": "s", "decimals": 1})") == "test network");
    CHECK(reason_for(R"({"chainId": 1, "address": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "name": "n", "symbol": " ", "decimals": 1})") == "symbol is blank");
    CHECK(reason_for(R"({"chainId": 1, "address": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "name": "n", "symbol": "s", "decimals": 256})") == "decimals above 255");
    CHECK(reason_for(R"({"chainId": 1, "address": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "name": "n", "symbol": "s", "decimals": -1})") == "decimals is no whole number");
    CHECK(reason_for(R"({"chainId": 1, "address": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "name": "n\u0000", "symbol": "s", "decimals": 1})") == "name holds a zero byte");
    CHECK(reason_for(R"({"chainId": 1, "address": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "name": ")" + std::string(256, 'x') + R"(", "symbol": "s", "decimals": 1})") ==
          "name is longer than 255 characters");
    CHECK(reason_for(R"({"chainId": 101, "address": "0OIl", "name": "n", "symbol": "s", "decimals": 1})") == "address is no 32-byte key in base58");
}

TEST_CASE("the same contract in another spelling is a repetition; on another chain it is not") {
    const TokenList list = read(std::string(good) + R"(,
        {"chainId": 1, "address": "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "name": "n", "symbol": "again", "decimals": 6},
        {"chainId": 99999, "address": "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "name": "n", "symbol": "else", "decimals": 6})");
    REQUIRE(list.tokens.size() == 2);
    CHECK(list.tokens[1].chain == "eip155:99999");
    REQUIRE(list.left_out.size() == 1);
    CHECK(list.left_out[0].reason == "repeats an address");
    CHECK(list.left_out[0].example == "again 0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48");
    CHECK(asset_id(list.tokens[0]) != asset_id(list.tokens[1]));
    CHECK(list.entries == list.tokens.size() + 1);
}

TEST_CASE("base58 keys are checked to the byte") {
    const auto taken = [](const std::string& address) {
        return !read(R"({"chainId": 101, "address": ")" + address + R"(", "name": "n", "symbol": "s", "decimals": 100})").tokens.empty();
    };
    CHECK(taken("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"));
    CHECK(taken("So11111111111111111111111111111111111111112"));
    CHECK(taken("11111111111111111111111111111111"));             // the system program: 32 zero bytes
    CHECK_FALSE(taken("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt"));     // two digits short
    CHECK_FALSE(taken("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1vv"));  // a digit more
    CHECK_FALSE(taken(""));
}

TEST_CASE("what is no token list says so") {
    for (const char* bad : {"", "[1, 2]", "{\"tokens\": 7}", "{\"tokens\": [", "\xff\xfe"}) CHECK_THROWS_WITH_AS(read_token_list(bad, "x.json"), doctest::Contains("x.json is no token list"), Error);
}
