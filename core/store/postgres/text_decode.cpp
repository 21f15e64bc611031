#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include "core/store/postgres/fields.h"
#include "core/value/text_form.h"

namespace ysdb::postgres {

namespace {

using Bytes = const std::uint8_t*;

std::string_view text_of(Bytes data, std::uint32_t size) { return {reinterpret_cast<const char*>(data), size}; }

template <class Value>
bool store(Batch& batch, Value value) {
    std::memcpy(batch.grow(sizeof value), &value, sizeof value);
    return true;
}

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

bool text_bool(Bytes data, std::uint32_t size, const Type&, Batch& batch) { return size == 1 && store(batch, static_cast<std::uint8_t>(data[0] == 't')); }

bool text_int(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    const auto value = number<std::int64_t>(text_of(data, size));
    return value && store(batch, *value);
}

template <class Float>
bool text_float(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    std::string_view text = text_of(data, size);
    if (text == "NaN") return store(batch, std::numeric_limits<Float>::quiet_NaN());
    if (text == "Infinity") return store(batch, std::numeric_limits<Float>::infinity());
    if (text == "-Infinity") return store(batch, -std::numeric_limits<Float>::infinity());
    const auto value = number<Float>(text);
    return value && store(batch, *value);
}

bool text_decimal(Bytes data, std::uint32_t size, const Type& type, Batch& batch) {
    const std::string_view text = text_of(data, size);
    if (text == "NaN") return store(batch, 'N');
    if (text == "Infinity") return store(batch, '+');
    if (text == "-Infinity") return store(batch, '-');
    const auto value = parse_decimal(text, type.scale);
    if (!value || !fits_precision(*value, type.precision)) return false;
    batch.add(value->limbs.data(), type.precision <= 38 ? 16 : 32);
    return true;
}

bool text_raw(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    batch.add(data, size);
    return true;
}

int hex_digit(std::uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool text_bytes(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    if (size < 2 || size % 2 != 0 || data[0] != '\\' || data[1] != 'x') return false;
    std::uint8_t* to = batch.grow((size - 2) / 2);
    for (std::uint32_t i = 2; i < size; i += 2) {
        const int high = hex_digit(data[i]), low = hex_digit(data[i + 1]);
        if (high < 0 || low < 0) return false;
        *to++ = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

bool text_uuid(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    if (size != 36) return false;
    std::uint8_t* to = batch.grow(16);
    for (std::uint32_t i = 0; i < size;) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            ++i;
            continue;
        }
        const int high = hex_digit(data[i]), low = hex_digit(data[i + 1]);
        if (high < 0 || low < 0) return false;
        *to++ = static_cast<std::uint8_t>(high << 4 | low);
        i += 2;
    }
    return true;
}

// Days since 1970-01-01 of a civil date, by Howard Hinnant's algorithm.
std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const auto of_era = static_cast<std::int64_t>(year - era * 400);
    const std::int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

// "2026-01-31", years of any length; the text behind it stays.
std::optional<std::int64_t> take_date(std::string_view& text, bool bc) {
    unsigned parts[3] = {};
    for (int i = 0; i < 3; ++i) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parts[i]);
        if (error != std::errc()) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (i == 2) break;
        if (!text.starts_with('-')) return std::nullopt;
        text.remove_prefix(1);
    }
    const std::int64_t year = bc ? 1 - static_cast<std::int64_t>(parts[0]) : static_cast<std::int64_t>(parts[0]);
    return days_of(year, parts[1], parts[2]);
}

bool take_bc(std::string_view& text) {
    if (!text.ends_with(" BC")) return false;
    text.remove_suffix(3);
    return true;
}

bool text_date(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    std::string_view text = text_of(data, size);
    if (text == "infinity") return store(batch, INT32_MAX);
    if (text == "-infinity") return store(batch, INT32_MIN);
    const bool bc = take_bc(text);
    const auto days = take_date(text, bc);
    return days && text.empty() && store(batch, static_cast<std::int32_t>(*days));
}

bool text_time(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    const auto micros = parse_time(text_of(data, size));
    return micros && store(batch, *micros);
}

// "+00", "-03:30", "+05:53:28": seconds east.
std::optional<std::int64_t> zone(std::string_view text) {
    if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
    const bool west = text[0] == '-';
    std::int64_t seconds = 0, unit = 3600;
    for (text.remove_prefix(1); !text.empty(); unit /= 60) {
        const auto part = number<std::int64_t>(text.substr(0, 2));
        if (!part || unit == 0) return std::nullopt;
        seconds += *part * unit;
        text.remove_prefix(std::min<std::size_t>(text.size(), 3));
    }
    return west ? -seconds : seconds;
}

bool text_timestamp(Bytes data, std::uint32_t size, const Type& type, Batch& batch) {
    std::string_view text = text_of(data, size);
    if (text == "infinity") return store(batch, INT64_MAX);
    if (text == "-infinity") return store(batch, INT64_MIN);
    const bool bc = take_bc(text);
    const auto days = take_date(text, bc);
    if (!days || !text.starts_with(' ')) return false;
    text.remove_prefix(1);
    std::int64_t east = 0;
    if (type.kind == TypeKind::timestamptz) {
        const std::size_t sign = text.find_first_of("+-");
        const auto offset = sign == std::string_view::npos ? std::nullopt : zone(text.substr(sign));
        if (!offset) return false;
        east = *offset;
        text = text.substr(0, sign);
    }
    const auto clock = parse_time(text);
    return clock && store(batch, *days * 86'400'000'000 + *clock - east * 1'000'000);
}

bool text_interval(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    const auto value = parse_interval(text_of(data, size));
    if (!value) return false;
    std::uint8_t* to = batch.grow(16);
    std::memcpy(to, &value->micros, 8);
    std::memcpy(to + 8, &value->days, 4);
    std::memcpy(to + 12, &value->months, 4);
    return true;
}

// One element of an array's text; true when it was quoted. `at` stands behind it afterwards, on ',' or '}'.
bool take_element(std::string_view text, std::size_t& at, std::string& out) {
    out.clear();
    const bool quoted = at < text.size() && text[at] == '"';
    if (quoted) ++at;
    while (at < text.size()) {
        const char c = text[at];
        if (quoted ? c == '"' : c == ',' || c == '}') break;
        if (c == '\\' && at + 1 < text.size()) ++at;
        out += text[at++];
    }
    if (quoted) ++at;
    return quoted;
}

bool text_array(Bytes data, std::uint32_t size, const Type& type, Batch& batch) {
    std::string_view text = text_of(data, size);
    if (text.starts_with('[')) {  // "[0:1]={...}": bounds other than the usual
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) return false;
        text.remove_prefix(equals + 1);
    }
    if (text.size() < 2 || text[0] != '{') return false;
    static thread_local TableInfo one_column;
    one_column.columns.resize(1);
    Batch elements(&one_column);
    const Field field = text_field(*type.element);
    std::string element;
    for (std::size_t at = 1; at < text.size() && text[at] != '}';) {
        if (text[at] == '{') return false;  // more than one dimension
        const bool quoted = take_element(text, at, element);
        if (!quoted && element == "NULL") elements.add_null();
        else if (!field(reinterpret_cast<Bytes>(element.data()), static_cast<std::uint32_t>(element.size()), *type.element, elements)) return false;
        if (at < text.size() && text[at] == ',') ++at;
    }
    batch.add_array(elements);
    return true;
}

}  // namespace

