#include <bit>

#include "core/base/error.h"
#include "core/store/postgres/copy_format.h"
#include "core/store/postgres/fields.h"
#include "core/store/postgres/numeric.h"
#include "core/store/postgres/wire.h"
#include "core/value/show.h"

namespace ysdb::postgres {

namespace {

using Bytes = const std::uint8_t*;

bool store64(Batch& batch, std::int64_t value) {
    std::memcpy(batch.grow(8), &value, 8);
    return true;
}

bool decode_bool(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    if (size != 1) return false;
    *batch.grow(1) = data[0];
    return true;
}
bool decode_int16(Bytes data, std::uint32_t size, const Type&, Batch& batch) { return size == 2 && store64(batch, load_big<std::int16_t>(data)); }
bool decode_int32(Bytes data, std::uint32_t size, const Type&, Batch& batch) { return size == 4 && store64(batch, load_big<std::int32_t>(data)); }
bool decode_int64(Bytes data, std::uint32_t size, const Type&, Batch& batch) { return size == 8 && store64(batch, load_big<std::int64_t>(data)); }

bool decode_float32(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    if (size != 4) return false;
    const auto bits = load_big<std::uint32_t>(data);
    std::memcpy(batch.grow(4), &bits, 4);
    return true;
}
bool decode_float64(Bytes data, std::uint32_t size, const Type&, Batch& batch) { return decode_int64(data, size, {}, batch); }

bool decode_bytes(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    batch.add(data, size);
    return true;
}

bool decode_jsonb(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    if (size < 1 || data[0] != 1) return false;
    batch.add(data + 1, size - 1);
    return true;
}

bool decode_uuid(Bytes data, std::uint32_t size, const Type& type, Batch& batch) { return size == 16 && decode_bytes(data, size, type, batch); }

bool decode_date(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    if (size != 4) return false;
    auto days = load_big<std::int32_t>(data);
    if (days != INT32_MAX && days != INT32_MIN) days += epoch_days;
    std::memcpy(batch.grow(4), &days, 4);
    return true;
}

bool decode_timestamp(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    if (size != 8) return false;
    auto micros = load_big<std::int64_t>(data);
    if (micros != INT64_MAX && micros != INT64_MIN) micros += epoch_micros;
    return store64(batch, micros);
}

bool decode_interval(Bytes data, std::uint32_t size, const Type&, Batch& batch) {
    if (size != 16) return false;
    std::uint8_t* to = batch.grow(16);
    const auto micros = load_big<std::int64_t>(data);
    const auto days = load_big<std::int32_t>(data + 8);
    const auto months = load_big<std::int32_t>(data + 12);
    std::memcpy(to, &micros, 8);
    std::memcpy(to + 8, &days, 4);
    std::memcpy(to + 12, &months, 4);
    return true;
}

Field field_for(const Type& type);

// Elements are decoded by their own function into a scratch batch, then laid into one cell.
bool decode_array(Bytes data, std::uint32_t size, const Type& type, Batch& batch) {
    if (size < 12) return false;
    const auto dimensions = load_big<std::int32_t>(data);
    if (dimensions > 1) return false;
    const std::uint32_t count = dimensions == 0 ? 0 : load_big<std::uint32_t>(data + 12);
    static thread_local TableInfo one_column;
    one_column.columns.resize(1);
    Batch elements(&one_column);
    const auto decode = field_for(*type.element);
    Bytes at = data + (dimensions == 0 ? 12 : 20);
    const Bytes end = data + size;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (end - at < 4) return false;
        const auto length = load_big<std::int32_t>(at);
        at += 4;
        if (length < 0) {
            elements.add_null();
            continue;
        }
        if (end - at < length || !decode(at, static_cast<std::uint32_t>(length), *type.element, elements)) return false;
        at += length;
    }
    batch.add_array(elements);
    return true;
}

Field field_for(const Type& type) {
    switch (type.kind) {
        case TypeKind::boolean: return decode_bool;
        case TypeKind::int16: return decode_int16;
        case TypeKind::int32: return decode_int32;
        case TypeKind::int64: return decode_int64;
        case TypeKind::float32: return decode_float32;
        case TypeKind::float64: return decode_float64;
        case TypeKind::decimal: return numeric_to_decimal;
        case TypeKind::numeric: return numeric_to_text;
        case TypeKind::uuid: return decode_uuid;
        case TypeKind::date: return decode_date;
        case TypeKind::time: return decode_int64;
        case TypeKind::timestamp:
        case TypeKind::timestamptz: return decode_timestamp;
        case TypeKind::interval: return decode_interval;
        case TypeKind::json: return type.native == "jsonb" ? decode_jsonb : decode_bytes;
        case TypeKind::array: return decode_array;
        default: return decode_bytes;
    }
}

constexpr std::string_view signature{"PGCOPY\n\377\r\n\0", 11};

}  // namespace

