#include "core/store/kafka/debezium_event.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/error.h"
#include "core/value/columns.h"
#include "core/value/show.h"
#include "core/value/text_form.h"

namespace ysdb::kafka {

namespace {

using nlohmann::json;

constexpr std::string_view unavailable = "__debezium_unavailable_value";

template <class Number>
void add_number(Batch& rows, Number number) { rows.add(&number, sizeof number); }

int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : -1; }

// Fixed digits; nothing when there is something else.
std::optional<std::int64_t> digits(std::string_view& text, std::size_t least, std::size_t most) {
    std::int64_t number = 0;
    std::size_t count = 0;
    while (count < most && count < text.size() && digit(text[count]) >= 0) number = number * 10 + digit(text[count++]);
    if (count < least) return std::nullopt;
    text.remove_prefix(count);
    return number;
}
bool skip(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
}

// By Howard Hinnant's algorithm, as civil_date() the other way.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
    year -= month <= 2 ? 1 : 0;
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const std::int64_t of_era = year - era * 400;
    const std::int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

// "2026-01-31T12:34:56.000001Z", years of any length and sign.
std::optional<std::int64_t> instant(std::string_view text) {
    const bool before = skip(text, '-');
    if (!before) skip(text, '+');
    const auto year = digits(text, 4, 7);
    if (!year || !skip(text, '-')) return std::nullopt;
    const auto month = digits(text, 2, 2);
    if (!month || !skip(text, '-')) return std::nullopt;
    const auto day = digits(text, 2, 2);
    if (!day || !skip(text, 'T')) return std::nullopt;
    const auto hour = digits(text, 2, 2);
    if (!hour || !skip(text, ':')) return std::nullopt;
    const auto minute = digits(text, 2, 2);
    if (!minute) return std::nullopt;
    std::int64_t second = 0, micros = 0;
    if (skip(text, ':')) {
        const auto told = digits(text, 2, 2);
        if (!told) return std::nullopt;
        second = *told;
        if (skip(text, '.')) {
            const std::size_t size = text.size();
            const auto part = digits(text, 1, 6);
            if (!part) return std::nullopt;
            micros = *part;
            for (std::size_t count = size - text.size(); count < 6; ++count) micros *= 10;
        }
    }
    if (text != "Z") return std::nullopt;
    return ((days_of(before ? -*year : *year, *month, *day) * 24 + *hour) * 60 + *minute) * 60'000'000 + second * 1'000'000 + micros;
}

// "P1Y2M-3DT4H5M6.789S", each part with its own sign.
std::optional<Interval> iso_interval(std::string_view text) {
    Interval interval;
    if (!skip(text, 'P')) return std::nullopt;
    bool time = false;
    while (!text.empty()) {
        if (skip(text, 'T')) {
            time = true;
            continue;
        }
        const bool negative = skip(text, '-');
        const std::int64_t sign = negative ? -1 : 1;
        const auto whole = digits(text, 1, 18);
        if (!whole) return std::nullopt;
        std::int64_t micros = 0;
        if (skip(text, '.')) {
            const std::size_t size = text.size();
            const auto part = digits(text, 1, 6);
            if (!part) return std::nullopt;
            micros = *part;
            for (std::size_t count = size - text.size(); count < 6; ++count) micros *= 10;
        }
        if (text.empty()) return std::nullopt;
        const char unit = text.front();
        text.remove_prefix(1);
        if (micros != 0 && unit != 'S') return std::nullopt;
        if (!time && unit == 'Y') interval.months += static_cast<std::int32_t>(sign * *whole * 12);
        else if (!time && unit == 'M') interval.months += static_cast<std::int32_t>(sign * *whole);
        else if (!time && unit == 'D') interval.days += static_cast<std::int32_t>(sign * *whole);
        else if (time && unit == 'H') interval.micros += sign * *whole * 3'600'000'000;
        else if (time && unit == 'M') interval.micros += sign * *whole * 60'000'000;
        else if (time && unit == 'S') interval.micros += sign * (*whole * 1'000'000 + micros);
        else return std::nullopt;
    }
    return interval;
}

std::optional<std::string> from_base64(std::string_view text) {
    std::string bytes;
    std::uint32_t bits = 0;
    int have = 0;
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    for (const char c : text) {
        int value = -1;
        if (c >= 'A' && c <= 'Z') value = c - 'A';
        else if (c >= 'a' && c <= 'z') value = c - 'a' + 26;
        else if (c >= '0' && c <= '9') value = c - '0' + 52;
        else if (c == '+' || c == '-') value = 62;
        else if (c == '/' || c == '_') value = 63;
        if (value < 0) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        bytes += static_cast<char>(bits >> have & 0xff);
    }
    return bytes;
}

bool add_uuid(Batch& rows, std::string_view text) {
    std::uint8_t bytes[16];
    std::size_t count = 0;
    for (const char c : text) {
        if (c == '-') continue;
        const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (value < 0 || count >= 32) return false;
        bytes[count / 2] = static_cast<std::uint8_t>(count % 2 == 0 ? value << 4 : bytes[count / 2] | value);
        ++count;
    }
    if (count != 32) return false;
    rows.add(bytes, sizeof bytes);
    return true;
}

bool add_decimal(Batch& rows, const json& value, const Type& type) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.is_number_integer() ? value.dump() : "";
    if (text == "NaN") return rows.add("N", 1), true;
    if (text == "POSITIVE_INFINITY" || text == "Infinity") return rows.add("+", 1), true;
    if (text == "NEGATIVE_INFINITY" || text == "-Infinity") return rows.add("-", 1), true;
    const auto unscaled = text.empty() ? std::nullopt : parse_decimal(text, type.scale);
    if (!unscaled || !fits_precision(*unscaled, type.precision)) return false;
    rows.add(unscaled->limbs.data(), type.precision <= 38 ? 16 : 32);
    return true;
}

