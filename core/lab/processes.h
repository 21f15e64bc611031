// The lab's own processes, recognised beyond doubt. Every process the lab starts carries _YSDB_LAB_PROCESS=<lab id>/<role> in its
// environment, so even one whose pid was never recorded (its ysdb was killed in between) is found again, and no stranger is taken for one.
#pragma once

#include <string>
#include <vector>

#include "core/base/process.h"
#include "core/lab/site.h"

namespace ysdb::lab {

inline constexpr const char* process_mark = "_YSDB_LAB_PROCESS";

struct MarkedProcess {
    ProcessId id;
    std::string role;   // a server's name, or "setup" for initdb and its like
};

// Living processes of this lab whose parent is not one of them: servers and orphaned helpers, not their workers.
std::vector<MarkedProcess> marked_processes(const std::string& lab_id);
// Living processes that run `program` and work in `directory`: the children of a killed server that has its mark overwritten.
std::vector<ProcessId> processes_in(const std::filesystem::path& program, const std::filesystem::path& directory);

// Asks with `signal`, and kills what has not ended within `limit`.
void stop_process(const ProcessId& process, int signal, Millis limit);
// Ends them: SIGKILL, then waits. Returns when all are gone; throws Error(internal) when one stays.
void end_processes(const std::vector<ProcessId>& processes);

// Runs a helper (initdb, a key generator) to its end, marked. Throws Error(internal) with its last line when it fails.
std::string run_setup(const Site& site, SpawnOptions options, Millis limit, const std::string& input = {});

// Resident memory in bytes; 0 when unknown.
std::uint64_t resident_bytes(const ProcessId& process);

}  // namespace ysdb::lab
