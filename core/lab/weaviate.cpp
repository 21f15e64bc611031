// Weaviate from `ysdb lab fetch weaviate`: one node.
#include <fmt/format.h>

#include <filesystem>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/lab/directory.h"
#include "core/lab/pins.h"
#include "core/lab/ports.h"
#include "core/lab/recipe.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

// The API key.
fs::path password_file(const Site& site) { return site.home("weaviate") / "password"; }

Installation find(const Site& site) { return {pin("weaviate").version.substr(1), (fetched("weaviate", site.cache) / "weaviate-server").string()}; }

void prepare(const Site& site, const Server&) {
    fs::create_directories(site.home("weaviate") / "data");
    fs::permissions(site.home("weaviate"), fs::perms::owner_all);
}

SpawnOptions command(const Site& site, const Server& server) {
    const auto port = [&](const char* purpose) { return std::to_string(server.ports.at(purpose)); };
    const std::string key = ensure_password(password_file(site));
    SpawnOptions options;
    options.argv = {server.install, "--host", "127.0.0.1", "--port", port("http"), "--scheme", "http"};
    options.cwd = site.home("weaviate").string();
    options.env = {{"PERSISTENCE_DATA_PATH", (site.home("weaviate") / "data").string()},
                   // gRPC and the cluster's own port cannot be bound to one address: everything asks for a key.
                   {"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED", "false"},
                   {"AUTHENTICATION_APIKEY_ENABLED", "true"},
                   {"AUTHENTICATION_APIKEY_ALLOWED_KEYS", key},
                   {"AUTHENTICATION_APIKEY_USERS", "ysdb"},
                   {"CLUSTER_BASIC_AUTH_USERNAME", "ysdb"},
                   {"CLUSTER_BASIC_AUTH_PASSWORD", key},
                   {"AUTHORIZATION_ADMINLIST_ENABLED", "true"},
                   {"AUTHORIZATION_ADMINLIST_USERS", "ysdb"},
                   {"CLUSTER_BIND_ADDR", "127.0.0.1"},
                   {"DEFAULT_VECTORIZER_MODULE", "none"},
                   {"DISABLE_TELEMETRY", "true"},
                   {"GO_PROFILING_DISABLE", "true"},
                   {"CLUSTER_HOSTNAME", "node1"},
                   {"CLUSTER_ADVERTISE_ADDR", "127.0.0.1"},
                   {"CLUSTER_GOSSIP_BIND_PORT", port("gossip")},
                   {"CLUSTER_DATA_BIND_PORT", port("data")},
                   {"RAFT_PORT", port("raft")},
                   {"RAFT_INTERNAL_RPC_PORT", port("raft_rpc")},
                   {"GRPC_PORT", port("grpc")},
                   // One node elects itself at once.
                   {"RAFT_BOOTSTRAP_EXPECT", "1"},
                   {"RAFT_TIMEOUTS_MULTIPLIER", "1"},
                   {"RAFT_HEARTBEAT_TIMEOUT", "1"},
                   {"RAFT_ELECTION_TIMEOUT", "1"},
                   {"RAFT_LEADER_LEASE_TIMEOUT", "1"}};
    return options;
}

bool ready(const Site&, const Server& server) { return http_answers(server.ports.at("http"), "/v1/.well-known/ready"); }

LabStore address(const Site& site, const Server& server) {
    return {"vectors", fmt::format("weaviate://127.0.0.1:{}", server.ports.at("http")), std::string(trim(read_file(password_file(site)))), password_file(site)};
}

}  // namespace

Recipe weaviate_recipe() {
    return {"weaviate", "Weaviate", "vectors", {"http", "grpc", "gossip", "data", "raft", "raft_rpc"}, find, prepare, command, ready, address};
}

}  // namespace ysdb::lab
