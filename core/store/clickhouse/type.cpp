#include "core/store/clickhouse/type.h"

#include <charconv>
#include <map>

#include "core/base/text.h"

namespace ysdb::clickhouse {

namespace {

struct Plain {
    WireKind kind;
    std::uint32_t size;
};

const std::map<std::string_view, Plain>& plain_types() {
    static const std::map<std::string_view, Plain> types{
        {"Bool", {WireKind::boolean, 1}},   {"Int8", {WireKind::int8, 1}},       {"Int16", {WireKind::int16, 2}},     {"Int32", {WireKind::int32, 4}},
        {"Int64", {WireKind::int64, 8}},    {"UInt8", {WireKind::uint8, 1}},     {"UInt16", {WireKind::uint16, 2}},   {"UInt32", {WireKind::uint32, 4}},
        {"UInt64", {WireKind::uint64, 8}},  {"UInt128", {WireKind::uint128, 16}}, {"Float32", {WireKind::float32, 4}}, {"Float64", {WireKind::float64, 8}},
        {"String", {WireKind::string, 0}},  {"UUID", {WireKind::uuid, 16}},      {"Date", {WireKind::date, 2}},       {"Date32", {WireKind::date32, 4}},
        {"DateTime", {WireKind::datetime, 4}},
    };
    return types;
}

// "Name(arguments)" -> name and arguments.
std::pair<std::string_view, std::string_view> cut_call(std::string_view text) {
    const auto open = text.find('(');
    if (open == std::string_view::npos || !text.ends_with(')')) return {text, {}};
    return {text.substr(0, open), text.substr(open + 1, text.size() - open - 2)};
}

int number(std::string_view text) {
    text = trim(text);
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::uint32_t decimal_size(int precision) { return precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32; }

void set_decimal(WireType& type, int precision, int scale) {
    type.kind = WireKind::decimal;
    type.precision = static_cast<std::uint8_t>(precision);
    type.scale = static_cast<std::uint8_t>(scale);
    type.size = decimal_size(precision);
}

// 'a' = 1, 'it\'s' = -2
std::vector<std::pair<std::string, std::int16_t>> parse_labels(std::string_view text) {
    std::vector<std::pair<std::string, std::int16_t>> labels;
    std::size_t at = 0;
    while ((at = text.find('\'', at)) != std::string_view::npos) {
        std::string label;
        for (++at; at < text.size() && text[at] != '\''; ++at) {
            if (text[at] == '\\' && at + 1 < text.size()) ++at;
            label += text[at];
        }
        const auto equals = text.find('=', at);
        if (equals == std::string_view::npos) break;
        labels.emplace_back(std::move(label), static_cast<std::int16_t>(number(text.substr(equals + 1, text.find(',', equals) - equals - 1))));
        at = equals;
    }
    return labels;
}

void set_call(WireType& type, std::string_view name, std::string_view arguments) {
    if (name == "Decimal") {
        const auto comma = arguments.find(',');
        set_decimal(type, number(arguments.substr(0, comma)), comma == std::string_view::npos ? 0 : number(arguments.substr(comma + 1)));
    } else if (name == "Decimal32" || name == "Decimal64" || name == "Decimal128" || name == "Decimal256") {
        const int bits = number(name.substr(7));
        set_decimal(type, bits == 32 ? 9 : bits == 64 ? 18 : bits == 128 ? 38 : 76, number(arguments));
    } else if (name == "DateTime64") {
        type.kind = WireKind::datetime64;
        type.scale = static_cast<std::uint8_t>(number(arguments.substr(0, arguments.find(','))));
        type.size = 8;
    } else if (name == "DateTime") {
        type.kind = WireKind::datetime;
        type.size = 4;
    } else if (name == "FixedString") {
        type.kind = WireKind::fixed_string;
        type.size = static_cast<std::uint32_t>(number(arguments));
    } else if (name == "Enum8" || name == "Enum16") {
        type.kind = WireKind::enumeration;
        type.size = name == "Enum8" ? 1 : 2;
        type.labels = parse_labels(arguments);
    } else if (name == "Array") {
        auto element = std::make_shared<WireType>(parse_type(arguments));
        type.kind = element->kind == WireKind::other || element->kind == WireKind::array ? WireKind::other : WireKind::array;
        type.name = "Array(" + element->name + ")";
        type.element = std::move(element);
    }
}

Type type_of(const WireType& wire) {
    Type type;
    type.nullable = wire.nullable;
    type.native = wire.name;
    switch (wire.kind) {
        case WireKind::boolean: type.kind = TypeKind::boolean; break;
        case WireKind::int8:
        case WireKind::int16: type.kind = TypeKind::int16; break;
        case WireKind::int32: type.kind = TypeKind::int32; break;
        case WireKind::int64: type.kind = TypeKind::int64; break;
        case WireKind::uint8: type.kind = TypeKind::uint8; break;
        case WireKind::uint16: type.kind = TypeKind::uint16; break;
        case WireKind::uint32: type.kind = TypeKind::uint32; break;
        case WireKind::uint64: type.kind = TypeKind::uint64; break;
        case WireKind::uint128: type.kind = TypeKind::uint128; break;
        case WireKind::float32: type.kind = TypeKind::float32; break;
        case WireKind::float64: type.kind = TypeKind::float64; break;
        case WireKind::string:
        case WireKind::fixed_string: type.kind = TypeKind::text; break;
        case WireKind::uuid: type.kind = TypeKind::uuid; break;
        case WireKind::date:
        case WireKind::date32: type.kind = TypeKind::date; break;
        case WireKind::datetime:
        case WireKind::datetime64: type.kind = wire.name.find('\'') == std::string::npos ? TypeKind::timestamp : TypeKind::timestamptz; break;
        case WireKind::decimal: type.kind = TypeKind::decimal; break;
        case WireKind::enumeration: type.kind = TypeKind::enumeration; break;
        case WireKind::array: type.kind = TypeKind::array; break;
        case WireKind::other: type.kind = TypeKind::other; break;
    }
    type.precision = wire.precision;
    type.scale = wire.scale;
    if (wire.element) type.element = std::make_shared<const Type>(type_of(*wire.element));
    return type;
}

std::string bare_column_type(const Type& type) {
    switch (type.kind) {
        case TypeKind::boolean: return "Bool";
        case TypeKind::int16: return "Int16";
        case TypeKind::int32: return "Int32";
        case TypeKind::int64: return "Int64";
        case TypeKind::uint8: return "UInt8";
        case TypeKind::uint16: return "UInt16";
        case TypeKind::uint32: return "UInt32";
        case TypeKind::uint64: return "UInt64";
        case TypeKind::uint128: return "UInt128";
        case TypeKind::float32: return "Float32";
        case TypeKind::float64: return "Float64";
        case TypeKind::decimal: return "Decimal(" + std::to_string(type.precision) + ", " + std::to_string(type.scale) + ")";
        case TypeKind::uuid: return "UUID";
        case TypeKind::date: return "Date32";
        case TypeKind::timestamp: return "DateTime64(6)";
        case TypeKind::timestamptz: return "DateTime64(6, 'UTC')";
        default: return "String";  // numeric, text, bytes, json, time, interval, other
    }
}

}  // namespace

WireType parse_type(std::string_view text) {
    text = trim(text);
    WireType type;
    type.name = text;
    const auto [name, arguments] = cut_call(text);
    if (name == "LowCardinality") return parse_type(arguments);
    if (name == "Nullable") {
        type = parse_type(arguments);
        type.nullable = true;
        type.name = "Nullable(" + type.name + ")";
        return type;
    }
    if (name == "SimpleAggregateFunction") {  // stored as its value
        const auto comma = arguments.find(',');
        if (comma != std::string_view::npos) return parse_type(arguments.substr(comma + 1));
    }
    if (const auto plain = plain_types().find(text); plain != plain_types().end()) {
        type.kind = plain->second.kind;
        type.size = plain->second.size;
        return type;
    }
    set_call(type, name, arguments);
    return type;
}

bool holds(const WireType& to, const WireType& from) {
    if (from.nullable && !to.nullable) return false;
    switch (from.kind) {
        case WireKind::int8:
        case WireKind::int16:
        case WireKind::int32:
        case WireKind::int64:
            return (to.kind == WireKind::int8 || to.kind == WireKind::int16 || to.kind == WireKind::int32 || to.kind == WireKind::int64) && to.size >= from.size;
        case WireKind::uint8:
        case WireKind::uint16:
        case WireKind::uint32:
        case WireKind::uint64:
            return (to.kind == WireKind::uint8 || to.kind == WireKind::uint16 || to.kind == WireKind::uint32 || to.kind == WireKind::uint64) && to.size >= from.size;
        case WireKind::float32: return to.kind == WireKind::float32 || to.kind == WireKind::float64;
        case WireKind::decimal: return to.kind == WireKind::decimal && to.scale >= from.scale && to.precision - to.scale >= from.precision - from.scale;
        case WireKind::datetime64: return to.kind == WireKind::datetime64 && to.scale == from.scale;   // more digits are fewer years
        case WireKind::fixed_string: return to.kind == WireKind::fixed_string && to.size == from.size;
        case WireKind::enumeration: return to.kind == WireKind::enumeration && to.labels == from.labels;
        case WireKind::array: return to.kind == WireKind::array && holds(*to.element, *from.element);
        case WireKind::other: return to.kind == WireKind::other && to.name == from.name;
        default: return to.kind == from.kind;
    }
}

Type to_type(std::string_view text) {
    Type type = type_of(parse_type(text));
    type.native = text;
    return type;
}

std::string column_type(const Type& type) {
    if (type.kind == TypeKind::array) {
        Type element = *type.element;
        element.nullable = true;
        return "Array(" + (element.kind == TypeKind::enumeration ? "Nullable(String)" : column_type(element)) + ")";
    }
    if (type.kind == TypeKind::enumeration) return type.nullable ? "LowCardinality(Nullable(String))" : "LowCardinality(String)";
    return type.nullable ? "Nullable(" + bare_column_type(type) + ")" : bare_column_type(type);
}

}  // namespace ysdb::clickhouse
