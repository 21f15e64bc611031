// A set's changes read from cdc.change_log, tick by tick.
//
// Versions are (epoch, tick, ordinal); ordinals count the changes of one table within the tick, so that they are the same whatever other
// tables the set has.
#pragma once

#include <functional>
#include <memory>

#include "core/store/changes.h"
#include "core/store/postgres/connection.h"

namespace ysdb::postgres {

// `mend`: makes triggers that are gone again, and writes down that changes may be missing; called when that is noticed.
std::unique_ptr<ChangeSource> open_trigger_source(const Target& target, const CaptureOptions& options, std::function<void()> mend, Deadline deadline);

}  // namespace ysdb::postgres
