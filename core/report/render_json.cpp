#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error_name.h"
#include "core/report/render.h"

namespace ysdb {

namespace {

using Json = nlohmann::ordered_json;

// Tables may have many rows: they are written as text at once, indented as `dump` does; a tree of them would take most of a command's time.

std::string quoted(const std::string& text) {
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
    return plain ? '"' + text + '"' : Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_value(const Value& value) {
    if (std::holds_alternative<std::monostate>(value)) return "null";
    if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
    if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
    if (const auto* number = std::get_if<double>(&value)) return std::isfinite(*number) ? Json(*number).dump() : "null";
    return std::to_string(std::get<std::int64_t>(value));
}

// An object's or an array's members, `depth` deep.
class Members {
public:
    Members(char open, char close, int depth) : close_(close), indent_(static_cast<std::size_t>(2 * depth), ' '), text_(1, open) {}
    void add(const std::string& member) {
        begin();
        text_ += member;
    }
    void add(const std::string& name, const std::string& value) {
        begin();
        text_ += quoted(name);
        text_ += ": ";
        text_ += value;
    }
    std::string end() {
        if (!empty_) text_ += "\n" + indent_;
        return std::move(text_) + close_;
    }

private:
    void begin() {
        text_ += empty_ ? "\n" : ",\n";
        text_ += indent_;
        text_ += "  ";
        empty_ = false;
    }

    char close_;
    std::string indent_, text_;
    bool empty_ = true;
};

std::string json_row(const Table& table, const std::vector<Value>& row) {
    Members object('{', '}', 2);
    for (std::size_t i = table.keyed ? 1 : 0; i < table.columns.size(); ++i) object.add(table.columns[i].name, json_value(row[i]));
    return object.end();
}

std::string json_table(const Table& table) {
    Members rows(table.keyed ? '{' : '[', table.keyed ? '}' : ']', 1);
    for (const auto& row : table.rows) {
        if (table.keyed) rows.add(plain_value(row[0]), json_row(table, row));
        else rows.add(json_row(table, row));
    }
    return rows.end();
}

std::string json_checks(const std::vector<Check>& checks) {
    Members result('[', ']', 1);
    for (const Check& check : checks) {
        Members object('{', '}', 2);
        object.add("name", quoted(check.name));
        object.add("ok", json_value(check.state == CheckState::ok || check.state == CheckState::skipped));
        object.add("state", quoted(std::string(check_state_name(check.state))));
        object.add("detail", quoted(check.detail));
        object.add("hint", quoted(check.hint));
        result.add(object.end());
    }
    return result.end();
}

std::string json_lines(const std::vector<std::string>& lines) {
    Members result('[', ']', 1);
    for (const std::string& line : lines) result.add(quoted(line));
    return result.end();
}

std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string render_json(const Report& report) {
    Members json('{', '}', 0);
    json.add("schema", "1");
    if (!report.title.empty()) json.add("title", quoted(report.title));
    for (const Figure& figure : report.figures) json.add(figure.name, json_value(figure.value));
    for (const Table& table : report.tables) json.add(table.name, json_table(table));
    if (!report.checks.empty()) json.add("checks", json_checks(report.checks));
    if (report.document && report.title.empty() && report.figures.empty() && report.tables.empty() && report.checks.empty()) json.add("document", quoted(*report.document));
    if (!report.warnings.empty()) json.add("warnings", json_lines(report.warnings));
    if (!report.next.empty()) json.add("next", quoted(report.next));
    return json.end() + "\n";
}

std::string render_json(const Error& error) {
    Json body{{"code", std::string(code_name(error.code()))},
              {"exit_code", static_cast<int>(error.code())},
              {"message", error.message()},
              {"hint", error.hint()}};
    if (!error.server_code().empty()) body["server_code"] = error.server_code();
    if (error.retryable()) body["retryable"] = true;
    if (!error.excerpt().empty()) body["excerpt"] = error.excerpt();
    return dump({{"schema", 1}, {"error", std::move(body)}});
}

}  // namespace ysdb
