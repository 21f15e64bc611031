#include "core/lab/starter.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "core/base/error.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/base/retry.h"
#include "core/base/text.h"
#include "core/lab/ports.h"
#include "core/lab/processes.h"

namespace ysdb::lab {

namespace {

// The last line that says something, of what was logged since `from`.
std::string last_line(const std::filesystem::path& log, std::uintmax_t from) {
    std::ifstream file(log);
    file.seekg(static_cast<std::streamoff>(from));
    std::string last;
    for (std::string line; std::getline(file, line);) {
        if (!trim(line).empty()) last = trim(line);
    }
    return last;
}

std::uintmax_t size_of(const std::filesystem::path& file) {
    std::error_code none;
    const auto size = std::filesystem::file_size(file, none);
    return none ? 0 : size;
}

}  // namespace

ServerStatus Starter::start(const Recipe& how) {
    ServerStatus status;
    status.name = how.name;
    status.title = how.title;
    try {
        return run(how);
    } catch (const Error& error) {
        status.state = ServerState::failed;
        status.detail = error.message();
        status.hint = error.hint();
    } catch (const std::exception& error) {
        status.state = ServerState::failed;
        status.detail = error.what();
    }
    return status;
}

ServerStatus Starter::run(const Recipe& how) {
    const auto begin = SteadyClock::now();
    ServerStatus status;
    status.name = how.name;
    status.title = how.title;
    Server server = known(how.name).value_or(Server{});
    // A `down` that was killed is carried out: a server that may be on its way out serves nobody.
    if (server.stopped) stop_process(server.process, how.stop_signal, how.stop_limit);
    const bool running = alive(server.process);
    if (!running) {
        Installation installation;
        try {
            installation = how.find(site_);
        } catch (const Error& error) {
            status.state = ServerState::missing;
            status.detail = error.message();
            status.hint = error.hint();
            return status;
        }
        server.name = how.name;
        server.version = installation.version;
        server.install = installation.path;
        server.process = {};
        choose_ports(how, server);
        server.started_at = utc_now();
        how.prepare(site_, server);
        server.stopped = false;
        record(server);
        fault::point("lab.spawn.before");
        SpawnOptions options = how.command(site_, server);
        options.env[process_mark] = site_.id + "/" + how.name;
        options.output_file = site_.log_file(how.name).string();
        server.process = spawn(options);
        fault::point("lab.spawn.after");
        record(server);
    }
    wait_until_ready(how, server);
    status.state = running ? ServerState::running : ServerState::started;
    status.version = server.version;
    status.url = how.address(site_, server).url;
    status.pid = server.process.pid;
    status.started_at = server.started_at;
    status.resident_bytes = resident_bytes(server.process);
    status.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    return status;
}

std::optional<Server> Starter::known(const std::string& name) {
    const std::lock_guard guard(mutex_);
    const auto server = state_.servers.find(name);
    return server == state_.servers.end() ? std::nullopt : std::optional(server->second);
}

void Starter::choose_ports(const Recipe& how, Server& server) {
    // Connections of a killed server's clients can hold its port for a moment.
    const Deadline moment = Deadline::after(Millis(3'000));
    for (const auto& [purpose, port] : server.ports) {
        while (!port_is_free(port) && !moment.passed() && pause_for(Millis(20), stop_)) {}
    }
    const std::lock_guard guard(mutex_);
    for (const std::string& purpose : how.ports) {
        int& port = server.ports[purpose];
        while (port == 0 || taken_.contains(port) || !port_is_free(port)) port = choose_port();
        taken_.insert(port);
    }
}

void Starter::record(const Server& server) {
    const std::lock_guard guard(mutex_);
    state_.servers[server.name] = server;
    save_state(site_.dir, state_);
}

void Starter::wait_until_ready(const Recipe& how, const Server& server) const {
    const auto log = site_.log_file(how.name);
    const auto logged_before = size_of(log);
    const Deadline deadline = Deadline::after(how.start_limit);
    const std::string hint = fmt::format("ysdb lab logs {}", how.name);
    Millis pause{10};
    while (!how.ready(site_, server)) {
        if (!alive(server.process)) {
            throw Error(Code::internal, fmt::format("{} ended while starting: {}", how.name, last_line(log, 0)), hint);
        }
        if (deadline.passed()) {
            throw Error(Code::internal, fmt::format("{} was not ready after {}: {}", how.name, human_duration(static_cast<double>(how.start_limit.count()) / 1000.0),
                                                    last_line(log, logged_before)), hint);
        }
        if (!pause_for(pause, stop_)) throw Error(Code::interrupted, fmt::format("interrupted while {} was starting", how.name));
        pause = std::min(pause * 2, Millis(100));
    }
}

}  // namespace ysdb::lab
