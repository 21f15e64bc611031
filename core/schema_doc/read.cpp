#include "core/schema_doc/read.h"

#include <algorithm>

namespace ysdb::schema_doc {

SchemaModel read_schema(Store& store, const std::string& schema, Deadline deadline) {
    SqlStore* sql = store.sql();
    if (sql == nullptr || sql->dialect() == Dialect::questdb) throw Error(Code::refused, "store '" + store.name() + "' has no catalog that can be documented");
    SchemaModel model = sql->dialect() == Dialect::postgres ? read_postgres(*sql, schema, deadline) : read_clickhouse(*sql, schema, deadline);
    model.store = store.name();
    if (model.tables.empty()) throw Error(Code::refused, "store '" + store.name() + "': no tables in schema " + model.schema, "migrate first, or name another: --schema NAME");
    return model;
}

DocumentedTable& table_named(SchemaModel& model, const std::string& name) {
    const auto found = std::find_if(model.tables.begin(), model.tables.end(), [&](const DocumentedTable& table) { return table.name == name; });
    if (found == model.tables.end()) throw Error(Code::internal, "the catalog names a table that it does not list: " + name);
    return *found;
}

}  // namespace ysdb::schema_doc
