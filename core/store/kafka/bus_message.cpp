#include "core/store/kafka/bus_message.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace ysdb::kafka {

namespace {

using nlohmann::json;

constexpr std::string_view magic("ysb\1", 4);

// By name, in the order of TypeKind: what one release wrote another reads.
constexpr std::array<std::string_view, 25> kind_names{"boolean", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "uint128", "float32", "float64", "decimal", "numeric",
                                                      "text", "bytes", "uuid", "date", "time", "timestamp", "timestamptz", "interval", "json", "enumeration", "array", "other"};
static_assert(static_cast<std::size_t>(TypeKind::other) + 1 == kind_names.size());

constexpr std::array<std::string_view, 4> change_names{"added", "dropped", "renamed", "retyped"};
static_assert(static_cast<std::size_t>(ColumnChange::Kind::retyped) + 1 == change_names.size());

template <class Names>
std::size_t place_of(const Names& names, const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) throw Error(Code::rejected, "'" + name + "' is not known to this release");
    return static_cast<std::size_t>(found - names.begin());
}

template <class Number>
void put(std::string& out, Number number) {
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    out.append(bytes, sizeof number);
}

template <class Number>
bool take(std::string_view& bytes, Number& number) {
    if (bytes.size() < sizeof number) return false;
    std::memcpy(&number, bytes.data(), sizeof number);
    bytes.remove_prefix(sizeof number);
    return true;
}

void put_head(std::string& out, const BusHead& head) {
    out += magic;
    put(out, head.kind);
    put(out, head.op);
    put(out, head.shape);
    put(out, head.version.epoch);
    put(out, head.version.position);
    put(out, head.version.ordinal);
    put(out, head.committed);
}

void put_size(std::string& out, std::uint64_t size) {
    for (; size >= 0x80; size >>= 7) out += static_cast<char>(size | 0x80);
    out += static_cast<char>(size);
}

bool take_size(std::string_view& bytes, std::uint64_t& size) {
    size = 0;
    for (unsigned shift = 0; shift < 42; shift += 7) {
        if (bytes.empty()) return false;
        const auto byte = static_cast<std::uint8_t>(bytes.front());
        bytes.remove_prefix(1);
        size |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) return true;
    }
    return false;
}

// A cell of another size would be read beyond its end further on.
bool can_have(const Type& type, std::uint64_t size) {
    switch (type.kind) {
        case TypeKind::boolean: return size == 1;
        case TypeKind::int16:
        case TypeKind::int32:
        case TypeKind::int64:
        case TypeKind::uint8:
        case TypeKind::uint16:
        case TypeKind::uint32:
        case TypeKind::uint64: return size == 8;
        case TypeKind::uint128: return size == 16;
        case TypeKind::float32: return size == 4;
        case TypeKind::float64: return size == 8;
        case TypeKind::decimal: return size == 1 || size == (type.precision <= 38 ? 16u : 32u);
        case TypeKind::uuid: return size == 16;
        case TypeKind::date: return size == 4;
        case TypeKind::time:
        case TypeKind::timestamp:
        case TypeKind::timestamptz: return size == 8;
        case TypeKind::interval: return size == 16;
        case TypeKind::array: return size >= 4;
        case TypeKind::numeric:
        case TypeKind::text:
        case TypeKind::bytes:
        case TypeKind::json:
        case TypeKind::enumeration:
        case TypeKind::other: return true;
    }
    return false;
}

bool whole_array(std::string_view cell, const Type& element) {
    std::uint32_t count = 0;
    if (!take(cell, count)) return false;
    for (; count > 0; --count) {
        std::uint32_t size = 0;
        if (!take(cell, size)) return false;
        if (size == Cell::null_size) continue;
        if (cell.size() < size || !can_have(element, size)) return false;
        cell.remove_prefix(size);
    }
    return cell.empty();
}

json type_json(const Type& type) {
    json out{{"kind", kind_names.at(static_cast<std::size_t>(type.kind))}, {"nullable", type.nullable}, {"precision", type.precision}, {"scale", type.scale}, {"native", type.native}};
    if (type.element) out["element"] = type_json(*type.element);
    return out;
}

Type type_of(const json& in) {
    Type type;
    type.kind = static_cast<TypeKind>(place_of(kind_names, in.at("kind")));
    type.nullable = in.at("nullable");
    type.precision = in.at("precision");
    type.scale = in.at("scale");
    type.native = in.at("native");
    if (in.contains("element")) type.element = std::make_shared<const Type>(type_of(in.at("element")));
    if (type.kind == TypeKind::array && !type.element) throw Error(Code::rejected, "an array without the type of its elements");
    return type;
}

}  // namespace

