// What is asked of PostgreSQL's catalogs. Every select gives the columns of a Draft:
// phase, place, kind, key, table, name, ddl, needs (keys, separated by blanks), partition.
#pragma once

#include <string>

namespace ysdb::schema {

// Everything that is one row of a catalog. `version` as server_version_num.
std::string objects_select(int version, bool grants);
// Tables without their columns: key, name, create ("CREATE TABLE public.t"), behind the columns, statements after, parents, partition.
std::string tables_select();
// Their columns, by table and position: table's key, declaration, default, key of the default, statements after, inherited.
std::string columns_select();
// Their checks: table's key, key, name, definition, separate, statements after.
std::string checks_select();
// dependent, referenced: keys.
std::string dependencies_select();
// alias, key: of what has no draft of its own (row types, indexes behind constraints, members of extensions).
std::string aliases_select();
// "operator class public.my_ops": what no other select covers.
std::string left_out_select();

}  // namespace ysdb::schema