template <class Float>
bool add_float(Batch& rows, const json& value) {
    if (value.is_number()) return add_number(rows, value.get<Float>()), true;
    if (!value.is_string()) return false;
    const std::string& text = value.get_ref<const std::string&>();
    if (text == "NaN") return add_number(rows, std::numeric_limits<Float>::quiet_NaN()), true;
    if (text == "Infinity") return add_number(rows, std::numeric_limits<Float>::infinity()), true;
    if (text == "-Infinity") return add_number(rows, -std::numeric_limits<Float>::infinity()), true;
    return false;
}

// Milliseconds where the column has at most three digits below the second, as the connector's adaptive modes have it for timestamps.
std::int64_t micros_of(std::int64_t told, const Type& type) {
    const auto open = type.native.find('(');
    return open != std::string::npos && type.native[open + 1] <= '3' ? told * 1000 : told;
}

bool add_cell(Batch& rows, const json& value, const Type& type);

bool add_array(Batch& rows, const json& value, const Type& type) {
    if (!value.is_array()) return false;
    TableInfo one;
    one.columns.push_back({"", *type.element});
    Batch elements(&one);
    for (const json& each : value) {
        if (each.is_null()) elements.add_null();
        else if (!add_cell(elements, each, *type.element)) return false;
    }
    rows.add_array(elements);
    return true;
}

bool add_text(Batch& rows, const std::string& text) {
    rows.add(text.data(), text.size());
    return true;
}

// False, and nothing added, when it is no value of the type as the connector writes them.
bool add_cell(Batch& rows, const json& value, const Type& type) {
    switch (type.kind) {
        case TypeKind::boolean:
            if (!value.is_boolean()) return false;
            return add_number(rows, static_cast<std::uint8_t>(value.get<bool>())), true;
        case TypeKind::int16:
        case TypeKind::int32:
        case TypeKind::int64:
            if (!value.is_number_integer()) return false;
            return add_number(rows, value.get<std::int64_t>()), true;
        case TypeKind::float32: return add_float<float>(rows, value);
        case TypeKind::float64: return add_float<double>(rows, value);
        case TypeKind::decimal: return add_decimal(rows, value, type);
        case TypeKind::uuid: return value.is_string() && add_uuid(rows, value.get_ref<const std::string&>());
        case TypeKind::date:
            if (!value.is_number_integer()) return false;
            return add_number(rows, value.get<std::int32_t>()), true;
        case TypeKind::time:
            if (!value.is_number_integer()) return false;
            return add_number(rows, value.get<std::int64_t>()), true;
        case TypeKind::timestamp:
            if (!value.is_number_integer()) return false;
            return add_number(rows, micros_of(value.get<std::int64_t>(), type)), true;
        case TypeKind::timestamptz: {
            const auto at = value.is_string() ? instant(value.get_ref<const std::string&>()) : std::nullopt;
            if (at) add_number(rows, *at);
            return at.has_value();
        }
        case TypeKind::interval: {
            const auto span = value.is_string() ? iso_interval(value.get_ref<const std::string&>()) : std::nullopt;
            if (!span) return false;
            std::uint8_t* to = rows.grow(16);
            std::memcpy(to, &span->micros, 8);
            std::memcpy(to + 8, &span->days, 4);
            std::memcpy(to + 12, &span->months, 4);
            return true;
        }
        case TypeKind::bytes: {
            const auto bytes = value.is_string() ? from_base64(value.get_ref<const std::string&>()) : std::nullopt;
            return bytes && add_text(rows, *bytes);
        }
        case TypeKind::array: return add_array(rows, value, type);
        case TypeKind::text:
        case TypeKind::numeric:
        case TypeKind::json:
        case TypeKind::enumeration:
        case TypeKind::other: return value.is_string() && add_text(rows, value.get_ref<const std::string&>());
        case TypeKind::uint8:
        case TypeKind::uint16:
        case TypeKind::uint32:
        case TypeKind::uint64:
        case TypeKind::uint128: return false;   // PostgreSQL has none
    }
    return false;
}

