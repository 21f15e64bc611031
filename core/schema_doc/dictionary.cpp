#include <algorithm>

#include "core/base/text.h"
#include "core/schema_doc/model.h"

namespace ysdb::schema_doc {

namespace {

// In a cell of a markdown table.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += "\\|";
        else if (c == '\n') out += ' ';
        else out += c;
    }
    return out;
}

std::string code(std::string_view text) { return text.empty() ? "" : "`" + cell(text) + "`"; }

void add_cell(const std::string& text, std::string& out) { out += text.empty() ? " |" : " " + text + " |"; }

std::string heading_of(Kind kind) {
    return kind == Kind::table ? "Tables" : kind == Kind::view ? "Views" : "Materialized views";
}

void add_columns(const DocumentedTable& table, bool clickhouse, std::string& out) {
    const bool has_comments = std::any_of(table.columns.begin(), table.columns.end(), [](const auto& c) { return !c.comment.empty(); });
    const bool stored = table.kind == Kind::table;
    std::string head = "| column | type |", rule = "| --- | --- |";
    const auto add_head = [&](bool wanted, std::string_view title) {
        if (!wanted) return;
        head += " " + std::string(title) + " |";
        rule += " --- |";
    };
    add_head(stored, "null");
    add_head(stored, "default");
    add_head(stored && clickhouse, "codec");
    add_head(stored, "key");
    add_head(has_comments, "what it is");
    out += head + "\n" + rule + "\n";
    for (const DocumentedColumn& column : table.columns) {
        out += "| " + code(column.name) + " | " + code(column.type) + " |";
        if (stored) {
            std::string key = column.primary ? (clickhouse ? "sorting" : "primary") : "";
            if (column.unique) key += std::string(key.empty() ? "" : ", ") + "unique";
            if (column.foreign) key += std::string(key.empty() ? "" : ", ") + "foreign";
            add_cell(column.nullable ? "yes" : "", out);
            add_cell(code(column.fallback), out);
            if (clickhouse) add_cell(code(column.codec), out);
            add_cell(key, out);
        }
        if (has_comments) add_cell(cell(column.comment), out);
        out += "\n";
    }
}

void add_properties(std::string_view title, const std::vector<Property>& properties, std::string& out) {
    if (properties.empty()) return;
    out += "\n" + std::string(title) + "\n\n";
    for (const Property& property : properties) out += "- `" + property.name + "`: `" + property.text + "`\n";
}

void add_table(const DocumentedTable& table, bool clickhouse, std::string& out) {
    out += "\n#### " + table.name + "\n\n";
    if (!table.comment.empty()) out += table.comment + ".\n\n";
    for (const Property& fact : table.facts) out += "- " + fact.name + " `" + fact.text + "`\n";
    if (!table.facts.empty()) out += "\n";
    if (!table.reads.empty()) {
        out += "Reads " + join(table.reads, ", ");
        if (!table.writes.empty()) out += ", writes " + table.writes + " on every insert";
        out += ".\n";
    }
    // What a ClickHouse materialized view yields is its target's columns.
    if (!table.writes.empty()) return;
    if (!table.reads.empty()) out += "\n";
    add_columns(table, clickhouse, out);
    add_properties("Constraints:", table.constraints, out);
    add_properties("Indexes:", table.indexes, out);
    add_properties("Triggers:", table.triggers, out);
}

void add_list(std::string_view title, const std::vector<Property>& items, std::string& out) {
    if (items.empty()) return;
    out += "\n### " + std::string(title) + "\n\n";
    for (const Property& item : items) out += "- `" + item.name + "`" + (item.text.empty() ? "" : ": " + item.text) + "\n";
}

}  // namespace

std::string dictionary(const std::vector<SchemaModel>& models) {
    std::string out = "# The schema, from the live catalog\n\nPrinted by `ysdb schema dictionary`; do not edit.\n";
    for (const SchemaModel& model : models) {
        const bool clickhouse = model.product == "ClickHouse";
        out += "\n## " + model.product + " (store `" + model.store + "`)\n\n```mermaid\n" + diagram(model) + "```\n";
        add_list("Types", model.types, out);
        for (const Kind kind : {Kind::table, Kind::materialized_view, Kind::view}) {
            bool first = true;
            for (const DocumentedTable& table : model.tables) {
                if (table.kind != kind) continue;
                if (first) out += "\n### " + heading_of(kind) + "\n";
                first = false;
                add_table(table, clickhouse, out);
            }
        }
        add_list("Functions", model.functions, out);
    }
    return out;
}

}  // namespace ysdb::schema_doc
