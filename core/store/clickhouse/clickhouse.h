// The ClickHouse store: clickhouse:// and clickhouses:// over HTTP, chdb:// in this process.
#pragma once

#include <memory>

#include "core/store/store.h"

namespace ysdb::clickhouse {

std::unique_ptr<Store> open(const StoreConfig& config);

}  // namespace ysdb::clickhouse