std::string why_not(const json& value, const Type& type) {
    if (value.is_string() && value.get_ref<const std::string&>() == unavailable) return "was not sent, since it is large and did not change: ALTER TABLE ... REPLICA IDENTITY FULL sends it";
    std::string shown = value.dump(-1, ' ', false, json::error_handler_t::replace);
    if (shown.size() > 60) shown = shown.substr(0, 60) + "...";
    std::string reason = shown + " is no " + type.native + " as Debezium's connector is to write it";
    if (type.kind == TypeKind::decimal || type.kind == TypeKind::numeric) reason += ": decimal.handling.mode=string";
    if (type.kind == TypeKind::interval) reason += ": interval.handling.mode=string";
    return reason;
}

}  // namespace

struct DebeziumEvent::Impl {
    json event;      // the envelope, without the schema it may have come with
    char op = 0;
    const json* row = nullptr;
};

DebeziumEvent::DebeziumEvent(std::string_view text) : impl_(std::make_unique<Impl>()) {
    try {
        impl_->event = json::parse(text);
        if (impl_->event.is_object() && impl_->event.contains("schema") && impl_->event.contains("payload")) impl_->event = json(std::move(impl_->event["payload"]));
        const json& source = impl_->event.at("source");
        const std::string op = impl_->event.at("op");
        if (source.at("connector") != "postgresql" || op.size() != 1 || std::string_view("crudtm").find(op[0]) == std::string_view::npos) throw Error(Code::rejected, "it is of another connector, or says nothing of a row");
        impl_->op = op[0];
        if (op == "m") return;
        source.at("schema").get_ref<const std::string&>();
        source.at("table").get_ref<const std::string&>();
        source.at("lsn").get<std::uint64_t>();
        if (op == "t") return;
        impl_->row = &impl_->event.at(op == "d" ? "before" : "after");
        if (!impl_->row->is_object()) throw Error(Code::rejected, "its row is not there");
    } catch (const json::exception& error) {
        throw Error(Code::rejected, std::string("it is no event of Debezium's: ") + error.what());
    }
}
DebeziumEvent::~DebeziumEvent() = default;

char DebeziumEvent::op() const { return impl_->op; }
TableRef DebeziumEvent::table() const {
    const json& source = impl_->event["source"];
    return {source.value("schema", ""), source.value("table", "")};
}
std::uint64_t DebeziumEvent::lsn() const { return impl_->event["source"].value("lsn", std::uint64_t{0}); }
std::int64_t DebeziumEvent::committed() const {
    const json& source = impl_->event["source"];
    const auto told = [&](const char* name, std::int64_t per) { return source.contains(name) && source[name].is_number_integer() ? source[name].get<std::int64_t>() * per : 0; };
    const std::int64_t micros = told("ts_us", 1);
    return micros != 0 ? micros : told("ts_ms", 1000);
}

std::optional<DebeziumEvent::Refusal> DebeziumEvent::add_row(Batch& rows) const {
    const TableInfo& table = rows.table();
    const std::size_t first = rows.cells().size();
    for (std::uint32_t c = 0; c < table.columns.size(); ++c) {
        const ColumnInfo& column = table.columns[c];
        const bool in_key = std::find(table.key.begin(), table.key.end(), c) != table.key.end();
        const auto found = impl_->row->find(column.name);
        if ((impl_->op == 'd' && !in_key) || found == impl_->row->end() || found->is_null()) {
            rows.add_null();
            if (!in_key) continue;
            rows.drop_cells_from(first);
            return Refusal{column.name, "is NULL or missing, and part of the primary key"};
        }
        const std::size_t before = rows.cells().size();
        bool added = !(found->is_string() && found->get_ref<const std::string&>() == unavailable);
        try {
            added = added && add_cell(rows, *found, column.type);
        } catch (const json::exception&) {
            added = false;   // a number beyond its type
        }
        if (added && rows.cells().size() == before + 1) continue;
        rows.drop_cells_from(first);
        return Refusal{column.name, why_not(*found, column.type)};
    }
    return std::nullopt;
}

std::string DebeziumEvent::key_text(const TableInfo& table) const {
    Batch row(&table);
    for (std::uint32_t c = 0; c < table.columns.size(); ++c) {
        const bool in_key = std::find(table.key.begin(), table.key.end(), c) != table.key.end();
        const auto found = impl_->row->find(table.columns[c].name);
        const std::size_t cells = row.cells().size();
        if (in_key && found != impl_->row->end() && !found->is_null() && add_cell(row, *found, table.columns[c].type)) continue;
        row.drop_cells_from(cells);
        row.add_null();
    }
    return show_key(row, 0);
}

std::string DebeziumEvent::strange_columns(const TableInfo& table) const {
    if (impl_->row == nullptr || impl_->op == 'd') return "";
    for (const ColumnInfo& column : table.columns) {
        if (!impl_->row->contains(column.name)) return "column " + column.name + " is not in its events";
    }
    if (impl_->row->size() == table.columns.size()) return "";
    for (const auto& [name, value] : impl_->row->items()) {
        if (find_column(table.columns, name) == nullptr) return "column " + name + " is new in its events";
    }
    return "";
}

}  // namespace ysdb::kafka
