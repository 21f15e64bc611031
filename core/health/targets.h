// May ysdb write where the configuration sends it?
#pragma once

#include "core/health/findings.h"
#include "core/health/health.h"

namespace ysdb {

using Healths = std::map<std::string, StoreHealth>;

// True when the store was reached.
bool answers(const Healths& stores, const std::string& name);

// Every [[sync.to]]: ClickHouse's grants, Redis's access lists, Kafka's topic. Nothing is written: Redis is asked within a transaction
// that is given up, Kafka to validate only.
void check_sync_targets(Context& context, const Healths& stores, Findings& findings);
// Every [[partition]]: table, column, owner, and the place of its archive.
void check_partitions(Context& context, const Healths& stores, Findings& findings);

}  // namespace ysdb
