// One reader a dialect; read_schema chooses.
#pragma once

#include "core/schema_doc/model.h"

namespace ysdb::schema_doc {

SchemaModel read_postgres(SqlStore& sql, const std::string& schema, Deadline deadline);
SchemaModel read_clickhouse(SqlStore& sql, const std::string& schema, Deadline deadline);

DocumentedTable& table_named(SchemaModel& model, const std::string& name);

}  // namespace ysdb::schema_doc
