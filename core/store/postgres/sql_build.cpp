#include "core/store/postgres/sql_build.h"

namespace ysdb::postgres {

namespace {
std::string doubled(std::string_view text, char mark) {
    std::string quoted(1, mark);
    for (const char c : text) {
        quoted += c;
        if (c == mark) quoted += c;
    }
    return quoted + mark;
}
}  // namespace

std::string quote(std::string_view identifier) { return doubled(identifier, '"'); }

std::string quote(const TableRef& table) { return table.schema.empty() ? quote(table.table) : quote(table.schema) + "." + quote(table.table); }

std::string literal(std::string_view text) {
    const std::string quoted = doubled(text, '\'');
    if (text.find('\\') == std::string_view::npos) return quoted;
    std::string escaped = " E";  // E'' whatever standard_conforming_strings says
    for (const char c : quoted) {
        escaped += c;
        if (c == '\\') escaped += c;
    }
    return escaped;
}

std::string copy_expression(const ColumnInfo& column) {
    const Type& type = column.type;
    const bool as_text = type.kind == TypeKind::other || (type.kind == TypeKind::array && type.element->kind == TypeKind::other);
    if (!as_text) return quote(column.name);
    // What the type's output function prints, as the replication stream has it: a cast to text may say more (inet's says /32).
    const std::string name = quote(column.name);
    if (type.kind == TypeKind::array) return type.element->native == "inet" ? name + "::text::text[]" : name + "::text[]";
    return type.native == "inet" ? "CASE WHEN " + name + " IS NOT NULL THEN format('%s', " + name + ") END" : name + "::text";
}

}  // namespace ysdb::postgres
