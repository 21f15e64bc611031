#include "core/sync/metrics.h"

#include <fmt/core.h>

#include "core/base/file.h"
#include "core/base/time.h"

namespace ysdb::sync {

void write_metrics(const std::string& path, const std::string& set, std::uint32_t epoch, std::uint64_t confirmed, std::uint64_t read, std::span<const SinkState> sinks) {
    std::string text;
    const auto metric = [&](const char* name, const char* kind, const char* help) { text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, kind); };
    metric("ysdb_sync_epoch", "gauge", "Epoch of the row versions that are written.");
    text += fmt::format("ysdb_sync_epoch{{set=\"{}\"}} {}\n", set, epoch);
    metric("ysdb_sync_read_position", "gauge", "Position of the source's log up to which whole transactions were read.");
    text += fmt::format("ysdb_sync_read_position{{set=\"{}\"}} {}\n", set, read);
    metric("ysdb_sync_confirmed_position", "gauge", "Position below which everything is durable in every sink.");
    text += fmt::format("ysdb_sync_confirmed_position{{set=\"{}\"}} {}\n", set, confirmed);
    metric("ysdb_sync_sink_position", "gauge", "Position below which everything is durable in the sink.");
    for (const SinkState& sink : sinks) text += fmt::format("ysdb_sync_sink_position{{set=\"{}\",sink=\"{}\"}} {}\n", set, sink.sink, sink.position);
    metric("ysdb_sync_changes_total", "counter", "Changes that are durable in the sink since the run began.");
    for (const SinkState& sink : sinks) text += fmt::format("ysdb_sync_changes_total{{set=\"{}\",sink=\"{}\"}} {}\n", set, sink.sink, sink.changes);
    metric("ysdb_sync_lag_seconds", "gauge", "Of the last commit that is durable in the sink, from commit to durable.");
    for (const SinkState& sink : sinks) text += fmt::format("ysdb_sync_lag_seconds{{set=\"{}\",sink=\"{}\"}} {}\n", set, sink.sink, static_cast<double>(sink.lag_ms) / 1000.0);
    metric("ysdb_sync_sink_up", "gauge", "1 while the sink takes changes, 0 while it is tried again.");
    for (const SinkState& sink : sinks) text += fmt::format("ysdb_sync_sink_up{{set=\"{}\",sink=\"{}\"}} {}\n", set, sink.sink, sink.state == "working" ? 1 : 0);
    metric("ysdb_sync_written_seconds", "gauge", "When this file was written, since 1970.");
    text += fmt::format("ysdb_sync_written_seconds{{set=\"{}\"}} {}\n", set, unix_micros_now() / 1'000'000);
    write_file_atomically(path, text);
}

}  // namespace ysdb::sync
