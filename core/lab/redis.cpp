// Redis: Debian's redis-server binary.
#include <fmt/format.h>

#include <filesystem>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/lab/directory.h"
#include "core/lab/ports.h"
#include "core/lab/recipe.h"
#include "core/lab/render.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

fs::path password_file(const Site& site) { return site.home("redis") / "password"; }

Installation find(const Site&) {
    const auto program = find_program("redis-server", {"/usr/bin", "/usr/local/bin"});
    if (!program) throw Error(Code::refused, "no redis-server on this machine", "apt-get install redis-server (its binary is enough; the service may stay off)");
    SpawnOptions options;
    options.argv = {*program, "--version"};
    const std::string text = run_command(options, Deadline::after(Millis(10'000))).out;  // "Redis server v=7.0.15 sha=..."
    const auto start = text.find("v=");
    return {start == std::string::npos ? "" : split(std::string_view(text).substr(start + 2), ' ')[0], *program};
}

void prepare(const Site& site, const Server& server) {
    const fs::path home = site.home("redis");
    fs::create_directories(home);
    fs::permissions(home, fs::perms::owner_all);
    render_file("redis/redis.conf",
                {{"port", std::to_string(server.port())}, {"password", ensure_password(password_file(site))}, {"dir", home.string()}},
                home / "redis.conf", 0600);
}

SpawnOptions command(const Site& site, const Server& server) {
    SpawnOptions options;
    options.argv = {server.install, (site.home("redis") / "redis.conf").string()};
    options.cwd = site.home("redis").string();
    return options;
}

bool ready(const Site&, const Server& server) {
    const auto answer = tcp_exchange(server.port(), "PING\r\n");
    return answer && answer->starts_with("-NOAUTH");  // while it loads its data: -LOADING
}

LabStore address(const Site& site, const Server& server) {
    return {"cache", fmt::format("redis://127.0.0.1:{}/0", server.port()), std::string(trim(read_file(password_file(site)))), password_file(site)};
}

}  // namespace

Recipe redis_recipe() { return {"redis", "Redis", "cache", {"redis"}, find, prepare, command, ready, address}; }

}  // namespace ysdb::lab
