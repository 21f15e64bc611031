// PostgreSQL's column types, as far as it takes to tell which changes of a type rewrite the table.
#pragma once

#include <string>
#include <vector>

namespace ysdb::migrate::lint {

struct ColumnType {
    std::string name;                // as the catalog names it: "int4", "varchar", "numeric", "int4[]"; empty: not known
    std::vector<int> modifiers;      // varchar(20): {20}; numeric(10,2): {10, 2}; none: unlimited

    bool known() const { return !name.empty(); }
};

// False only when the server changes nothing but its catalog (PostgreSQL 12 and later; timestamp to timestamptz counts as rewrite,
// since only a session at UTC is spared it).
bool change_rewrites(const ColumnType& from, const ColumnType& to);

// From pg_attribute: pg_type.typname and atttypmod.
ColumnType type_from_catalog(const std::string& name, long modifier);

}  // namespace ysdb::migrate::lint
