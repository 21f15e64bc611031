#include "core/store/redis/slots.h"

#include <array>
#include <vector>

namespace ysdb::redis {

namespace {

constexpr std::array<std::uint16_t, 256> make_crc_table() {
    std::array<std::uint16_t, 256> table{};
    for (unsigned byte = 0; byte < 256; ++byte) {
        unsigned crc = byte << 8;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
        table[byte] = static_cast<std::uint16_t>(crc);
    }
    return table;
}

constexpr auto crc_table = make_crc_table();

std::uint16_t crc16(std::string_view text) {
    unsigned crc = 0;
    for (const char c : text) crc = ((crc << 8) & 0xffff) ^ crc_table[((crc >> 8) ^ static_cast<unsigned char>(c)) & 0xff];
    return static_cast<std::uint16_t>(crc);
}

// Counts in base 36, shortest first, until every slot has a name: none gets longer than four.
std::vector<std::string> make_tags() {
    constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuvwxyz";
    std::vector<std::string> tags(slot_count);
    std::size_t missing = slot_count;
    for (std::size_t number = 0, length = 1, of_length = 36; missing > 0; ++number) {
        if (number == of_length) {
            number = 0;
            ++length;
            of_length *= 36;
        }
        std::string text(length, '0');
        for (std::size_t i = length, rest = number; i-- > 0; rest /= 36) text[i] = digits[rest % 36];
        std::string& tag = tags[crc16(text) % slot_count];
        if (!tag.empty()) continue;
        tag = std::move(text);
        --missing;
    }
    return tags;
}

}  // namespace

std::uint16_t key_slot(std::string_view key) {
    if (const auto open = key.find('{'); open != std::string_view::npos) {
        const auto close = key.find('}', open + 1);
        if (close != std::string_view::npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
    }
    return static_cast<std::uint16_t>(crc16(key) % slot_count);
}

const std::string& slot_tag(std::uint16_t slot) {
    static const std::vector<std::string> tags = make_tags();
    return tags.at(slot);
}

}  // namespace ysdb::redis
