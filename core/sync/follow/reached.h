// Waiting, from beside a running set, until one of its sinks has what the source has.
#pragma once

#include <cstdint>
#include <string>

#include "core/context.h"
#include "core/sync/routes.h"
#include "core/sync/state.h"

namespace ysdb::sync {

// Throws Error(refused) for a set whose source tells no positions (Debezium reads it), and for a table that the sink does not follow now; over a bus,
// that is not told to it now.
void check_followed(Context& context, const SyncConfig& set, SyncState& state, const Route& route);

// Returns once `sink` has everything that is committed in the source now: of a set that goes over a bus, once that is in the bus, and the group ysdb.<set>
// has committed all that is there by then. Throws Error(refused) when no run tells that it goes on, or the sink
// has not got there within `patience`.
void wait_until_reached(Context& context, const SyncConfig& set, ChangeCapture& capture, SyncState& state, const std::string& sink, Millis patience);

}  // namespace ysdb::sync
