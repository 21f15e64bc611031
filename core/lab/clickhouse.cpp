// ClickHouse: a `clickhouse` binary when one is on PATH, else `ysdb lab serve-clickhouse`, an HTTP gateway over the engine as a library.
#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/lab/directory.h"
#include "core/lab/pins.h"
#include "core/lab/ports.h"
#include "core/lab/recipe.h"
#include "core/lab/render.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

// Debian 12 ships 18.16, which knows neither DateTime64 nor half of the schema.
constexpr int oldest_major = 23;

fs::path data_dir(const Site& site) { return site.home("clickhouse") / "data"; }
fs::path engine_config(const Site& site) { return site.home("clickhouse") / "engine.xml"; }
bool is_library(const Server& server) { return server.install.ends_with(".so"); }

std::optional<Installation> server_binary() {
    const auto program = find_program("clickhouse");
    if (!program) return std::nullopt;
    SpawnOptions options;
    options.argv = {*program, "server", "--version"};
    const std::string text = run_command(options, Deadline::after(Millis(20'000))).out;  // "ClickHouse server version 24.8.1.2 (official build)."
    for (const std::string& word : split(text, ' ')) {
        int major = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), major);
        if (error == std::errc() && *end == '.' && major >= oldest_major) return Installation{word, *program};
    }
    return std::nullopt;
}

Installation find(const Site& site) {
    if (const auto binary = server_binary()) return *binary;
    if (const auto library = find_fetched("chdb", site.cache)) return {pin("chdb").version, (*library / "libchdb.so").string()};
    throw Error(Code::refused, fmt::format("no clickhouse (version {} or later) on PATH, and the engine is not fetched", oldest_major),
                "ysdb lab fetch chdb");
}

void prepare(const Site& site, const Server& server) {
    fs::create_directories(data_dir(site));
    fs::permissions(site.home("clickhouse"), fs::perms::owner_all);
    if (is_library(server)) {
        render_file("clickhouse/engine.xml", {}, engine_config(site));
        return;
    }
    render_file("clickhouse/config.xml", {{"http_port", std::to_string(server.port())}, {"data", data_dir(site).string()}},
                site.home("clickhouse") / "config.xml");
}

SpawnOptions command(const Site& site, const Server& server) {
    SpawnOptions options;
    options.cwd = site.home("clickhouse").string();
    if (is_library(server)) {
        options.argv = {site.program, "lab", "serve-clickhouse", "--path", data_dir(site).string(), "--listen", fmt::format("127.0.0.1:{}", server.port()),
                        "--library", server.install, "--engine-config", engine_config(site).string()};
    } else {
        options.argv = {server.install, "server", "--config-file", (site.home("clickhouse") / "config.xml").string()};
    }
    return options;
}

bool ready(const Site&, const Server& server) { return http_answers(server.port(), "/ping", "Ok."); }

LabStore address(const Site&, const Server& server) { return {"analytics", fmt::format("clickhouse://127.0.0.1:{}/default", server.port()), "", {}}; }

}  // namespace

Recipe clickhouse_recipe() {
    Recipe recipe{"clickhouse", "ClickHouse", "analytics", {"http"}, find, prepare, command, ready, address};
    recipe.stop_limit = Millis(30'000);  // it finishes the merges it is in
    return recipe;
}

}  // namespace ysdb::lab
