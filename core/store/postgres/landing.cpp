#include "core/store/postgres/landing.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "core/base/error.h"

namespace ysdb::postgres {

namespace {

Type plain(TypeKind kind, std::string native) {
    Type type;
    type.kind = kind;
    type.native = std::move(native);
    return type;
}

Type sent_type(const Type& type, const std::string& column) {
    switch (type.kind) {
        case TypeKind::boolean: return plain(type.kind, "boolean");
        case TypeKind::int16:
        case TypeKind::uint8: return plain(TypeKind::int16, "smallint");
        case TypeKind::int32:
        case TypeKind::uint16: return plain(TypeKind::int32, "integer");
        case TypeKind::int64:
        case TypeKind::uint32:
        case TypeKind::uint64: return plain(TypeKind::int64, "bigint");   // what is beyond it is refused row by row
        case TypeKind::float32: return plain(type.kind, "real");
        case TypeKind::float64: return plain(type.kind, "double precision");
        case TypeKind::decimal: {
            Type decimal = plain(type.kind, "numeric(" + std::to_string(type.precision) + "," + std::to_string(type.scale) + ")");
            decimal.precision = type.precision;
            decimal.scale = type.scale;
            return decimal;
        }
        case TypeKind::numeric: return plain(type.kind, "numeric");
        case TypeKind::bytes: return plain(type.kind, "bytea");
        case TypeKind::uuid: return plain(type.kind, "uuid");
        case TypeKind::date: return plain(type.kind, "date");
        case TypeKind::time: return plain(type.kind, "time");
        case TypeKind::timestamp: return plain(type.kind, "timestamp");
        case TypeKind::timestamptz: return plain(type.kind, "timestamptz");
        case TypeKind::interval: return plain(type.kind, "interval");
        case TypeKind::json: return plain(type.kind, type.native == "json" || type.native == "jsonb" ? type.native : "jsonb");
        case TypeKind::array: {
            const Type element = sent_type(*type.element, column);
            if (element.kind == TypeKind::array || element.kind == TypeKind::time || element.kind == TypeKind::interval) break;
            Type array = plain(type.kind, element.native + "[]");
            array.element = std::make_shared<const Type>(element);
            return array;
        }
        case TypeKind::text:
        case TypeKind::enumeration:
        case TypeKind::other: return plain(TypeKind::text, "text");
        case TypeKind::uint128: break;
    }
    throw Error(Code::refused, "column " + column + " (" + type.native + ") cannot be written to PostgreSQL", "leave it out: except = [\"" + column + "\"], or convert it in a view");
}

int width(TypeKind kind) {
    switch (kind) {
        case TypeKind::int16: return 2;
        case TypeKind::int32: return 4;
        case TypeKind::int64: return 8;
        default: return 0;
    }
}

}  // namespace

Type sent_as(const ColumnInfo& column) { return sent_type(column.type, column.name); }

std::string declared_as(const ColumnInfo& column) { return sent_as(column).native; }

std::optional<std::string> assigned(const std::string& name, const Type& sent, const Type& target) {
    const bool same = sent.kind == target.kind;
    switch (sent.kind) {
        case TypeKind::int16:
        case TypeKind::int32:
        case TypeKind::int64:   // out of range is an error of that row
            if (width(target.kind) > 0 || target.kind == TypeKind::numeric || target.kind == TypeKind::decimal) return name;
            return std::nullopt;
        case TypeKind::float32: return same || target.kind == TypeKind::float64 ? std::optional(name) : std::nullopt;
        case TypeKind::decimal:
            if (target.kind == TypeKind::numeric || (same && target.scale >= sent.scale)) return name;   // fewer digits behind the point would be rounded
            return std::nullopt;
        case TypeKind::text:
            if (same) return name;                                  // a shorter varchar is an error of that row
            if (target.kind == TypeKind::bytes || target.kind == TypeKind::array) return std::nullopt;
            return name + "::" + target.native;
        case TypeKind::json: return same ? std::optional(name + "::" + target.native) : target.kind == TypeKind::text ? std::optional(name + "::text") : std::nullopt;
        case TypeKind::array: return same && assigned("", *sent.element, *target.element) == std::optional<std::string>("") ? std::optional(name) : std::nullopt;
        default: return same ? std::optional(name) : std::nullopt;
    }
}

bool holds_every(const Type& target, const Type& sent) {
    const auto whole_digits = [](const Type& type) { return type.precision - type.scale; };
    switch (sent.kind) {
        case TypeKind::int16:
        case TypeKind::int32:
        case TypeKind::int64: return target.kind == TypeKind::numeric || width(target.kind) >= width(sent.kind);
        case TypeKind::decimal: return target.kind == TypeKind::numeric || (target.kind == TypeKind::decimal && target.scale >= sent.scale && whole_digits(target) >= whole_digits(sent));
        case TypeKind::text: return target.kind == TypeKind::text && target.native.find('(') == std::string::npos;
        case TypeKind::array: return target.kind == TypeKind::array && holds_every(*target.element, *sent.element);
        default: return assigned("", sent, target).has_value();
    }
}

std::string unsendable(std::span<const std::uint8_t> cell, const Type& source) {
    if (source.kind == TypeKind::uint64) {
        std::uint64_t value = 0;
        std::memcpy(&value, cell.data(), sizeof value);
        if (value > INT64_MAX) return std::to_string(value) + " is beyond bigint";
    }
    const bool text = source.kind == TypeKind::text || source.kind == TypeKind::enumeration || source.kind == TypeKind::other || source.kind == TypeKind::json;
    if (text && std::find(cell.begin(), cell.end(), 0) != cell.end()) return "holds a zero byte, which PostgreSQL's text cannot";
    if (source.kind == TypeKind::array) {
        std::uint32_t count = 0;
        std::memcpy(&count, cell.data(), 4);
        std::size_t at = 4;
        for (std::uint32_t i = 0; i < count; ++i) {
            std::uint32_t size = 0;
            std::memcpy(&size, cell.data() + at, 4);
            at += 4;
            if (size == Cell::null_size) continue;
            if (std::string reason = unsendable(cell.subspan(at, size), *source.element); !reason.empty()) return reason;
            at += size;
        }
    }
    return {};
}

}  // namespace ysdb::postgres
