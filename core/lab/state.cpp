#include "core/lab/state.h"

#include <sys/random.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/error.h"
#include "core/base/file.h"

namespace ysdb::lab {

namespace {

constexpr int schema = 1;

nlohmann::json to_json(const Server& server) {
    return {{"version", server.version},
            {"install", server.install},
            {"ports", server.ports},
            {"pid", server.process.pid},
            {"start_ticks", server.process.start_ticks},
            {"stopped", server.stopped},
            {"started_at", server.started_at}};
}

Server server_from(const std::string& name, const nlohmann::json& json) {
    Server server;
    server.name = name;
    server.version = json.at("version").get<std::string>();
    server.install = json.at("install").get<std::string>();
    server.ports = json.at("ports").get<std::map<std::string, int>>();
    server.process.pid = json.at("pid").get<pid_t>();
    server.process.start_ticks = json.at("start_ticks").get<std::uint64_t>();
    server.stopped = json.at("stopped").get<bool>();
    server.started_at = json.at("started_at").get<std::string>();
    return server;
}

}  // namespace

std::filesystem::path state_file(const std::filesystem::path& dir) { return dir / "lab.json"; }

std::optional<State> load_state(const std::filesystem::path& dir) {
    const std::filesystem::path path = state_file(dir);
    if (!std::filesystem::exists(path)) return std::nullopt;
    const std::string text = read_file(path);
    try {
        const auto json = nlohmann::json::parse(text);
        if (json.at("schema").get<int>() != schema) {
            throw Error(Code::config, fmt::format("'{}' was written by another version of ysdb", path.string()),
                        "use that version to take the lab down");
        }
        State state;
        state.id = json.at("id").get<std::string>();
        for (const auto& [name, server] : json.at("servers").items()) state.servers.emplace(name, server_from(name, server));
        return state;
    } catch (const nlohmann::json::exception& damage) {
        throw Error(Code::config, fmt::format("'{}' is damaged: {}", path.string(), damage.what()),
                    "stop the servers of this lab by hand, then remove its directory");
    }
}

void save_state(const std::filesystem::path& dir, const State& state) {
    nlohmann::json servers = nlohmann::json::object();
    for (const auto& [name, server] : state.servers) servers[name] = to_json(server);
    const nlohmann::json json = {{"schema", schema}, {"id", state.id}, {"servers", servers}};
    write_file_atomically(state_file(dir), json.dump(2) + "\n");
}

std::string random_hex(std::size_t bytes) {
    std::vector<unsigned char> raw(bytes);
    if (getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) {
        throw Error(Code::internal, "the system gives no random bytes");
    }
    return fmt::format("{:02x}", fmt::join(raw, ""));
}

}  // namespace ysdb::lab
