#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/time.h"
#include "core/report/render.h"

namespace ysdb {

namespace {

std::string human_number(double number, Unit unit) {
    if (!std::isfinite(number)) return fmt::format("{}", number);
    switch (unit) {
        case Unit::count:
            return human_count(number);
        case Unit::bytes:
            return human_bytes(number);
        case Unit::seconds:
            return human_duration(number);
        case Unit::rows_per_s:
            return human_count(number) + " rows/s";
        case Unit::bytes_per_s:
            return human_bytes(number) + "/s";
        case Unit::ratio:
            return fmt::format("{:.2f}x", number);
        case Unit::percent:
            return fmt::format("{:.1f} %", number);
        case Unit::none:
            break;
    }
    return fmt::format("{:.6g}", number);
}

}  // namespace

std::string human_value(const Value& value, Unit unit) {
    if (std::holds_alternative<std::monostate>(value)) return "-";
    if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "yes" : "no";
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* number = std::get_if<double>(&value)) return human_number(*number, unit);
    const auto number = std::get<std::int64_t>(value);
    return unit == Unit::none ? std::to_string(number) : human_number(static_cast<double>(number), unit);
}

std::string plain_value(const Value& value) {
    if (std::holds_alternative<std::monostate>(value)) return "";
    if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
    return std::to_string(std::get<std::int64_t>(value));
}

std::string heading(const std::string& title, const std::string& name) {
    if (!title.empty()) return title;
    std::string words = name;
    std::replace(words.begin(), words.end(), '_', ' ');
    return words;
}

Table for_people(const Table& table) {
    Table result{table.name, table.title, {}, std::vector<std::vector<Value>>(table.rows.size()), table.keyed};
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const auto empty = [&](const std::vector<Value>& row) { return std::holds_alternative<std::monostate>(row[i]); };
        if (table.columns[i].programs_only) continue;
        if (!table.rows.empty() && std::all_of(table.rows.begin(), table.rows.end(), empty)) continue;
        result.columns.push_back(table.columns[i]);
        for (std::size_t row = 0; row < table.rows.size(); ++row) result.rows[row].push_back(table.rows[row][i]);
    }
    return result;
}

std::string_view check_state_name(CheckState state) {
    switch (state) {
        case CheckState::ok:
            return "ok";
        case CheckState::warn:
            return "warn";
        case CheckState::fail:
            return "fail";
        case CheckState::skipped:
            return "skipped";
    }
    return "";
}

}  // namespace ysdb
