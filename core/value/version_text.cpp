#include "core/value/version_text.h"

#include <algorithm>
#include <charconv>

namespace ysdb {

namespace {

constexpr std::size_t digits = 32;

void put_hex(char* at, std::uint64_t value, int width) {
    for (int i = width - 1; i >= 0; --i, value >>= 4) at[i] = "0123456789abcdef"[value & 0xf];
}

template <class Number>
Number read_hex(std::string_view text) {
    Number number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number, 16);
    return number;
}

}  // namespace

void append_version(std::string& out, const Version& version) {
    char text[digits];
    put_hex(text, version.epoch, 8);
    put_hex(text + 8, version.position, 16);
    put_hex(text + 24, version.ordinal, 8);
    out.append(text, digits);
}

std::string version_text(const Version& version) {
    std::string text;
    append_version(text, version);
    return text;
}

std::optional<Version> parse_version(std::string_view text) {
    const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (text.size() != digits || !std::all_of(text.begin(), text.end(), hex)) return std::nullopt;
    return Version{read_hex<std::uint32_t>(text.substr(0, 8)), read_hex<std::uint64_t>(text.substr(8, 16)), read_hex<std::uint32_t>(text.substr(24))};
}

}  // namespace ysdb
