// "-- migrate:batch size:5000 pause:50%" above an UPDATE or DELETE: it is run in ranges of the table's key, each a transaction of its own.
#pragma once

#include <string>
#include <string_view>

#include "core/plan/plan.h"

namespace ysdb::migrate {

struct Batched {
    plan::Batches batches;
    std::string sql;       // the statement, to which " AND (...)" may be added; up to its WHERE character by character as it was
};

// Throws Error(usage) for options that are none, Error(refused) for a statement that cannot be cut into ranges.
Batched in_batches(std::string_view sql, std::string_view options);

}  // namespace ysdb::migrate
