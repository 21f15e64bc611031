#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error_name.h"
#include "core/report/render.h"

namespace ysdb {

namespace {

using Json = nlohmann::ordered_json;

Json json_value(const Value& value) {
    if (std::holds_alternative<std::monostate>(value)) return nullptr;
    if (const auto* truth = std::get_if<bool>(&value)) return *truth;
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* number = std::get_if<double>(&value)) return std::isfinite(*number) ? Json(*number) : Json(nullptr);
    return std::get<std::int64_t>(value);
}

Json json_table(const Table& table) {
    Json result = table.keyed ? Json::object() : Json::array();
    for (const auto& row : table.rows) {
        Json object = Json::object();
        for (std::size_t i = table.keyed ? 1 : 0; i < table.columns.size(); ++i)
            object[table.columns[i].name] = json_value(row[i]);
        if (table.keyed)
            result[plain_value(row[0])] = std::move(object);
        else
            result.push_back(std::move(object));
    }
    return result;
}

Json json_checks(const std::vector<Check>& checks) {
    Json result = Json::array();
    for (const Check& check : checks) {
        result.push_back({{"name", check.name},
                          {"ok", check.state == CheckState::ok || check.state == CheckState::skipped},
                          {"state", std::string(check_state_name(check.state))},
                          {"detail", check.detail},
                          {"hint", check.hint}});
    }
    return result;
}

std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string render_json(const Report& report) {
    Json json{{"schema", 1}};
    if (!report.title.empty()) json["title"] = report.title;
    for (const Figure& figure : report.figures) json[figure.name] = json_value(figure.value);
    for (const Table& table : report.tables) json[table.name] = json_table(table);
    if (!report.checks.empty()) json["checks"] = json_checks(report.checks);
    if (report.document && json.size() == 1) json["document"] = *report.document;
    if (!report.warnings.empty()) json["warnings"] = report.warnings;
    if (!report.next.empty()) json["next"] = report.next;
    return dump(json);
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
