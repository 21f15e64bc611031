// QuestDB: questdb://host:8812/qdb. SQL over PostgreSQL's protocol, rows over its ingestion protocol by HTTP.
#pragma once

#include <memory>
#include <string>

#include "core/store/store.h"

namespace ysdb::questdb {

std::unique_ptr<Store> open(const StoreConfig& config);

// QuestDB acknowledges rows before queries see them. Returns when `table` shows all that was written before the call; a table without
// such a log returns at once. Throws Error(connect, retryable) when nothing moves for `idle`, Error(rejected) when the table is suspended.
void wait_until_applied(SqlStore& sql, const std::string& store, const std::string& table, Millis idle, std::stop_token stop);

}  // namespace ysdb::questdb