Field binary_field(const Type& type) { return field_for(type); }

std::string why_not_binary(const Type& type, Bytes data, std::uint32_t size) {
    if (type.kind == TypeKind::array && size >= 4 && load_big<std::int32_t>(data) > 1) return "arrays of more than one dimension are not supported";
    if (type.kind == TypeKind::decimal) return "the value does not fit " + type.native;
    return "the value has no canonical form as " + type.native;
}

CopyDecoder::CopyDecoder(const TableInfo& table) : table_(table) {
    for (const ColumnInfo& column : table.columns) {
        fields_.push_back(field_for(column.type));
        types_.push_back(&column.type);
    }
}

bool CopyDecoder::decode(std::string_view message, Batch& batch) {
    const auto malformed = [] { return Error(Code::internal, "the server sent something that is not COPY BINARY"); };
    auto at = reinterpret_cast<Bytes>(message.data());
    const Bytes end = at + message.size();
    if (!header_seen_) {
        if (!message.starts_with(signature) || message.size() < 19) throw malformed();
        header_seen_ = true;
        at += 19 + load_big<std::uint32_t>(at + 15);
        if (at == end) return true;  // the header usually comes in one message with the first row
    }
    if (end - at < 2) throw malformed();
    const auto count = load_big<std::int16_t>(at);
    at += 2;
    if (count == -1) return true;
    if (count != static_cast<std::int16_t>(fields_.size())) throw malformed();
    const std::size_t row = batch.rows();
    for (std::size_t column = 0; column < fields_.size(); ++column) {
        if (end - at < 4) throw malformed();
        const auto length = load_big<std::int32_t>(at);
        at += 4;
        if (length < 0) {
            batch.add_null();
            continue;
        }
        if (end - at < length) throw malformed();
        if (!fields_[column](at, static_cast<std::uint32_t>(length), *types_[column], batch)) {
            rejected_column_ = column;
            reason_ = why_not_binary(*types_[column], at, static_cast<std::uint32_t>(length));
            batch.drop_rows_from(row);
            return false;
        }
        at += length;
    }
    return true;
}

std::string CopyDecoder::rejected_key(std::string_view message) const {
    auto at = reinterpret_cast<Bytes>(message.data());
    if (message.starts_with(signature)) at += 19 + load_big<std::uint32_t>(at + 15);
    at += 2;
    Batch row(&table_);
    for (std::size_t column = 0; column < fields_.size(); ++column) {
        const auto length = load_big<std::int32_t>(at);
        at += 4;
        if (length < 0) {
            row.add_null();
            continue;
        }
        const std::size_t cells = row.cells().size();
        if (!fields_[column](at, static_cast<std::uint32_t>(length), *types_[column], row)) {
            row.drop_cells_from(cells);
            row.add_null();
        }
        at += length;
    }
    return show_key(row, 0);
}

}  // namespace ysdb::postgres
