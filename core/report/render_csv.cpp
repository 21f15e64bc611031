#include "core/report/render.h"

namespace ysdb {

namespace {

std::string field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + "\"";
}

std::string line(const std::vector<std::string>& fields) {
    std::string out;
    for (std::size_t i = 0; i < fields.size(); ++i) out += (i > 0 ? "," : "") + field(fields[i]);
    return out + "\n";
}

std::string table_csv(const Table& table) {
    std::vector<std::string> header;
    for (const Column& column : table.columns) header.push_back(column.name);
    std::string out = line(header);
    for (const auto& row : table.rows) {
        std::vector<std::string> fields;
        for (const Value& value : row) fields.push_back(plain_value(value));
        out += line(fields);
    }
    return out;
}

}  // namespace

std::string render_csv(const Report& report) {
    std::string out;
    for (const Table& table : report.tables) out += (out.empty() ? "" : "\n") + table_csv(table);
    if (!out.empty()) return out;
    if (!report.checks.empty()) {
        out = line({"name", "state", "detail", "hint"});
        for (const Check& check : report.checks)
            out += line({check.name, std::string(check_state_name(check.state)), check.detail, check.hint});
    } else if (!report.figures.empty()) {
        out = line({"name", "value"});
        for (const Figure& figure : report.figures) out += line({figure.name, plain_value(figure.value)});
    } else if (report.document) {
        out = *report.document;
    }
    return out;
}

}  // namespace ysdb
