// Changes by triggers, for servers whose log may not be read: they write what happened into cdc.change_log, one log for all sets of a database.
//
// A transaction's number says nothing of when it was committed, nor does a sequence: whatever asks for "more than the last" loses who commits
// late. So the reader writes ticks, each the snapshot of a moment; what is told between two ticks are the changes of the transactions that the
// later one sees and the earlier does not. A position is the number of a tick. The method is that of PgQ (Skype, 2006).
#pragma once

#include <memory>
#include <string>

#include "core/store/changes.h"
#include "core/store/postgres/patroni.h"

namespace ysdb::postgres {

// Thread-safe. `locator` must outlive it.
std::unique_ptr<ChangeCapture> trigger_capture(std::string store, const Locator& locator, Millis connect_timeout);

}  // namespace ysdb::postgres
