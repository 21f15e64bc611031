// Bytes as hexadecimal digits, lower case.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ysdb {

inline void append_hex(std::string& out, std::uint8_t byte) {
    constexpr char digits[] = "0123456789abcdef";
    out += digits[byte >> 4];
    out += digits[byte & 0xf];
}

inline std::string to_hex(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char byte : bytes) append_hex(text, static_cast<std::uint8_t>(byte));
    return text;
}

}  // namespace ysdb
