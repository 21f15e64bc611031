#include "core/value/json_form.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/base/hex.h"
#include "core/value/calendar.h"
#include "core/value/kinds.h"
#include "core/value/text_form.h"
#include "core/value/wide_int.h"

namespace ysdb {

namespace {

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t day = 86'400 * second;

template <class Value>
Value load(std::span<const std::uint8_t> cell) {
    Value value{};
    std::memcpy(&value, cell.data(), std::min(sizeof value, cell.size()));
    return value;
}

std::string_view as_text(std::span<const std::uint8_t> cell) { return {reinterpret_cast<const char*>(cell.data()), cell.size()}; }

template <class Number>
void append_number(std::string& out, Number value) {
    std::array<char, 32> text;
    out.append(text.data(), static_cast<std::size_t>(std::to_chars(text.data(), text.data() + text.size(), value).ptr - text.data()));
}

void append_padded(std::string& out, std::uint64_t value, int width) {
    std::array<char, 20> text;
    const auto size = std::to_chars(text.data(), text.data() + text.size(), value).ptr - text.data();
    for (auto i = size; i < width; ++i) out += '0';
    out.append(text.data(), static_cast<std::size_t>(size));
}

template <class Float>
void append_float(std::string& out, Float value) {
    if (std::isnan(value)) out += "NaN";
    else if (std::isinf(value)) out += value > 0 ? "Infinity" : "-Infinity";
    else append_number(out, value);
}

void append_decimal(std::string& out, std::span<const std::uint8_t> cell, int scale) {
    if (cell.size() == 1) {
        out += cell[0] == 'N' ? "NaN" : cell[0] == '+' ? "Infinity" : "-Infinity";
        return;
    }
    Int256 number = Int256::from_cell(cell);
    if (number.negative()) {
        number.negate();
        out += '-';
    }
    std::array<char, 128> digits;  // from the back
    auto at = digits.size();
    while (!number.zero()) {
        constexpr std::uint64_t chunk = 10'000'000'000'000'000'000u;
        std::uint64_t part = number.divide(chunk);
        const bool last = number.zero();
        for (int i = 0; last ? part != 0 : i < 19; ++i, part /= 10) digits[--at] = static_cast<char>('0' + part % 10);
    }
    while (digits.size() - at <= static_cast<std::size_t>(scale)) digits[--at] = '0';
    const auto point = digits.size() - static_cast<std::size_t>(scale);
    out.append(digits.data() + at, point - at);
    if (scale == 0) return;
    out += '.';
    out.append(digits.data() + point, digits.size() - point);
}

void append_uuid(std::string& out, std::span<const std::uint8_t> cell) {
    for (std::size_t i = 0; i < cell.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
        append_hex(out, cell[i]);
    }
}

void append_base64(std::string& out, std::span<const std::uint8_t> bytes) {
    static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::size_t i = 0;
    const auto put = [&](std::uint32_t bits, int count) {
        for (int k = 0; k < 4; ++k) out += k < count ? letters[(bits >> (18 - 6 * k)) & 0x3f] : '=';
    };
    for (; i + 3 <= bytes.size(); i += 3) put(static_cast<std::uint32_t>(bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]), 4);
    if (bytes.size() - i == 2) put(static_cast<std::uint32_t>(bytes[i] << 16 | bytes[i + 1] << 8), 3);
    if (bytes.size() - i == 1) put(static_cast<std::uint32_t>(bytes[i] << 16), 2);
}

// Years outside four digits as ISO 8601 expands them, and JavaScript reads them.
void append_date(std::string& out, std::int64_t days) {
    const auto [year, month, of_month] = civil_date(days);
    const bool usual = year >= 0 && year <= 9999;
    if (!usual) out += year < 0 ? '-' : '+';
    append_padded(out, static_cast<std::uint64_t>(year < 0 ? -year : year), usual ? 4 : 6);
    out += '-';
    append_padded(out, static_cast<std::uint64_t>(month), 2);
    out += '-';
    append_padded(out, static_cast<std::uint64_t>(of_month), 2);
}

void append_time(std::string& out, std::int64_t micros) {
    const auto all = static_cast<std::uint64_t>(micros);
    append_padded(out, all / (3600 * second), 2);
    out += ':';
    append_padded(out, all / (60 * second) % 60, 2);
    out += ':';
    append_padded(out, all / second % 60, 2);
    if (all % second == 0) return;
    out += '.';
    append_padded(out, all % second, 6);
}

template <class Number>
bool append_infinity(std::string& out, Number value) {
    if (value != std::numeric_limits<Number>::max() && value != std::numeric_limits<Number>::min()) return false;
    out += value > 0 ? "infinity" : "-infinity";
    return true;
}

void append_timestamp(std::string& out, std::int64_t micros, bool zoned) {
    if (append_infinity(out, micros)) return;
    std::int64_t days = micros / day;
    std::int64_t rest = micros % day;
    if (rest < 0) {
        rest += day;
        --days;
    }
    append_date(out, days);
    out += 'T';
    append_time(out, rest);
    if (zoned) out += 'Z';
}

// What needs care inside a JSON string: 1 to be escaped, 2 to be checked as UTF-8.
constexpr auto care = [] {
    std::array<std::uint8_t, 256> table{};
    for (std::size_t i = 0; i < 256; ++i) table[i] = i < 0x20 || i == '"' || i == '\\' ? 1 : i >= 0x80 ? 2 : 0;
    return table;
}();

void append_escaped(std::string& out, std::uint8_t byte) {
    out += '\\';
    switch (byte) {
        case '"':
        case '\\': out += static_cast<char>(byte); break;
        case '\b': out += 'b'; break;
        case '\f': out += 'f'; break;
        case '\n': out += 'n'; break;
        case '\r': out += 'r'; break;
        case '\t': out += 't'; break;
        default:
            out += "u00";
            append_hex(out, byte);
    }
}

// The length of the UTF-8 sequence at the front; 0 when there is none (overlong forms and surrogates are none).
std::size_t sequence_length(std::string_view text) {
    const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0}; };
    const auto follows = [&](std::size_t i) { return (at(i) & 0xc0) == 0x80; };
    const std::uint8_t first = at(0);
    if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const bool overlong = first == 0xe0 && at(1) < 0xa0, surrogate = first == 0xed && at(1) > 0x9f;
        return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const bool overlong = first == 0xf0 && at(1) < 0x90, beyond = first == 0xf4 && at(1) > 0x8f;
        return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