void append_row(std::string& out, const BusHead& head, const Batch& rows, std::size_t row) {
    put_head(out, head);
    for (std::size_t column = 0; column < rows.columns(); ++column) {
        const Cell& cell = rows.cell(row, column);
        put_size(out, cell.is_null() ? 0 : std::uint64_t{cell.size} + 1);
        if (!cell.is_null()) out += rows.text(row, column);
    }
}

std::string mark_bytes(const BusHead& head, const BusMark& mark) {
    std::string out;
    put_head(out, head);
    put(out, mark.number);
    json body = json::object();
    if (!mark.reason.empty()) body["reason"] = mark.reason;
    for (const ColumnChange& change : mark.changes) {
        json each{{"kind", change_names.at(static_cast<std::size_t>(change.kind))}, {"column", change.column}, {"before", change.before}, {"type", type_json(change.type)}};
        if (change.fill) each["fill"] = *change.fill;
        body["changes"].push_back(std::move(each));
    }
    return out + body.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<BusHead> take_head(std::string_view& bytes) {
    if (!bytes.starts_with(magic)) return std::nullopt;
    bytes.remove_prefix(magic.size());
    BusHead head;
    const bool whole = take(bytes, head.kind) && take(bytes, head.op) && take(bytes, head.shape) && take(bytes, head.version.epoch) && take(bytes, head.version.position) &&
                       take(bytes, head.version.ordinal) && take(bytes, head.committed);
    if (!whole || head.kind > BusKind::whole || head.op > Op::insert) return std::nullopt;
    return head;
}

bool take_row(std::string_view bytes, Batch& rows) {
    const std::size_t first = rows.cells().size();
    const auto taken = [&] {
        for (const ColumnInfo& column : rows.table().columns) {
            std::uint64_t size = 0;
            if (!take_size(bytes, size)) return false;
            if (size-- == 0) {
                rows.add_null();
                continue;
            }
            if (size > bytes.size() || !can_have(column.type, size)) return false;
            if (column.type.kind == TypeKind::array && !whole_array(bytes.substr(0, size), *column.type.element)) return false;
            rows.add(bytes.data(), size);
            bytes.remove_prefix(size);
        }
        return bytes.empty();
    };
    if (taken()) return true;
    rows.drop_cells_from(first);
    return false;
}

std::optional<BusMark> take_mark(std::string_view bytes) try {
    BusMark mark;
    if (!take(bytes, mark.number)) return std::nullopt;
    const json body = json::parse(bytes);
    mark.reason = body.value("reason", "");
    for (const json& each : body.value("changes", json::array())) {
        ColumnChange change;
        change.kind = static_cast<ColumnChange::Kind>(place_of(change_names, each.at("kind")));
        change.column = each.at("column");
        change.before = each.at("before");
        change.type = type_of(each.at("type"));
        if (each.contains("fill")) change.fill = each.at("fill").get<std::string>();
        mark.changes.push_back(std::move(change));
    }
    return mark;
} catch (const json::exception&) {
    return std::nullopt;
} catch (const Error&) {
    return std::nullopt;
}

std::string shape_json(const TableInfo& table) {
    json columns = json::array();
    for (const ColumnInfo& column : table.columns) {
        columns.push_back({{"name", column.name}, {"number", column.number}, {"comment", column.comment}, {"type", type_json(column.type)}});
    }
    return json{{"schema", table.ref.schema}, {"table", table.ref.table}, {"key", table.key}, {"columns", std::move(columns)}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

TableInfo parse_shape(std::string_view text) try {
    const json in = json::parse(text);
    TableInfo table;
    table.ref = {in.at("schema"), in.at("table")};
    for (const json& each : in.at("columns")) {
        ColumnInfo column;
        column.name = each.at("name");
        column.number = each.at("number");
        column.comment = each.at("comment");
        column.type = type_of(each.at("type"));
        table.columns.push_back(std::move(column));
    }
    table.key = in.at("key").get<std::vector<std::uint32_t>>();
    for (const std::uint32_t k : table.key) {
        if (k >= table.columns.size()) throw Error(Code::rejected, "a key of columns that are not there");
    }
    return table;
} catch (const json::exception& error) {
    throw Error(Code::rejected, std::string("no description of a table: ") + error.what());
}

std::uint64_t shape_hash(std::string_view json) { return xxh128(json.data(), json.size()).low; }

}  // namespace ysdb::kafka
