// Reading whole tables: SELECT ... FORMAT Native, streamed into batches.
#pragma once

#include <functional>
#include <memory>

#include "core/store/clickhouse/catalog.h"
#include "core/store/clickhouse/query.h"

namespace ysdb::clickhouse {

// Reads table.columns by name, each as the type given there, whatever of ClickHouse's types holds it: so a sink is read as its source
// describes itself. A table whose merges change its rows is read FINAL, without
// the rows whose _is_deleted is set. `condition`: SQL that rows must meet; empty: all.
void read(Transport& transport, const Catalog& catalog, QueryIds& ids, const TableInfo& table, std::size_t batch_bytes, Millis idle, std::stop_token stop,
          const std::function<void(Batch&)>& consume, const std::function<void(RejectedRow)>& rejected, std::string_view condition = {});
// "`at` >= ...": rows whose column is at least `from`, in the unit of its canonical cell. Throws Error(refused) for a type that has no such order.
std::string at_least(const ColumnInfo& column, std::int64_t from);

// The same columns of every version of the rows that meet the condition, removals included; each combination of values once.
void read_where(Transport& transport, const Catalog& catalog, QueryIds& ids, const TableInfo& table, const std::string& condition, Deadline deadline, const std::function<void(Batch&)>& consume);

}  // namespace ysdb::clickhouse