bool append_array(std::string& out, std::span<const std::uint8_t> cell, const Type& element, JsonStyle style) {
    bool exact = true;
    const auto count = load<std::uint32_t>(cell);
    std::size_t at = 4;
    out += '[';
    for (std::uint32_t i = 0; i < count; ++i) {
        if (i > 0) out += ',';
        const auto size = load<std::uint32_t>(cell.subspan(at, 4));
        at += 4;
        if (size == Cell::null_size) {
            out += "null";
            continue;
        }
        exact = append_json(out, cell.subspan(at, size), element, style) && exact;
        at += size;
    }
    out += ']';
    return exact;
}

// Line breaks between the parts of a document are white space; a reader of lines would stumble over them.
void append_document(std::string& out, std::string_view json) {
    const std::size_t from = out.size();
    out += json.empty() ? "null" : json;
    if (json.find_first_of("\r\n") == std::string_view::npos) return;
    std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
}

// Kinds that are neither text nor made of other values.
void append_scalar(std::string& out, std::span<const std::uint8_t> cell, const Type& type) {
    switch (type.kind) {
        case TypeKind::boolean: out += cell[0] != 0 ? "true" : "false"; break;
        case TypeKind::int16:
        case TypeKind::int32:
        case TypeKind::int64: append_number(out, load<std::int64_t>(cell)); break;
        case TypeKind::uint8:
        case TypeKind::uint16:
        case TypeKind::uint32:
        case TypeKind::uint64: append_number(out, load<std::uint64_t>(cell)); break;
        case TypeKind::uint128: {
            std::array<std::uint8_t, 32> wide{};  // so that its highest bit is no sign
            std::memcpy(wide.data(), cell.data(), std::min<std::size_t>(cell.size(), 16));
            append_decimal(out, wide, 0);
            break;
        }
        case TypeKind::float32: append_float(out, load<float>(cell)); break;
        case TypeKind::float64: append_float(out, load<double>(cell)); break;
        case TypeKind::decimal: append_decimal(out, cell, type.scale); break;
        case TypeKind::bytes: append_base64(out, cell); break;
        case TypeKind::uuid: append_uuid(out, cell); break;
        case TypeKind::date:
            if (const auto days = load<std::int32_t>(cell); !append_infinity(out, days)) append_date(out, days);
            break;
        case TypeKind::time: append_time(out, load<std::int64_t>(cell)); break;
        case TypeKind::timestamp: append_timestamp(out, load<std::int64_t>(cell), false); break;
        case TypeKind::timestamptz: append_timestamp(out, load<std::int64_t>(cell), true); break;
        case TypeKind::interval:
            out += interval_text(load<std::int64_t>(cell), load<std::int32_t>(cell.subspan(8)), load<std::int32_t>(cell.subspan(12)));
            break;
        default: out += as_text(cell); break;
    }
}

