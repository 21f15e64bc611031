#include "core/base/error.h"
#include "core/store/postgres/copy_format.h"
#include "core/store/postgres/numeric.h"
#include "core/store/postgres/wire.h"

namespace ysdb::postgres {

namespace {

using Cell8 = std::span<const std::uint8_t>;

template <class Integer>
Integer load_little(Cell8 cell) {
    Integer value;
    std::memcpy(&value, cell.data(), sizeof value);
    return value;
}

void append_raw(Cell8 cell, std::string& out) { out.append(reinterpret_cast<const char*>(cell.data()), cell.size()); }

// The length goes in front: written after the field is known.
template <class Write>
void with_length(std::string& out, Write write) {
    const std::size_t at = out.size();
    out.append(4, '\0');
    write();
    const std::uint32_t size = __builtin_bswap32(static_cast<std::uint32_t>(out.size() - at - 4));
    std::memcpy(out.data() + at, &size, 4);
}

void encode_bytes(Cell8 cell, const Type&, std::string& out) {
    append_big(out, static_cast<std::uint32_t>(cell.size()));
    append_raw(cell, out);
}
void encode_jsonb(Cell8 cell, const Type&, std::string& out) {
    append_big(out, static_cast<std::uint32_t>(cell.size() + 1));
    out += '\1';
    append_raw(cell, out);
}
template <class Integer>
void encode_integer(Cell8 cell, const Type&, std::string& out) {
    append_big(out, std::uint32_t{sizeof(Integer)});
    append_big(out, static_cast<Integer>(load_little<std::int64_t>(cell)));
}
void encode_float32(Cell8 cell, const Type&, std::string& out) {
    append_big(out, std::uint32_t{4});
    append_big(out, load_little<std::uint32_t>(cell));
}
void encode_date(Cell8 cell, const Type&, std::string& out) {
    auto days = load_little<std::int32_t>(cell);
    if (days != INT32_MAX && days != INT32_MIN) days -= epoch_days;
    append_big(out, std::uint32_t{4});
    append_big(out, days);
}
void encode_timestamp(Cell8 cell, const Type&, std::string& out) {
    auto micros = load_little<std::int64_t>(cell);
    if (micros != INT64_MAX && micros != INT64_MIN) micros -= epoch_micros;
    append_big(out, std::uint32_t{8});
    append_big(out, micros);
}
void encode_interval(Cell8 cell, const Type&, std::string& out) {
    append_big(out, std::uint32_t{16});
    append_big(out, load_little<std::int64_t>(cell));
    append_big(out, load_little<std::int32_t>(cell.subspan(8)));
    append_big(out, load_little<std::int32_t>(cell.subspan(12)));
}
void encode_decimal(Cell8 cell, const Type& type, std::string& out) {
    with_length(out, [&] { decimal_to_numeric(cell, type.scale, out); });
}
void encode_numeric(Cell8 cell, const Type&, std::string& out) {
    with_length(out, [&] { text_to_numeric({reinterpret_cast<const char*>(cell.data()), cell.size()}, out); });
}

CopyEncoder::Field field_for(const Type& type);

// The element types a server can be told without asking it for an oid.
std::uint32_t element_oid(const Type& element) {
    switch (element.kind) {
        case TypeKind::boolean: return 16;
        case TypeKind::bytes: return 17;
        case TypeKind::int64: return 20;
        case TypeKind::int16: return 21;
        case TypeKind::int32: return 23;
        case TypeKind::text: return element.native.starts_with("character varying") ? 1043 : 25;
        case TypeKind::float32: return 700;
        case TypeKind::float64: return 701;
        case TypeKind::date: return 1082;
        case TypeKind::timestamp: return 1114;
        case TypeKind::timestamptz: return 1184;
        case TypeKind::decimal:
        case TypeKind::numeric: return 1700;
        case TypeKind::uuid: return 2950;
        case TypeKind::json: return element.native == "jsonb" ? 3802 : 114;
        default: throw Error(Code::refused, "an array of " + element.native + " cannot be loaded by binary COPY");
    }
}

void encode_array(Cell8 cell, const Type& type, std::string& out) {
    with_length(out, [&] {
        const auto count = load_little<std::uint32_t>(cell);
        append_big(out, std::uint32_t{count == 0 ? 0u : 1u});
        append_big(out, std::uint32_t{1});  // may hold NULLs
        append_big(out, element_oid(*type.element));
        if (count == 0) return;
        append_big(out, count);
        append_big(out, std::uint32_t{1});
        const auto encode = field_for(*type.element);
        std::size_t at = 4;
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto size = load_little<std::uint32_t>(cell.subspan(at));
            at += 4;
            if (size == ysdb::Cell::null_size) {
                append_big(out, std::uint32_t{0xffffffffu});
                continue;
            }
            encode(cell.subspan(at, size), *type.element, out);
            at += size;
        }
    });
}

CopyEncoder::Field field_for(const Type& type) {
    switch (type.kind) {
        case TypeKind::int16: return encode_integer<std::int16_t>;
        case TypeKind::int32: return encode_integer<std::int32_t>;
        case TypeKind::int64:
        case TypeKind::time:
        case TypeKind::float64: return encode_integer<std::int64_t>;
        case TypeKind::float32: return encode_float32;
        case TypeKind::decimal: return encode_decimal;
        case TypeKind::numeric: return encode_numeric;
        case TypeKind::date: return encode_date;
        case TypeKind::timestamp:
        case TypeKind::timestamptz: return encode_timestamp;
        case TypeKind::interval: return encode_interval;
        case TypeKind::json: return type.native == "jsonb" ? encode_jsonb : encode_bytes;
        case TypeKind::array: return encode_array;
        case TypeKind::other: throw Error(Code::refused, "a column of type " + type.native + " cannot be loaded by binary COPY");
        default: return encode_bytes;
    }
}

}  // namespace

CopyEncoder::CopyEncoder(const TableInfo& table) {
    for (const ColumnInfo& column : table.columns) {
        fields_.push_back(field_for(column.type));
        types_.push_back(&column.type);
    }
}

std::string_view CopyEncoder::header() { return {"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19}; }
std::string_view CopyEncoder::trailer() { return "\377\377"; }

void CopyEncoder::encode(const Batch& batch, std::string& out) const {
    const auto columns = static_cast<std::int16_t>(fields_.size());
    for (std::size_t row = 0; row < batch.rows(); ++row) {
        append_big(out, columns);
        for (std::size_t column = 0; column < fields_.size(); ++column) {
            if (batch.cell(row, column).is_null()) append_big(out, std::uint32_t{0xffffffffu});
            else fields_[column](batch.value(row, column), *types_[column], out);
        }
    }
}

}  // namespace ysdb::postgres
