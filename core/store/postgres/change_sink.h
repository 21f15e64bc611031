// A table of PostgreSQL that follows a source's changes: as many rows as the source has, in the source's columns and no others.
//
// Why no version column: a flush is one transaction, and the version of the last change it wrote (ysdb.sync_landings) is in it. A set tells the
// changes of a table in their order, so whatever is not beyond that version is there already, and a replay does nothing: exactly once. Only
// `sync retry` tells rows out of order; those are remembered apart (ysdb.sync_ahead) until the changes have passed them.
// A copy is loaded beside the table, where rows do have versions, since copied rows and changes come in any order.
#pragma once

#include <memory>
#include <string>

#include "core/store/changes.h"
#include "core/store/postgres/patroni.h"

namespace ysdb::postgres {

// Thread-safe. `locator` must outlive it.
std::unique_ptr<ChangeSink> change_sink(std::string store, const Locator& locator, Millis connect_timeout);

}  // namespace ysdb::postgres
