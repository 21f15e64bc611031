// What the INFO command says, in this project's words.
#pragma once

#include <string>
#include <string_view>

#include "core/store/store.h"

namespace ysdb::redis {

// Everything but the latency. Knows Redis, DragonflyDB (which reports a Redis version for compatibility beside its own) and Valkey.
ProbeResult interpret_info(std::string_view info);
// What stands behind "key:" in a line of its own, in INFO or CLUSTER INFO; empty without.
std::string info_value(std::string_view info, std::string_view key);

}  // namespace ysdb::redis
