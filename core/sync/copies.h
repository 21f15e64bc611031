// Copies of tables that are new in a sink, made while their changes go on.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/context.h"
#include "core/sync/follower.h"
#include "core/sync/sets.h"
#include "core/sync/state.h"

namespace ysdb::sync {

struct CopyOptions {
    int workers = 3;
    std::size_t batch_bytes = 8u << 20;
    std::uint64_t rows_per_range = 200'000;
};

// Works on a thread a sink once started: a sink that is away holds up no other's copies. One thread uses it.
class Copies {
public:
    Copies(Context& context, const SyncSet& set, SyncState& state, CopyOptions options) : context_(context), set_(set), state_(state), options_(options) {}

    // Before start(). The follower must live until join() returned.
    void add(Follower& follower, const TableRef& table) { wanted_[&follower].push_back(table); }
    void start(std::uint32_t epoch);

    bool working() const { return working_ > 0; }
    // Why they ended before they were done, once they did.
    std::optional<Error> failure() const {
        const std::lock_guard lock(mutex_);
        return error_;
    }

    // What it waits for in a follower is ended by stopping that.
    void request_stop();
    void join();

private:
    void copy_into(Follower& follower, std::vector<TableRef>& tables, const std::stop_token& stop);
    void copy_tables(Follower& follower, std::vector<TableRef>& tables, const std::string& run, const std::stop_token& stop);

    Context& context_;
    const SyncSet& set_;
    SyncState& state_;
    CopyOptions options_;
    std::uint32_t epoch_ = 0;
    std::map<Follower*, std::vector<TableRef>> wanted_;
    std::atomic<int> working_{0};
    mutable std::mutex mutex_;
    std::optional<Error> error_;
    std::vector<std::jthread> threads_;   // last: they use all of the above
};

}  // namespace ysdb::sync
