// Changes of a ClickHouse table or view, which tells none by itself: it is read every few seconds and compared with what was told.
//
// A position is the number of a read (a tick); a row's version is (epoch, tick, place in it). Ticks are counted in the set's PostgreSQL before
// they begin, so that they go up over every restart, and what is told of a row is written there before it is told (poll_state.h): after a kill
// whatever was told and perhaps not heard is told again as it is by then, also when it is by then what it had been before.
//
// A copy for a new sink is one of these reads, put aside in a file: two reads of a changing table would not fit together.
#pragma once

#include <memory>

#include "core/config/config.h"
#include "core/store/changes.h"
#include "core/store/store.h"

namespace ysdb::sync {

// Thread-safe. Reads `source`, remembers in `home`; both must outlive it. Throws Error(config) where they are not what that needs.
std::unique_ptr<ChangeCapture> poll_capture(Store& source, Store& home, const SyncConfig& set, Millis timeout);

// A polled table as the set tells it: with the configured key, without computed columns.
TableInfo polled_table(const SyncConfig& set, Store& source, const TableRef& table, Deadline deadline);

}  // namespace ysdb::sync
