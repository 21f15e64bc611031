#include <algorithm>

#include "core/schema_doc/model.h"

namespace ysdb::schema_doc {

namespace {

// Mermaid takes letters, digits, brackets and underscores in a type: numeric(36,18) becomes numeric, timestamp with time zone timestamptz.
std::string short_type(std::string type) {
    const auto shorten = [&](std::string_view prefix, std::string_view name) {
        if (type.starts_with(prefix)) type = std::string(name) + (type.ends_with("[]") ? "[]" : "");
    };
    shorten("character varying", "varchar");
    shorten("timestamp with time zone", "timestamptz");
    shorten("timestamp without time zone", "timestamp");
    shorten("double precision", "float8");
    if (const auto bracket = type.find('('); bracket != std::string::npos) type.erase(bracket);
    std::replace(type.begin(), type.end(), ' ', '_');
    return type;
}

std::string entity(const DocumentedTable& table) {
    std::string out = "    " + table.name + " {\n";
    for (const DocumentedColumn& column : table.columns) {
        std::string keys;
        for (const auto& [is, name] : {std::pair(column.primary, "PK"), std::pair(column.foreign, "FK"), std::pair(column.unique, "UK")}) {
            if (is) keys += (keys.empty() ? " " : ", ") + std::string(name);
        }
        out += "        " + short_type(column.type) + " " + column.name + keys + "\n";
    }
    return out + "    }\n";
}

std::string entities(const SchemaModel& model) {
    std::string out = "erDiagram\n";
    for (const DocumentedTable& table : model.tables) {
        if (table.kind == Kind::table) out += entity(table);
    }
    for (const DocumentedTable& table : model.tables) {
        for (const Reference& reference : table.references) {
            std::string columns;
            for (const std::string& column : reference.columns) columns += (columns.empty() ? "" : ", ") + column;
            out += "    " + reference.table + (reference.optional ? " |o--o{ " : " ||--o{ ") + table.name + " : \"" + columns + "\"\n";
        }
    }
    return out;
}

// Boxes are tables, rounded boxes views; a solid arrow moves rows on insert, a dotted one reads when asked.
std::string flow(const SchemaModel& model) {
    std::string out = "flowchart LR\n";
    for (const DocumentedTable& table : model.tables) out += "    " + table.name + (table.kind == Kind::table ? "[" + table.name + "]\n" : "([" + table.name + "])\n");
    for (const DocumentedTable& table : model.tables) {
        for (const std::string& source : table.reads) {
            out += "    " + source + (table.kind == Kind::materialized_view ? " --> " : " -.-> ") + table.name + "\n";
        }
        if (!table.writes.empty()) out += "    " + table.name + " --> " + table.writes + "\n";
    }
    return out;
}

}  // namespace

std::string diagram(const SchemaModel& model) { return model.product == "PostgreSQL" ? entities(model) : flow(model); }

}  // namespace ysdb::schema_doc
