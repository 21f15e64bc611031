// Changes by logical replication: a publication and a slot for each set, and an event trigger that tells definitions in their place.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/store/changes.h"
#include "core/store/postgres/patroni.h"

namespace ysdb::postgres {

// Thread-safe. `locator` must outlive it.
std::unique_ptr<ChangeCapture> wal_capture(std::string store, const Locator& locator, Millis connect_timeout);

// Where a timeline's history, as the server keeps it in a file, left that ancestor; none: it is no ancestor.
std::optional<std::uint64_t> branch_of(std::string_view history, std::uint32_t timeline);

}  // namespace ysdb::postgres
