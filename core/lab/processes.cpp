#include "core/lab/processes.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <thread>

#include "core/base/error.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/base/text.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

std::vector<pid_t> all_pids() {
    std::vector<pid_t> pids;
    DIR* dir = opendir("/proc");
    if (dir == nullptr) return pids;
    while (const dirent* entry = readdir(dir)) {
        const std::string_view name(entry->d_name);
        pid_t pid = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error == std::errc() && end == name.data() + name.size()) pids.push_back(pid);
    }
    closedir(dir);
    return pids;
}

// Empty when the process is gone or belongs to someone else.
std::string proc_file(pid_t pid, const char* name) {
    try {
        return read_file(fmt::format("/proc/{}/{}", pid, name));
    } catch (const Error&) {
        return {};
    }
}

fs::path proc_link(pid_t pid, const char* name) {
    std::error_code ignored;
    return fs::read_symlink(fmt::format("/proc/{}/{}", pid, name), ignored);
}

struct Stat {
    pid_t parent = 0;
    ProcessId id;
};

std::optional<Stat> stat_of(pid_t pid) {
    const std::string text = proc_file(pid, "stat");
    const auto close = text.rfind(')');
    if (close == std::string::npos) return std::nullopt;
    const auto fields = split(trim(std::string_view(text).substr(close + 1)), ' ');
    if (fields.size() < 20) return std::nullopt;
    return Stat{static_cast<pid_t>(std::stol(fields[1])), {pid, std::stoull(fields[19])}};
}

// Between the moment in which a spawned program has replaced its parent's memory and the one in which the kernel has noted where its
// environment lies, that reads as empty. Whoever looks for a process just started must look again.
std::string environment_of(pid_t pid, Deadline deadline) {
    std::string environment = proc_file(pid, "environ");
    while (environment.empty() && !deadline.passed() && !proc_link(pid, "exe").empty()) {  // a kernel's thread has no program
        std::this_thread::sleep_for(Millis(1));
        environment = proc_file(pid, "environ");
    }
    return environment;
}

std::optional<std::string> role_of(pid_t pid, const std::string& lab_id, Deadline deadline) {
    const std::string wanted = fmt::format("{}={}/", process_mark, lab_id);
    for (const std::string& variable : split(environment_of(pid, deadline), '\0')) {
        if (variable.starts_with(wanted)) return variable.substr(wanted.size());
    }
    return std::nullopt;
}

bool is_below(const fs::path& path, const fs::path& directory) {
    const std::string prefix = directory.string() + "/";
    return path == directory || path.string().starts_with(prefix);
}

}  // namespace

std::vector<MarkedProcess> marked_processes(const std::string& lab_id) {
    std::map<pid_t, std::pair<pid_t, MarkedProcess>> found;  // pid -> parent, process
    const Deadline deadline = Deadline::after(Millis(100));  // for all: programs that were started without any environment are rare
    for (const pid_t pid : all_pids()) {
        const auto role = role_of(pid, lab_id, deadline);
        if (!role) continue;
        const auto stat = stat_of(pid);
        if (stat && alive(stat->id)) found.emplace(pid, std::pair(stat->parent, MarkedProcess{stat->id, *role}));
    }
    std::vector<MarkedProcess> tops;
    for (const auto& [pid, entry] : found) {
        if (!found.contains(entry.first)) tops.push_back(entry.second);
    }
    return tops;
}

std::vector<ProcessId> processes_in(const fs::path& program, const fs::path& directory) {
    std::error_code ignored;
    const fs::path wanted_program = fs::canonical(program, ignored);
    const fs::path wanted_directory = fs::weakly_canonical(directory, ignored);
    std::vector<ProcessId> found;
    for (const pid_t pid : all_pids()) {
        if (proc_link(pid, "exe") != wanted_program || !is_below(proc_link(pid, "cwd"), wanted_directory)) continue;
        const auto stat = stat_of(pid);
        if (stat && alive(stat->id)) found.push_back(stat->id);
    }
    return found;
}

void stop_process(const ProcessId& process, int signal, Millis limit) {
    if (!send_signal(process, signal)) return;
    fault::point("lab.stop.sent");
    if (!wait_gone(process, Deadline::after(limit))) end_processes({process});
}

void end_processes(const std::vector<ProcessId>& processes) {
    for (const ProcessId& process : processes) send_signal(process, SIGKILL);
    for (const ProcessId& process : processes) {
        if (!wait_gone(process, Deadline::after(Millis(10'000)))) {
            throw Error(Code::internal, fmt::format("process {} of the lab does not end", process.pid));
        }
    }
}

std::string run_setup(const Site& site, SpawnOptions options, Millis limit, const std::string& input) {
    options.env[process_mark] = site.id + "/setup";
    const CommandResult result = run_command(options, Deadline::after(limit), input);
    if (result.exit_code != 0) {
        const auto lines = split(trim(result.err.empty() ? result.out : result.err), '\n');
        throw Error(Code::internal, fmt::format("'{}' failed with exit code {}: {}", fs::path(options.argv[0]).filename().string(),
                                                result.exit_code, lines.back()));
    }
    return result.out;
}

std::uint64_t resident_bytes(const ProcessId& process) {
    const auto fields = split(proc_file(process.pid, "statm"), ' ');
    return fields.size() < 2 ? 0 : std::stoull(fields[1]) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace ysdb::lab
