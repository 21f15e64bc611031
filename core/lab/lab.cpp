#include "core/lab/lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <thread>

#include "core/base/error.h"
#include "core/base/fault.h"
#include "core/base/retry.h"
#include "core/base/text.h"
#include "core/lab/directory.h"
#include "core/lab/processes.h"
#include "core/lab/recipe.h"
#include "core/lab/starter.h"
#include "core/lab/state.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

constexpr Millis lock_patience{120'000};

Site site_for(const LabOptions& options, const fs::path& real_dir, const State& state, int postgres_major = 0) {
    Site site;
    site.dir = real_dir;
    site.cache = fs::absolute(options.cache);
    site.program = options.program;
    site.id = state.id;
    site.owner = server_owner(real_dir);
    site.postgres_major = postgres_major;
    return site;
}

// The state as it is: servers whose pid a killed ysdb could not write down are found by their mark.
State current_state(const fs::path& real_dir) {
    auto state = load_state(real_dir);
    if (!state) throw Error(Code::refused, fmt::format("there is no lab in '{}'", real_dir.string()));
    const bool unsure = std::any_of(state->servers.begin(), state->servers.end(),
                                    [](const auto& entry) { return !entry.second.stopped && !alive(entry.second.process); });
    if (unsure) {
        for (const MarkedProcess& process : marked_processes(state->id)) {
            const auto server = state->servers.find(process.role);
            if (server != state->servers.end() && !alive(server->second.process)) server->second.process = process.id;
        }
    }
    return *state;
}

ServerStatus status_of(const Site& site, const Server& server) {
    const Recipe& how = recipe(server.name);
    ServerStatus status;
    status.name = server.name;
    status.title = how.title;
    status.version = server.version;
    status.started_at = server.started_at;
    try {
        status.url = how.address(site, server).url;
    } catch (const Error&) {
        // Killed before its password file was written: there is no way in yet.
    }
    if (alive(server.process)) {
        status.state = ServerState::running;
        status.pid = server.process.pid;
        status.resident_bytes = resident_bytes(server.process);
    } else if (!server.stopped) {
        status.state = ServerState::died;
        status.detail = "it ended without being asked to";
        status.hint = fmt::format("ysdb lab logs {0}, then: ysdb lab start {0}", server.name);
    }
    return status;
}

void refuse_other_major(const State& state, int asked) {
    const auto postgres = state.servers.find("postgres");
    if (asked == 0 || postgres == state.servers.end() || postgres->second.version.starts_with(fmt::format("{}.", asked))) return;
    throw Error(Code::refused, fmt::format("this lab's PostgreSQL is {}, not {}", postgres->second.version, asked),
                "use another --dir, or take this lab down: ysdb lab down --destroy");
}

// Helpers (initdb) that a killed ysdb left behind would write into what the next run makes anew. So would their children, which are found once
// their parent is gone.
void end_leftover_helpers(const std::string& id) {
    while (true) {
        std::vector<ProcessId> helpers;
        for (const MarkedProcess& process : marked_processes(id)) {
            if (process.role == "setup") helpers.push_back(process.id);
        }
        if (helpers.empty()) return;
        end_processes(helpers);
    }
}

}  // namespace

std::string_view name_of(ServerState state) {
    switch (state) {
        case ServerState::started: return "started";
        case ServerState::running: return "running";
        case ServerState::stopped: return "stopped";
        case ServerState::died: return "died";
        case ServerState::missing: return "missing";
        case ServerState::failed: return "failed";
    }
    return "";
}

std::vector<ServerStatus> Lab::up(const UpOptions& options, ProgressSink& progress, std::stop_token stop) {
    std::vector<std::string> names = options.servers.empty() ? profile_servers("solo") : options.servers;
    for (const std::string& name : names) recipe(name);  // an unknown name is refused before anything is made
    const fs::path real = make_lab_directory(options_.dir);
    const FileLock lock = lock_lab(real, Deadline::after(lock_patience));
    if (!load_state(real)) save_state(real, State{random_hex(8), {}});
    State state = current_state(real);
    refuse_other_major(state, options.postgres_major);
    end_leftover_helpers(state.id);
    save_state(real, state);

    const Site site = site_for(options_, real, state, options.postgres_major);
    Starter starter(site, std::move(state), stop);
    const auto task = progress.begin("starting servers", ProgressUnit::steps, names.size());
    std::vector<ServerStatus> result(names.size());
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < names.size(); ++i) {
        threads.emplace_back([&, i] {
            result[i] = starter.start(recipe(names[i]));
            task->note(fmt::format("{} {}", names[i], name_of(result[i].state)));
            task->add(1);
        });
    }
    threads.clear();
    if (stop.stop_requested()) throw Error(Code::interrupted, "interrupted while servers were starting", "ysdb lab up goes on; ysdb lab down stops them");
    return result;
}

