// Changes by logical replication: a publication and a slot for each set, and an event trigger that tells definitions in their place.
#pragma once

#include <memory>
#include <string>

#include "core/store/changes.h"
#include "core/store/postgres/patroni.h"

namespace ysdb::postgres {

// Thread-safe. `locator` must outlive it.
std::unique_ptr<ChangeCapture> wal_capture(std::string store, const Locator& locator, Millis connect_timeout);

}  // namespace ysdb::postgres
