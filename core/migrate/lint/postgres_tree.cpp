#include "core/migrate/lint/postgres_tree.h"

#include <algorithm>

namespace ysdb::migrate::lint {

std::string_view string_value(Node node) { return node.as("String")["sval"].text(); }

std::string sql_name(std::string_view name) {
    const bool plain = !name.empty() && (name[0] < '0' || name[0] > '9') && std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
    if (plain) return std::string(name);
    std::string out = "\"";
    for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
}

ColumnType type_of(Node type_name) {
    ColumnType type;
    for (Node part : type_name["names"]) {
        const std::string_view name = string_value(part);
        if (name == "pg_catalog") continue;
        type.name += (type.name.empty() ? "" : ".") + std::string(name);
    }
    for (Node modifier : type_name["typmods"]) {
        const Node constant = modifier.as("A_Const");
        if (constant) type.modifiers.push_back(static_cast<int>(constant["ival"]["ival"].integer()));
    }
    if (type_name["arrayBounds"]) type.name += "[]";
    return type;
}

Node constraint_of(Node column, std::string_view kind) {
    for (Node wrapped : column["constraints"]) {
        if (const Node constraint = wrapped.as("Constraint"); constraint["contype"].is(kind)) return constraint;
    }
    return {};
}

std::size_t location(Node node) { return static_cast<std::size_t>(std::max<std::int64_t>(0, node["location"].integer())); }

}  // namespace ysdb::migrate::lint
