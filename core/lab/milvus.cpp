// Milvus: the native server inside Milvus Lite's wheel, from `ysdb lab fetch milvus`.
#include <fmt/format.h>

#include <filesystem>

#include "core/lab/pins.h"
#include "core/lab/ports.h"
#include "core/lab/recipe.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

Installation find(const Site& site) { return {pin("milvus").version, (fetched("milvus", site.cache) / "milvus_lite/lib").string()}; }

void prepare(const Site& site, const Server&) {
    fs::create_directories(site.home("milvus"));
    fs::permissions(site.home("milvus"), fs::perms::owner_all);
}

SpawnOptions command(const Site& site, const Server& server) {
    SpawnOptions options;
    options.argv = {server.install + "/milvus", (site.home("milvus") / "milvus.db").string(), fmt::format("127.0.0.1:{}", server.port()), "ERROR"};
    options.env = {{"LD_LIBRARY_PATH", server.install}};
    options.cwd = site.home("milvus").string();
    return options;
}

bool ready(const Site&, const Server& server) { return tcp_accepts(server.port()); }

LabStore address(const Site&, const Server& server) { return {"vectors_milvus", fmt::format("milvus://127.0.0.1:{}", server.port()), "", {}}; }

}  // namespace

Recipe milvus_recipe() { return {"milvus", "Milvus", "vectors_milvus", {"grpc"}, find, prepare, command, ready, address}; }

}  // namespace ysdb::lab
