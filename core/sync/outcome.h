// What a run did, as its report tells it.
#pragma once

#include <string>
#include <vector>

#include "core/context.h"
#include "core/report/report.h"
#include "core/store/changes.h"
#include "core/sync/routes.h"
#include "core/sync/state.h"

namespace ysdb::sync {

// The tables `sinks` and `tables` and the dead letters. The report's code is partial, with what to do next, where a table is halted or a row was left
// out. `capture` says what positions count; `then`: what follows a reset.
void add_outcome(Context& context, SyncState& state, const std::string& capture, const std::vector<SinkState>& sinks, const std::string& then, Report& report);

// Rows that no Batch can hold, as dead letters of each sink of `routes` that their table goes to.
void add_rejected(Context& context, SyncState& state, const std::vector<Route>& routes, const Segment& segment);

}  // namespace ysdb::sync