ServerStatus Lab::start(const std::string& name, ProgressSink& progress, std::stop_token stop) {
    find_lab_directory(options_.dir);
    return up({{name}, 0}, progress, stop).front();
}

std::vector<ServerStatus> Lab::status() const {
    const fs::path real = find_lab_directory(options_.dir);
    const State state = current_state(real);
    const Site site = site_for(options_, real, state);
    std::vector<ServerStatus> result;
    for (const Recipe& how : recipes()) {
        const auto server = state.servers.find(how.name);
        if (server != state.servers.end()) result.push_back(status_of(site, server->second));
    }
    return result;
}

std::vector<LabStore> Lab::stores(bool also_stopped) const {
    const fs::path real = find_lab_directory(options_.dir);
    const State state = current_state(real);
    const Site site = site_for(options_, real, state);
    std::vector<LabStore> result;
    for (const Recipe& how : recipes()) {
        const auto server = state.servers.find(how.name);
        if (server == state.servers.end() || (!also_stopped && !alive(server->second.process))) continue;
        result.push_back(how.address(site, server->second));
    }
    return result;
}

pid_t Lab::kill(const std::string& name, int signal) const {
    recipe(name);
    const State state = current_state(find_lab_directory(options_.dir));
    const auto server = state.servers.find(name);
    if (server == state.servers.end() || !send_signal(server->second.process, signal)) {
        throw Error(Code::refused, fmt::format("{} does not run in this lab", name), fmt::format("ysdb lab start {}", name));
    }
    // So that a `start` right after it finds it gone.
    if (signal == SIGKILL) wait_gone(server->second.process, Deadline::after(Millis(10'000)));
    return server->second.process.pid;
}

std::vector<ServerStatus> Lab::down(bool destroy, ProgressSink& progress) {
    const fs::path real = find_lab_directory(options_.dir);
    const FileLock lock = lock_lab(real, Deadline::after(lock_patience));
    State state = current_state(real);
    end_leftover_helpers(state.id);
    const Site site = site_for(options_, real, state);

    std::vector<ServerStatus> result;
    for (auto& [name, server] : state.servers) {
        result.push_back(status_of(site, server));
        server.stopped = true;
    }
    // The intent first: what a `down` that is killed has stopped was stopped, and did not die.
    save_state(real, state);
    fault::point("lab.stop.before");
    const auto task = progress.begin("stopping servers", ProgressUnit::steps, state.servers.size());
    std::vector<std::jthread> threads;
    std::vector<std::exception_ptr> failures(state.servers.size());
    std::size_t index = 0;
    for (auto& [name, server] : state.servers) {
        threads.emplace_back([&server = server, &failure = failures[index++], &task] {
            try {
                const Recipe& how = recipe(server.name);
                stop_process(server.process, how.stop_signal, how.stop_limit);
                server.process = {};
                task->add(1);
            } catch (...) {
                failure = std::current_exception();
            }
        });
    }
    threads.clear();
    fault::point("lab.stop.after");
    save_state(real, state);
    for (const std::exception_ptr& failure : failures) {
        if (failure) std::rethrow_exception(failure);
    }
    // What is left: children of killed servers.
    std::vector<ProcessId> leftovers;
    for (const MarkedProcess& process : marked_processes(state.id)) leftovers.push_back(process.id);
    for (const auto& [name, server] : state.servers) {
        const Recipe& how = recipe(name);
        if (how.workers == nullptr) continue;
        for (const ProcessId& process : how.workers(site, server)) leftovers.push_back(process);
    }
    end_processes(leftovers);
    for (ServerStatus& each : result) {
        each.pid = 0;
        each.state = ServerState::stopped;
    }
    if (destroy) remove_lab_directory(options_.dir);
    return result;
}

bool Lab::remove_remains() { return remove_lab_remains(options_.dir); }

fs::path Lab::log_file(const std::string& name) const {
    recipe(name);
    const fs::path file = find_lab_directory(options_.dir) / name / "server.log";
    if (!fs::exists(file)) throw Error(Code::refused, fmt::format("{} was never started in this lab", name), fmt::format("ysdb lab start {}", name));
    return file;
}

}  // namespace ysdb::lab
