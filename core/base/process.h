// Child processes, told apart from strangers with a recycled pid by their start time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"

namespace ysdb {

struct SpawnOptions {
    std::vector<std::string> argv;             // argv[0] is looked up on PATH unless it has a slash
    std::map<std::string, std::string> env;    // added to, or replacing, the inherited environment
    std::string cwd;                           // empty: inherited
    std::string output_file;                   // stdout and stderr are appended here; empty: inherited
    bool new_session = true;                   // setsid: survives the parent's terminal
    std::optional<uid_t> uid;                  // run as this user (root only)
    std::optional<gid_t> gid;
};

struct ProcessId {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;  // field 22 of /proc/<pid>/stat
};

// posix_spawn semantics: no fork of a threaded process's heap. Throws Error(internal) with the reason when it cannot start.
ProcessId spawn(const SpawnOptions& options);
// This process.
ProcessId this_process();
// True while the process with this pid AND this start time exists; a zombie counts as long as one of its threads lives on.
bool alive(const ProcessId& id);
// Sends the signal only if `alive`; returns whether it was sent.
bool send_signal(const ProcessId& id, int signal);
// Waits until it is gone; false at the deadline. Works for children and for strangers.
bool wait_gone(const ProcessId& id, Deadline deadline);

struct CommandResult {
    int exit_code = 0;  // 128 + signal when killed
    std::string out;
    std::string err;
};
// Runs to the end and collects output; kills the process group at the deadline and throws Error(connect, retryable).
CommandResult run_command(const SpawnOptions& options, Deadline deadline, const std::string& input = {});
// Full path of a program on PATH or in `extra_dirs`, or nullopt.
std::optional<std::string> find_program(const std::string& name, const std::vector<std::string>& extra_dirs = {});

}  // namespace ysdb
