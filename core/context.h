// What a job may use. Passed in, never global.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "core/base/log.h"
#include "core/base/time.h"
#include "core/config/config.h"
#include "core/report/progress.h"
#include "core/store/store.h"

namespace ysdb {

// Opens stores by name, once each. Thread-safe.
class Stores {
public:
    explicit Stores(const Config& config) : config_(config) {}
    // Both throw Error(config) with the nearest name when there is no such store.
    Store& get(const std::string& name);
    const StoreConfig& config(const std::string& name) const;

private:
    const Config& config_;
    std::mutex mutex_;
    std::map<std::string, std::unique_ptr<Store>> open_;
};

struct Context {
    const Config& config;
    Stores& stores;
    Log& log;
    ProgressSink& progress;
    std::stop_token stop;          // requested by the first SIGINT / SIGTERM: drain, checkpoint, say where it stopped
    Millis timeout{30'000};        // per store call, connect included
    std::string run_id;            // names this run on servers and in journals
    bool dry_run = false;

    Deadline deadline() const { return Deadline::after(timeout); }
};

}  // namespace ysdb
