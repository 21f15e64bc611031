// What speaks against statements on large tables now: a server that is in trouble already.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/plan/plan.h"

namespace ysdb::migrate {

struct PostgresHealth {
    std::int64_t oldest_xid_age = 0;              // of all databases
    std::optional<double> replay_lag_s;           // of the replica that is furthest behind
    std::optional<std::int64_t> replay_lag_bytes;
    std::optional<std::int64_t> slot_bytes;       // WAL that replication slots keep
    std::optional<double> oldest_transaction_s;   // the open transaction that has run longest
};
struct ClickHouseHealth {
    std::uint64_t free_bytes = 0;                 // on the disk that has least
    std::int64_t readonly_replicas = 0;
    std::int64_t replica_delay_s = 0;             // the largest
    std::int64_t unfinished_mutations = 0;
    std::string failing;                          // why one of them does not get on; or empty
};

// One sentence a trouble; none: go ahead. `heaviest`: bytes of the largest table that is worked on.
std::vector<std::string> troubles(const PostgresHealth& health);
std::vector<std::string> troubles(const ClickHouseHealth& health, std::uint64_t heaviest);

// Of the stores on which the measured plan works on tables of at least `above` bytes: "store 'main': ...". One read a store.
std::vector<std::string> troubles(const plan::Plan& plan, Context& context, std::uint64_t above);

}  // namespace ysdb::migrate