bool finite(std::span<const std::uint8_t> cell, TypeKind kind) {
    return kind == TypeKind::float32 ? std::isfinite(load<float>(cell)) : std::isfinite(load<double>(cell));
}

// Infinite ones stay strings: Debezium has no number for them that a reader could tell from a date.
bool append_debezium(std::string& out, std::span<const std::uint8_t> cell, TypeKind kind) {
    if (kind == TypeKind::date && load<std::int32_t>(cell) != INT32_MAX && load<std::int32_t>(cell) != INT32_MIN) {
        append_number(out, load<std::int32_t>(cell));
        return true;
    }
    if ((kind == TypeKind::time || kind == TypeKind::timestamp) && load<std::int64_t>(cell) != INT64_MAX && load<std::int64_t>(cell) != INT64_MIN) {
        append_number(out, load<std::int64_t>(cell));
        return true;
    }
    return false;
}

}  // namespace

bool append_json_text(std::string& out, std::string_view text) {
    bool exact = true;
    std::size_t start = 0, i = 0;
    out += '"';
    const auto flush = [&] { out.append(text.data() + start, i - start); };
    while (i < text.size()) {
        const auto byte = static_cast<std::uint8_t>(text[i]);
        if (care[byte] == 0) {
            ++i;
            continue;
        }
        const std::size_t length = care[byte] == 2 ? sequence_length(text.substr(i)) : 0;
        if (length > 0) {
            i += length;
            continue;
        }
        flush();
        if (care[byte] == 1) append_escaped(out, byte);
        else out += "\xef\xbf\xbd", exact = false;
        start = ++i;
    }
    flush();
    out += '"';
    return exact;
}

bool append_json(std::string& out, std::span<const std::uint8_t> cell, const Type& type, JsonStyle style) {
    if (is_integer(type.kind)) {
        append_scalar(out, cell, type);
        return true;
    }
    switch (type.kind) {
        case TypeKind::boolean: append_scalar(out, cell, type); return true;
        case TypeKind::array: return append_array(out, cell, *type.element, style);
        case TypeKind::numeric:
        case TypeKind::text:
        case TypeKind::enumeration:
        case TypeKind::other: return append_json_text(out, as_text(cell));
        case TypeKind::json:
            if (style == JsonStyle::debezium) return append_json_text(out, as_text(cell));
            append_document(out, as_text(cell));
            return true;
        case TypeKind::float32:
        case TypeKind::float64:
            if (finite(cell, type.kind)) {
                append_scalar(out, cell, type);
                return true;
            }
            break;
        default:
            if (style == JsonStyle::debezium && append_debezium(out, cell, type.kind)) return true;
    }
    out += '"';
    append_scalar(out, cell, type);
    out += '"';
    return true;
}

void append_plain(std::string& out, std::span<const std::uint8_t> cell, const Type& type) {
    if (type.kind == TypeKind::array) append_array(out, cell, *type.element, JsonStyle::plain);
    else append_scalar(out, cell, type);
}

RowJson::RowJson(const TableInfo& table, JsonStyle style) : style_(style), all_(table.columns.size()), key_(table.key) {
    std::iota(all_.begin(), all_.end(), 0u);
    for (const ColumnInfo& column : table.columns) {
        append_json_text(names_.emplace_back(), column.name);
        names_.back() += ':';
    }
}

std::optional<std::uint32_t> RowJson::append(std::string& out, const Batch& rows, std::size_t row, std::span<const std::uint32_t> columns) const {
    std::optional<std::uint32_t> inexact;
    bool first = true;
    for (const std::uint32_t column : columns) {
        if (!first) out += ',';
        first = false;
        out += names_[column];
        if (rows.cell(row, column).is_null()) out += "null";
        else if (!append_json(out, rows.value(row, column), rows.table().columns[column].type, style_)) inexact = column;
    }
    return inexact;
}

std::optional<std::uint32_t> RowJson::append_members(std::string& out, const Batch& rows, std::size_t row) const { return append(out, rows, row, all_); }

std::optional<std::uint32_t> RowJson::append_row(std::string& out, const Batch& rows, std::size_t row) const {
    out += '{';
    const auto inexact = append(out, rows, row, all_);
    out += '}';
    return inexact;
}

std::optional<std::uint32_t> RowJson::append_key(std::string& out, const Batch& rows, std::size_t row) const {
    out += '{';
    const auto inexact = append(out, rows, row, key_);
    out += '}';
    return inexact;
}

}  // namespace ysdb
