// What a running sync tells a monitoring system: a file in Prometheus's text format, replaced whole.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/sync/state.h"

namespace ysdb::sync {

// Throws Error(config) when the file cannot be written.
void write_metrics(const std::string& path, const std::string& set, std::uint32_t epoch, std::uint64_t confirmed, std::uint64_t read, std::span<const SinkState> sinks);

}  // namespace ysdb::sync
