#include "core/schema/draft.h"

namespace ysdb::schema {

namespace {

// Names below carry their schema, bodies of functions may name what comes later, and times in bounds of partitions are UTC.
constexpr std::string_view postgres_header =
    "SET check_function_bodies = false;\nSET client_min_messages = warning;\nSET search_path = '';\nSET timezone = 'UTC';\n";

}  // namespace

Schema read(Store& store, const ReadOptions& options, Deadline deadline) {
    SqlStore* sql = store.sql();
    if (sql == nullptr || sql->dialect() == Dialect::questdb) {
        throw Error(Code::refused, "store '" + store.name() + "' has no schema that can be read as DDL", "name a PostgreSQL or ClickHouse store");
    }
    return sql->dialect() == Dialect::clickhouse ? read_clickhouse(*sql, deadline) : read_postgres(*sql, options, deadline);
}

std::string dump(const Schema& schema) {
    const bool postgres = schema.dialect == Dialect::postgres;
    std::string text = std::string("-- The schema of a ") + (postgres ? "PostgreSQL" : "ClickHouse") + " database, written by: ysdb migrate dump\n";
    if (postgres) text += "\n" + std::string(postgres_header);
    for (const Object& object : schema.objects) text += "\n-- " + object.kind + " " + object.name + "\n" + object.ddl;
    return text;
}

}  // namespace ysdb::schema
