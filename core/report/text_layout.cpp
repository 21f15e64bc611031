#include "core/report/text_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace ysdb {

namespace {

struct CodePoint {
    std::uint32_t value = 0;
    std::size_t bytes = 1;
    bool valid = false;
};

CodePoint decode(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) return {lead, 1, true};
    const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
    std::uint32_t value = lead & (0xffu >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xc0) != 0x80) return {};
        value = (value << 6) | (next & 0x3fu);
    }
    const bool overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
    if (overlong || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {};
    return {value, bytes, true};
}

struct Range {
    std::uint32_t first, last;
};
// Blocks of East Asian wide characters and emoji (Unicode's EastAsianWidth W and F, by block).
constexpr std::array<Range, 9> wide{{{0x1100, 0x115f},
                                     {0x2e80, 0xa4cf},
                                     {0xac00, 0xd7a3},
                                     {0xf900, 0xfaff},
                                     {0xfe30, 0xfe6f},
                                     {0xff00, 0xff60},
                                     {0xffe0, 0xffe6},
                                     {0x1f300, 0x1faff},
                                     {0x20000, 0x3fffd}}};
// Combining marks, joiners, variation selectors.
constexpr std::array<Range, 6> zero{
    {{0x0300, 0x036f}, {0x1ab0, 0x1aff}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}}};

template <std::size_t N>
bool within(const std::array<Range, N>& ranges, std::uint32_t value) {
    return std::any_of(ranges.begin(), ranges.end(), [&](Range r) { return value >= r.first && value <= r.last; });
}

std::size_t width_of(const CodePoint& point) { return within(zero, point.value) ? 0 : within(wide, point.value) ? 2 : 1; }

// C0, DEL, C1, and the characters that reverse the direction of what follows.
bool steers_terminal(std::uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

// Bytes of `text` that fit into `width` columns; at least one character.
std::size_t fitting_prefix(std::string_view text, std::size_t width) {
    std::size_t at = 0, used = 0;
    while (at < text.size()) {
        const CodePoint point = decode(text.substr(at));
        if (at > 0 && used + width_of(point) > width) break;
        used += width_of(point);
        at += point.bytes;
    }
    return at;
}

}  // namespace

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const CodePoint point = decode(text);
        width += width_of(point);
        text.remove_prefix(point.bytes);
    }
    return width;
}

std::string printable(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    while (!text.empty()) {
        const CodePoint point = decode(text);
        if (text[0] == '\n' || text[0] == '\t') {
            clean += ' ';
        } else if (!point.valid || steers_terminal(point.value)) {
            for (std::size_t i = 0; i < point.bytes; ++i) clean += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
        } else {
            clean += text.substr(0, point.bytes);
        }
        text.remove_prefix(point.bytes);
    }
    return clean;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
    std::vector<std::string> lines;
    while (width > 0 && display_width(text) > width) {
        const std::size_t fits = fitting_prefix(text, width);
        // A space right after what fits is a break, too.
        const std::size_t space = text.substr(0, fits + 1).rfind(' ');
        const bool at_space = space != std::string_view::npos && space > 0;
        lines.emplace_back(text.substr(0, at_space ? space : fits));
        text.remove_prefix(at_space ? space + 1 : fits);
    }
    lines.emplace_back(text);
    return lines;
}

std::string pad_right(std::string text, std::size_t width) {
    const std::size_t used = display_width(text);
    if (used < width) text.append(width - used, ' ');
    return text;
}

std::string pad_left(std::string text, std::size_t width) {
    const std::size_t used = display_width(text);
    if (used < width) text.insert(0, width - used, ' ');
    return text;
}

}  // namespace ysdb
