// Starts servers of one lab and keeps its record. The intent is written before a process is made, its pid right after.
#pragma once

#include <mutex>
#include <set>
#include <stop_token>

#include "core/lab/lab.h"
#include "core/lab/recipe.h"
#include "core/lab/state.h"

namespace ysdb::lab {

// Thread-safe: several servers start at once. The caller holds the lab's lock.
class Starter {
public:
    Starter(const Site& site, State state, std::stop_token stop) : site_(site), state_(std::move(state)), stop_(std::move(stop)) {}

    // Never throws: what went wrong is in the status.
    ServerStatus start(const Recipe& how);

private:
    ServerStatus run(const Recipe& how);
    std::optional<Server> known(const std::string& name);
    // Keeps the ports it had while they are free: what `lab env` printed stays true.
    void choose_ports(const Recipe& how, Server& server);
    void record(const Server& server);
    void wait_until_ready(const Recipe& how, const Server& server) const;

    const Site& site_;
    std::mutex mutex_;
    State state_;
    std::set<int> taken_;
    std::stop_token stop_;
};

}  // namespace ysdb::lab
