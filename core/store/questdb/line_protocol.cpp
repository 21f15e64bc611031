#include "core/store/questdb/line_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "core/base/error.h"
#include "core/value/kinds.h"
#include "core/value/show.h"

namespace ysdb::questdb {

namespace {

template <class Value>
Value load(std::span<const std::uint8_t> cell) {
    Value value{};
    std::memcpy(&value, cell.data(), sizeof value);
    return value;
}

void add_escaped(std::string& out, std::string_view text, std::string_view special) {
    for (const char c : text) {
        if (special.find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
}

constexpr std::string_view in_names = " ,=\\\n\r";
constexpr std::string_view in_strings = "\"\\\n\r";

// QuestDB's largest integer has a sign.
bool is_whole(TypeKind kind) { return is_integer(kind) && kind != TypeKind::uint64; }
bool is_text(TypeKind kind) { return kind == TypeKind::text || kind == TypeKind::enumeration || kind == TypeKind::json || kind == TypeKind::numeric; }
bool is_timestamp(TypeKind kind) { return kind == TypeKind::timestamp || kind == TypeKind::timestamptz; }

// The text of a cell, for every type but the floats: those have no exact one.
std::string text_of(std::span<const std::uint8_t> cell, const Type& type) {
    if (is_text(type.kind)) return {reinterpret_cast<const char*>(cell.data()), cell.size()};
    return type.kind == TypeKind::decimal ? show_decimal(cell, type.scale) : is_whole(type.kind) ? std::to_string(load<std::int64_t>(cell)) : show_cell(cell, type);
}

}  // namespace

LineEncoder::LineEncoder(const std::string& store, const TableInfo& table, const std::vector<TargetColumn>& target) : store_(store) {
    add_escaped(table_, table.ref.table, in_names);
    const auto refuse = [&](const std::string& reason) { throw Error(Code::refused, "store '" + store + "': cannot load " + table.ref.text() + ": " + reason); };
    bool has_timestamp = false;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const ColumnInfo& from = table.columns[i];
        const auto to = std::find_if(target.begin(), target.end(), [&](const TargetColumn& column) { return column.name == from.name; });
        if (to == target.end()) refuse("it has no column " + from.name);
        const TypeKind kind = from.type.kind;
        if (to->designated) {
            if (!is_timestamp(kind)) refuse("its timestamp " + from.name + " wants a timestamp");
            timestamp_ = i;
            has_timestamp = true;
            continue;
        }
        const std::string type = to->type.substr(0, to->type.find('('));
        Column column{i, {}, Form::string, true, 0};
        add_escaped(column.name, from.name, in_names);
        const bool number = is_whole(kind) || kind == TypeKind::decimal || kind == TypeKind::numeric;
        const bool floating = kind == TypeKind::float32 || kind == TypeKind::float64;
        bool fits = false;
        if (type == "SYMBOL" || type == "STRING" || type == "VARCHAR" || type == "CHAR") {
            column.form = type == "SYMBOL" ? Form::symbol : Form::string;
            fits = is_text(kind) || number || kind == TypeKind::uuid;
        } else if (type == "UUID") {
            fits = kind == TypeKind::uuid;
        } else if (type == "BOOLEAN") {
            column.form = Form::boolean;
            column.nullable = false;
            fits = kind == TypeKind::boolean;
        } else if (type == "BYTE" || type == "SHORT" || type == "INT" || type == "LONG") {
            column.form = Form::integer;
            column.nullable = type == "INT" || type == "LONG";
            column.null_value = type == "INT" ? std::numeric_limits<std::int32_t>::min() : std::numeric_limits<std::int64_t>::min();
            fits = is_whole(kind);
        } else if (type == "FLOAT" || type == "DOUBLE") {
            column.form = Form::floating;
            fits = number || floating;
        } else if (type == "DECIMAL") {
            column.form = Form::decimal;
            fits = number;
        } else if (type == "TIMESTAMP" || type == "DATE") {
            column.form = Form::timestamp;
            fits = is_timestamp(kind) || kind == TypeKind::date;
        }
        if (!fits) refuse("column " + from.name + " of type " + to->type + " cannot take " + (from.type.native.empty() ? "these values" : from.type.native));
        (column.form == Form::symbol ? symbols_ : fields_).push_back(std::move(column));
    }
    if (!has_timestamp) refuse("the rows have no value for the table's timestamp");
}

void LineEncoder::encode(const Batch& batch, std::string& out) const {
    for (std::size_t row = 0; row < batch.rows(); ++row) {
        out += table_;
        const std::size_t bare = out.size();
        for (const Column& column : symbols_) {
            if (batch.cell(row, column.index).is_null()) continue;
            out += ',' + column.name + '=';
            add_escaped(out, text_of(batch.value(row, column.index), batch.table().columns[column.index].type), in_names);
        }
        char separator = ' ';
        for (const Column& column : fields_) {
            if (batch.cell(row, column.index).is_null()) {
                if (!column.nullable) reject(batch, row, column.index, "QuestDB has no NULL of this type");
                continue;
            }
            out += separator + column.name + '=';
            add_value(batch, row, column, out);
            separator = ',';
        }
        if (out.size() == bare) reject(batch, row, timestamp_, "a row needs a value besides its timestamp");
        if (batch.cell(row, timestamp_).is_null()) reject(batch, row, timestamp_, "the table's timestamp cannot be NULL");
        fmt::format_to(std::back_inserter(out), " {}\n", load<std::int64_t>(batch.value(row, timestamp_)));
    }
}

void LineEncoder::add_value(const Batch& batch, std::size_t row, const Column& column, std::string& out) const {
    const Type& type = batch.table().columns[column.index].type;
    const auto cell = batch.value(row, column.index);
    const auto into = std::back_inserter(out);
    switch (column.form) {
        case Form::symbol: break;
        case Form::boolean: out += cell[0] != 0 ? 't' : 'f'; break;
        case Form::integer: {
            const auto value = load<std::int64_t>(cell);
            if (column.nullable && value == column.null_value) reject(batch, row, column.index, "QuestDB takes this number for NULL");
            fmt::format_to(into, "{}i", value);
            break;
        }
        case Form::floating:
        case Form::decimal:
            if (type.kind == TypeKind::float32 || type.kind == TypeKind::float64) {
                const double value = type.kind == TypeKind::float32 ? static_cast<double>(load<float>(cell)) : load<double>(cell);
                if (!std::isfinite(value)) reject(batch, row, column.index, "QuestDB takes this number for NULL");
                fmt::format_to(into, "{}", value);
            } else {
                const std::string text = text_of(cell, type);
                if (text.find_first_not_of("0123456789+-.eE") != std::string::npos) reject(batch, row, column.index, "QuestDB has no " + text);
                out += text;
                if (column.form == Form::decimal) out += 'd';
            }
            break;
        case Form::string:
            out += '"';
            add_escaped(out, text_of(cell, type), in_strings);
            out += '"';
            break;
        case Form::timestamp: {
            constexpr std::int64_t day = 86'400'000'000;
            const std::int64_t micros = type.kind == TypeKind::date ? load<std::int32_t>(cell) * day : load<std::int64_t>(cell);
            fmt::format_to(into, "{}t", micros);
            break;
        }
    }
}

void LineEncoder::reject(const Batch& batch, std::size_t row, std::size_t column, const std::string& reason) const {
    throw Error(Code::rejected, "store '" + store_ + "': cannot load " + batch.table().ref.text() + ": " + show_key(batch, row) + ": " +
                                    batch.table().columns[column].name + ": " + reason);
}

}  // namespace ysdb::questdb
