#include "core/value/show.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "core/base/hex.h"
#include "core/value/calendar.h"
#include "core/value/wide_int.h"

namespace ysdb {

namespace {

constexpr std::size_t longest = 120;

template <class Value>
Value load(std::span<const std::uint8_t> cell) {
    Value value{};
    std::memcpy(&value, cell.data(), std::min(sizeof value, cell.size()));
    return value;
}

std::string cut(std::string_view text) {
    if (text.size() <= longest) return std::string(text);
    std::size_t end = longest;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not inside a UTF-8 sequence
    return std::string(text.substr(0, end)) + "...";
}

std::string show_hex(std::span<const std::uint8_t> cell) {
    std::string text = "\\x";
    for (const std::uint8_t byte : cell.first(std::min(cell.size(), longest / 2))) append_hex(text, byte);
    return cell.size() > longest / 2 ? text + "..." : text;
}

std::string show_array(std::span<const std::uint8_t> cell, const Type& element) {
    std::string text = "{";
    const auto count = load<std::uint32_t>(cell);
    std::size_t at = 4;
    for (std::uint32_t i = 0; i < count && text.size() < longest; ++i) {
        if (i > 0) text += ",";
        const auto size = load<std::uint32_t>(cell.subspan(at, 4));
        at += 4;
        if (size == Cell::null_size) {
            text += "NULL";
            continue;
        }
        text += show_cell(cell.subspan(at, size), element);
        at += size;
    }
    return text + "}";
}

}  // namespace

std::string show_uuid(std::span<const std::uint8_t> cell) {
    std::string text;
    for (std::size_t i = 0; i < cell.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        append_hex(text, cell[i]);
    }
    return text;
}

std::string show_date(std::int32_t days) {
    if (days == INT32_MAX) return "infinity";
    if (days == INT32_MIN) return "-infinity";
    const auto [year, month, day] = civil_date(days);
    if (year <= 0) return fmt::format("{:04}-{:02}-{:02} BC", 1 - year, month, day);
    return fmt::format("{:04}-{:02}-{:02}", year, month, day);
}

std::string show_timestamp(std::int64_t micros) {
    if (micros == INT64_MAX) return "infinity";
    if (micros == INT64_MIN) return "-infinity";
    constexpr std::int64_t day = 86'400'000'000;
    std::int64_t days = micros / day;
    std::int64_t rest = micros % day;
    if (rest < 0) {
        rest += day;
        --days;
    }
    std::string date = show_date(static_cast<std::int32_t>(days));
    const bool before_christ = date.ends_with(" BC");
    if (before_christ) date.resize(date.size() - 3);
    std::string text = fmt::format("{} {:02}:{:02}:{:02}", date, rest / 3'600'000'000, rest / 60'000'000 % 60,
                                   rest / 1'000'000 % 60);
    if (rest % 1'000'000 != 0) text += fmt::format(".{:06}", rest % 1'000'000);
    return before_christ ? text + " BC" : text;
}

std::string show_decimal(std::span<const std::uint8_t> cell, int scale) {
    if (cell.size() == 1) return cell[0] == 'N' ? "NaN" : cell[0] == '+' ? "Infinity" : "-Infinity";
    Int256 number = Int256::from_cell(cell);
    const bool negative = number.negative();
    if (negative) number.negate();
    std::string digits;
    while (!number.zero()) digits += static_cast<char>('0' + number.divide(10));
    while (static_cast<int>(digits.size()) <= scale) digits += '0';
    std::reverse(digits.begin(), digits.end());
    if (scale > 0) digits.insert(digits.size() - static_cast<std::size_t>(scale), ".");
    return negative ? "-" + digits : digits;
}

std::string show_cell(std::span<const std::uint8_t> cell, const Type& type) {
    switch (type.kind) {
        case TypeKind::boolean: return cell[0] != 0 ? "true" : "false";
        case TypeKind::int16:
        case TypeKind::int32:
        case TypeKind::int64: return std::to_string(load<std::int64_t>(cell));
        case TypeKind::uint8:
        case TypeKind::uint16:
        case TypeKind::uint32:
        case TypeKind::uint64: return std::to_string(load<std::uint64_t>(cell));
        case TypeKind::uint128: return show_decimal(cell, 0);
        case TypeKind::float32: return fmt::format("{}", load<float>(cell));
        case TypeKind::float64: return fmt::format("{}", load<double>(cell));
        case TypeKind::decimal: return show_decimal(cell, type.scale);
        case TypeKind::bytes: return show_hex(cell);
        case TypeKind::uuid: return show_uuid(cell);
        case TypeKind::date: return show_date(load<std::int32_t>(cell));
        case TypeKind::time: return show_timestamp(load<std::int64_t>(cell)).substr(11);
        case TypeKind::timestamp:
        case TypeKind::timestamptz: return show_timestamp(load<std::int64_t>(cell));
        case TypeKind::interval:
            return fmt::format("{} months {} days {} us", load<std::int32_t>(cell.subspan(12)), load<std::int32_t>(cell.subspan(8)), load<std::int64_t>(cell));
        case TypeKind::array: return show_array(cell, *type.element);
        default: return cut({reinterpret_cast<const char*>(cell.data()), cell.size()});
    }
}

std::string show_key(const Batch& batch, std::size_t row) {
    const TableInfo& table = batch.table();
    std::vector<std::uint32_t> shown = table.key;
    if (shown.empty()) {
        shown.resize(table.columns.size());
        std::iota(shown.begin(), shown.end(), 0u);
    }
    std::string text;
    for (const std::uint32_t column : shown) {
        if (!text.empty()) text += ", ";
        text += table.columns[column].name + "=";
        text += batch.cell(row, column).is_null() ? "NULL" : show_cell(batch.value(row, column), table.columns[column].type);
    }
    return text;
}

}  // namespace ysdb
