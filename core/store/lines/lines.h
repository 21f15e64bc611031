// Sinks without a server: stdout:// writes each change as a line of JSON, null:// forgets it (to measure everything before it).
#pragma once

#include <memory>

#include "core/store/store.h"

namespace ysdb::lines {

std::unique_ptr<Store> open(const StoreConfig& config);
// Whether the process's standard output is this store's.
bool writes_stdout(const StoreConfig& config);

}  // namespace ysdb::lines
