// A table that follows a source's changes: versioned rows into a ReplacingMergeTree, so that the same change twice, or an older one late,
// does no harm.
#pragma once

#include <memory>

#include "core/store/changes.h"
#include "core/store/clickhouse/catalog.h"
#include "core/store/clickhouse/query.h"

namespace ysdb::clickhouse {

// The arguments must outlive the sink.
std::unique_ptr<ChangeSink> change_sink(Transport& transport, const Catalog& catalog, QueryIds& ids);

}  // namespace ysdb::clickhouse
