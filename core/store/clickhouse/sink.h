// Whole copies of a source's tables: loaded into a staging table beside the live one, then exchanged with it in one step.
//
// A target made here is ReplacingMergeTree(_version, _is_deleted) sorted by the source's primary key and nothing else: a sort or
// partition key with a column that changes leaves two rows under FINAL. It keeps deduplication tokens (plain MergeTree families
// ignore them otherwise) and syncs each insert to disk before it acknowledges. `<table>_current` is a view of the rows that count.
#pragma once

#include <memory>

#include "core/store/clickhouse/catalog.h"
#include "core/store/clickhouse/query.h"

namespace ysdb::clickhouse {

std::unique_ptr<RowWriter> begin_replace(Transport& transport, const Catalog& catalog, QueryIds& ids, const TableInfo& source, const TableRef& target,
                                         const std::string& run, Deadline deadline);
// Goes on with one that somebody began and left; null when there is none.
std::unique_ptr<RowWriter> resume_replace(Transport& transport, const Catalog& catalog, QueryIds& ids, const TableInfo& source, const TableRef& target, const std::string& run,
                                          Deadline deadline);
void finish_replace(const Catalog& catalog, const TableInfo& source, const TableRef& target, const std::string& run, Deadline deadline);

// Appends batches to an existing table; a value that it cannot hold is an Error(rejected). Returns the rows written.
std::uint64_t load(Transport& transport, const Catalog& catalog, QueryIds& ids, const TableInfo& table, const std::function<bool(Batch&)>& fill, Millis idle, std::stop_token stop);

}  // namespace ysdb::clickhouse