Field text_field(const Type& type) {
    switch (type.kind) {
        case TypeKind::boolean: return text_bool;
        case TypeKind::int16:
        case TypeKind::int32:
        case TypeKind::int64: return text_int;
        case TypeKind::float32: return text_float<float>;
        case TypeKind::float64: return text_float<double>;
        case TypeKind::decimal: return text_decimal;
        case TypeKind::bytes: return text_bytes;
        case TypeKind::uuid: return text_uuid;
        case TypeKind::date: return text_date;
        case TypeKind::time: return text_time;
        case TypeKind::timestamp:
        case TypeKind::timestamptz: return text_timestamp;
        case TypeKind::interval: return text_interval;
        case TypeKind::array: return text_array;
        default: return text_raw;
    }
}

Field unread_field() {
    return [](const std::uint8_t*, std::uint32_t, const Type&, Batch& batch) {
        batch.add_null();
        return true;
    };
}

std::string why_not_text(const Type& type, std::string_view text) {
    if (type.kind == TypeKind::array && text.find('{', 1) != std::string_view::npos) return "arrays of more than one dimension are not supported";
    if (type.kind == TypeKind::decimal) return "the value does not fit " + type.native;
    return "the value has no canonical form as " + type.native;
}

}  // namespace ysdb::postgres
