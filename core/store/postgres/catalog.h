// What the system catalogs say about a table.
#pragma once

#include "core/store/store.h"

namespace ysdb::postgres {

// Throws Error(refused) when there is no such table or it is not readable.
TableInfo describe(SqlSession& session, const std::string& store, const TableRef& table, Deadline deadline);

// The same table with only the columns that are written.
TableInfo without_generated(const TableInfo& info);

// A column's type as pg_attribute and the replication protocol name it.
struct DeclaredType {
    std::uint32_t oid = 0;
    std::int32_t modifier = -1;
};
// Their types, in order; one that is gone from the catalog is `other`.
std::vector<Type> types_of(SqlSession& session, std::span<const DeclaredType> declared, Deadline deadline);

// Type from pg_type's facts. `base` is the underlying type's name (domains resolved): "int4", "numeric", "_text".
Type type_of(const std::string& base, char kind, int typmod, const std::string& formatted);

}  // namespace ysdb::postgres
