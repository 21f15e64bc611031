#include "core/sync/follow/vitals.h"

#include <fmt/core.h>

#include <utility>

#include "core/base/file.h"
#include "core/base/text.h"

namespace ysdb::sync {

namespace {

constexpr Millis rates_over{5'000};

std::unique_ptr<PageServer> serve(const std::string& listen, std::function<std::string()> text) {
    if (listen.empty()) return nullptr;
    return std::make_unique<PageServer>(parse_endpoint(listen.starts_with(":") ? "0.0.0.0" + listen : listen, "--metrics-listen", 9188), "/metrics", std::move(text));
}

// For whoever asks `systemctl status`.
std::string status_line(const VitalSigns& now) {
    std::string line;
    for (const SinkState& sink : now.sinks) {
        line += (line.empty() ? "" : ", ") + sink.sink + (sink.state == "working" ? fmt::format(" {} behind", human_duration(static_cast<double>(sink.lag_ms) / 1000)) : " " + sink.state);
    }
    return line;
}

}  // namespace

std::string metrics_text(const std::string& set, const VitalSigns& now) {
    std::string text;
    const auto metric = [&](const char* name, const char* kind, const char* help) { text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, kind); };
    const auto of_set = [&](const char* name, const char* kind, const char* help, auto value) {
        metric(name, kind, help);
        text += fmt::format("{}{{set=\"{}\"}} {}\n", name, set, value);
    };
    const auto of_sinks = [&](const char* name, const char* kind, const char* help, const auto& value) {
        metric(name, kind, help);
        for (const SinkState& sink : now.sinks) text += fmt::format("{}{{set=\"{}\",sink=\"{}\"}} {}\n", name, set, sink.sink, value(sink));
    };
    of_set("ysdb_sync_epoch", "gauge", "Epoch of the row versions that are written.", now.epoch);
    of_set("ysdb_sync_read_position", "gauge", "Position of the source's log up to which whole transactions were read.", now.read);
    of_set("ysdb_sync_confirmed_position", "gauge", "Position below which everything is durable in every sink.", now.confirmed);
    of_set("ysdb_sync_retained_bytes", "gauge", "Bytes of its log that the source keeps for the set.", now.retained_bytes);
    of_sinks("ysdb_sync_sink_position", "gauge", "Position below which everything is durable in the sink.", [](const SinkState& sink) { return sink.position; });
    of_sinks("ysdb_sync_changes_total", "counter", "Changes that are durable in the sink since the run began.", [](const SinkState& sink) { return sink.changes; });
    of_sinks("ysdb_sync_lag_seconds", "gauge", "Of the last commit that is durable in the sink, from commit to durable.", [](const SinkState& sink) { return static_cast<double>(sink.lag_ms) / 1000.0; });
    of_sinks("ysdb_sync_waiting_bytes", "gauge", "Changes that wait for the sink in memory.", [](const SinkState& sink) { return sink.waiting_bytes; });
    of_sinks("ysdb_sync_spilled_bytes", "gauge", "Changes that wait for the sink on disk.", [](const SinkState& sink) { return sink.spilled_bytes; });
    of_sinks("ysdb_sync_sink_up", "gauge", "1 while the sink takes changes, 0 while it is tried again or was given up.", [](const SinkState& sink) { return sink.state == "working" ? 1 : 0; });
    of_set("ysdb_sync_written_seconds", "gauge", "When this was written, since 1970.", unix_micros_now() / 1'000'000);
    return text;
}

Vitals::Vitals(Context& context, SyncState& state, std::string set, VitalOptions options)
    : context_(context), state_(state), set_(std::move(set)), options_(std::move(options)), server_(serve(options_.metrics_listen, [this] {
          const std::lock_guard lock(mutex_);
          return page_;
      })) {
    if (server_ != nullptr) context_.log.info("sync.metrics", {{"listen", options_.metrics_listen}, {"port", server_->port()}});
}

void Vitals::ready() const { options_.manager.tell("READY=1\nSTATUS=following"); }

void Vitals::alive() {
    const auto& watchdog = options_.manager.watchdog;
    if (!watchdog || SteadyClock::now() - alive_at_ < *watchdog / 3) return;
    alive_at_ = SteadyClock::now();
    options_.manager.tell("WATCHDOG=1");
}

void Vitals::tell(VitalSigns now, bool last) {
    const auto moment = SteadyClock::now();
    for (SinkState& sink : now.sinks) {
        auto& [since, before] = before_[sink.sink];
        if (before.sink.empty()) {
            since = moment;
            before = sink;
            continue;
        }
        const double seconds = std::chrono::duration<double>(moment - since).count();
        if (seconds > 0) {
            sink.changes_per_s = static_cast<double>(sink.changes - before.changes) / seconds;
            sink.log_per_s = static_cast<double>(sink.position - std::min(sink.position, before.position)) / seconds;
        }
        if (moment - since > rates_over) {
            since = moment;
            before = sink;
        }
    }
    keep(metrics_text(set_, now));
    options_.manager.tell((last ? "STOPPING=1\nSTATUS=" : "STATUS=") + status_line(now));
    for (const SinkState& sink : now.sinks) {
        SinkState& said = said_[sink.sink];
        if (said.position == sink.position && said.state == sink.state && said.error == sink.error && said.changes_per_s == sink.changes_per_s) continue;
        state_.set_sink(sink, context_.deadline());
        said = sink;
    }
}

// Somebody's full disk is no reason to stop following.
void Vitals::keep(const std::string& text) {
    {
        const std::lock_guard lock(mutex_);
        page_ = text;
    }
    if (options_.metrics_file.empty()) return;
    try {
        write_file_atomically(options_.metrics_file, text);
    } catch (const Error& error) {
        context_.log.warn("sync.metrics", {{"file", options_.metrics_file}, {"error", error.message()}});
    }
}

}  // namespace ysdb::sync
