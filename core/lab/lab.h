// Real servers in one directory: started without root and without Docker, recorded, recognised again, taken down without a trace.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/lab/site.h"
#include "core/report/progress.h"

namespace ysdb::lab {

struct LabOptions {
    std::filesystem::path dir;      // relative to the working directory
    std::filesystem::path cache;    // downloads and template clusters
    std::string program;            // ysdb itself
};

struct UpOptions {
    std::vector<std::string> servers;   // names; empty: those of the solo profile
    int postgres_major = 0;             // 0: the one at hand
};

enum class ServerState {
    started,   // by this call
    running,
    stopped,   // on purpose
    died,
    missing,   // not on this machine: `detail` and `hint` say how to get it
    failed,    // did not start
};
std::string_view name_of(ServerState state);

struct ServerStatus {
    std::string name;
    std::string title;
    ServerState state = ServerState::stopped;
    std::string version;
    std::string url;                    // without password; empty when it was never started
    pid_t pid = 0;
    std::uint64_t resident_bytes = 0;
    std::string started_at;
    double seconds = 0;                 // to readiness, for `started`
    std::string detail;                 // for missing, failed and died
    std::string hint;
};

// Thread-safety: one thread at a time; two processes on one directory exclude each other by flock.
class Lab {
public:
    explicit Lab(LabOptions options) : options_(std::move(options)) {}

    // Starts what is asked for and not running, in parallel, and waits until each is ready. One server's failure leaves the others.
    std::vector<ServerStatus> up(const UpOptions& options, ProgressSink& progress, std::stop_token stop = {});
    // Starts one server again, whether it was stopped, killed or never there.
    ServerStatus start(const std::string& name, ProgressSink& progress, std::stop_token stop = {});
    // Every server of this lab. Throws Error(refused) when the directory holds no lab.
    std::vector<ServerStatus> status() const;
    // How to reach those that run; all that were ever started when `also_stopped`.
    std::vector<LabStore> stores(bool also_stopped = false) const;
    // Sends a signal to a server's main process; waits for its end after SIGKILL. Throws Error(refused) when it does not run.
    pid_t kill(const std::string& name, int signal) const;
    // Stops every server, and with `destroy` removes the directory. Returns what was stopped.
    std::vector<ServerStatus> down(bool destroy, ProgressSink& progress);

    // What an `up` or a destroy leaves that was killed when there was no record of the lab: nothing but its lock and drafts, and no server.
    // Removes it and returns true; false when there is none.
    bool remove_remains();

    std::filesystem::path log_file(const std::string& name) const;
    std::filesystem::path dir() const { return options_.dir; }

private:
    LabOptions options_;
};

}  // namespace ysdb::lab
