#include "core/migrate/lint/column_type.h"

#include <algorithm>

namespace ysdb::migrate::lint {

namespace {

bool text_like(const std::string& name) { return name == "text" || name == "varchar" || name == "citext"; }

bool one_of(const std::string& name, std::initializer_list<const char*> names) { return std::find(names.begin(), names.end(), name) != names.end(); }

}  // namespace

bool change_rewrites(const ColumnType& from, const ColumnType& to) {
    if (text_like(from.name) && text_like(to.name)) {
        if (to.modifiers.empty()) return false;
        return from.name != "varchar" || from.modifiers.empty() || to.modifiers[0] < from.modifiers[0];
    }
    if (from.name == "cidr" && to.name == "inet") return false;
    if (from.name == "xml" && (to.name == "text" || to.name == "varchar")) return !to.modifiers.empty();
    if (from.name != to.name) return true;
    if (from.modifiers == to.modifiers || to.modifiers.empty()) return from.name == "bpchar" && from.modifiers != to.modifiers;
    if (from.modifiers.empty()) return true;
    if (from.name == "numeric") {
        const auto scale = [](const ColumnType& type) { return type.modifiers.size() > 1 ? type.modifiers[1] : 0; };
        return scale(from) != scale(to) || to.modifiers[0] < from.modifiers[0];
    }
    if (one_of(from.name, {"varbit", "timestamp", "timestamptz", "time", "timetz"})) return to.modifiers[0] < from.modifiers[0];
    return true;
}

ColumnType type_from_catalog(const std::string& name, long modifier) {
    ColumnType type{name, {}};
    if (name.size() > 1 && name[0] == '_') type.name = name.substr(1) + "[]";
    if (modifier < 0) return type;
    if (name == "varchar" || name == "bpchar") type.modifiers = {static_cast<int>(modifier - 4)};
    else if (name == "numeric") type.modifiers = {static_cast<int>((modifier - 4) >> 16 & 0xffff), static_cast<int>((modifier - 4) & 0x7ff)};
    else type.modifiers = {static_cast<int>(modifier)};
    return type;
}

}  // namespace ysdb::migrate::lint
