// Kafka: one KRaft node from `ysdb lab fetch kafka`, on Java.
#include <fmt/format.h>

#include <filesystem>

#include "core/lab/java.h"
#include "core/lab/pins.h"
#include "core/lab/ports.h"
#include "core/lab/processes.h"
#include "core/lab/recipe.h"
#include "core/lab/render.h"
#include "core/lab/state.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

fs::path data_dir(const Site& site) { return site.home("kafka") / "data"; }
std::string properties(const Site& site) { return (site.home("kafka") / "server.properties").string(); }

Installation find(const Site& site) {
    find_java("Kafka");
    return {pin("kafka").version, fetched("kafka", site.cache).string()};
}

SpawnOptions java(const Site& site, const Server& server, std::vector<std::string> arguments) {
    SpawnOptions options;
    options.argv = java_command(find_java("Kafka"), server.install + "/*", (site.home("kafka") / "tmp").string(), 256);
    options.argv.insert(options.argv.end() - 2, "-Dorg.slf4j.simpleLogger.showDateTime=true");
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.cwd = site.home("kafka").string();
    return options;
}

void prepare(const Site& site, const Server& server) {
    fs::create_directories(site.home("kafka") / "tmp");
    fs::permissions(site.home("kafka"), fs::perms::owner_all);
    render_file("kafka/server.properties", {{"broker_port", std::to_string(server.ports.at("broker"))},
                                            {"controller_port", std::to_string(server.ports.at("controller"))}, {"data", data_dir(site).string()}},
                properties(site));
    if (fs::exists(data_dir(site) / "meta.properties")) return;
    fs::remove_all(data_dir(site));  // half formatted
    // A cluster id is 16 bytes in base64; 22 hex digits are one.
    run_setup(site, java(site, server, {"kafka.tools.StorageTool", "format", "-t", random_hex(11), "-c", properties(site)}), Millis(60'000));
}

SpawnOptions command(const Site& site, const Server& server) { return java(site, server, {"kafka.Kafka", properties(site)}); }

// An ApiVersions request (key 18, version 0, correlation 1, client "ysdb"): a broker that serves requests answers it.
bool ready(const Site&, const Server& server) {
    using namespace std::string_view_literals;
    return tcp_exchange(server.ports.at("broker"), "\0\0\0\x0e\0\x12\0\0\0\0\0\x01\0\x04ysdb"sv).has_value();
}

LabStore address(const Site&, const Server& server) { return {"events", fmt::format("kafka://127.0.0.1:{}", server.ports.at("broker")), "", {}}; }

}  // namespace

Recipe kafka_recipe() { return {"kafka", "Kafka", "events", {"broker", "controller"}, find, prepare, command, ready, address}; }

}  // namespace ysdb::lab
