// What a running set tells of itself: to `sync status` (in the source), to Prometheus (a page, a file), to the service manager.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/page_server.h"
#include "core/base/service_manager.h"
#include "core/context.h"
#include "core/sync/state.h"

namespace ysdb::sync {

struct VitalOptions {
    std::string metrics_file;                  // kept for a node exporter's textfile collector; empty: none
    std::string metrics_listen;                // "127.0.0.1:9188": a page /metrics; empty: none
    ServiceManager manager;
};

struct VitalSigns {
    std::uint32_t epoch = 0;
    std::uint64_t read = 0;                    // of the source's log, whole transactions
    std::uint64_t confirmed = 0;               // durable in every sink
    std::uint64_t retained_bytes = 0;          // kept by the source for the set, as seen last
    std::vector<SinkState> sinks;
};

// In Prometheus's text format.
std::string metrics_text(const std::string& set, const VitalSigns& now);

// Thread-safe.
class Vitals {
public:
    // Throws Error(config) when the page cannot be served there.
    Vitals(Context& context, SyncState& state, std::string set, VitalOptions options);

    void ready() const;                        // changes are followed from here on
    void alive();                              // by what does the work, often: a watchdog waits for it
    // Every few seconds; `last`: the run ends. Throws what the source's store throws.
    void tell(VitalSigns now, bool last = false);

private:
    void keep(const std::string& text);

    Context& context_;
    SyncState& state_;
    std::string set_;
    VitalOptions options_;
    SteadyClock::time_point alive_at_{};
    std::map<std::string, SinkState> said_;
    std::map<std::string, std::pair<SteadyClock::time_point, SinkState>> before_;   // for rates
    std::mutex mutex_;
    std::string page_;
    std::unique_ptr<PageServer> server_;       // last: it reads the page
};

}  // namespace ysdb::sync
