// QuestDB from `ysdb lab fetch questdb`, on Java.
#include <fmt/format.h>

#include <filesystem>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/lab/directory.h"
#include "core/lab/java.h"
#include "core/lab/pins.h"
#include "core/lab/ports.h"
#include "core/lab/recipe.h"
#include "core/lab/render.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

fs::path password_file(const Site& site) { return site.home("questdb") / "password"; }

Installation find(const Site& site) {
    find_java("QuestDB");
    const std::string version = pin("questdb").version;
    return {version, (fetched("questdb", site.cache) / fmt::format("questdb-{}.jar", version)).string()};
}

void prepare(const Site& site, const Server& server) {
    const fs::path home = site.home("questdb");
    fs::create_directories(home / "root/conf");
    fs::create_directories(home / "tmp");
    fs::permissions(home, fs::perms::owner_all);
    render_file("questdb/server.conf", {{"http_port", std::to_string(server.ports.at("http"))}, {"pg_port", std::to_string(server.ports.at("pg"))},
                                        {"line_port", std::to_string(server.ports.at("line"))}, {"password", ensure_password(password_file(site))}},
                home / "root/conf/server.conf", 0600);
}

SpawnOptions command(const Site& site, const Server& server) {
    const fs::path home = site.home("questdb");
    SpawnOptions options;
    options.argv = java_command(find_java("QuestDB"), server.install, (home / "tmp").string(), 256);
    for (const std::string& word : {std::string("io.questdb.ServerMain"), std::string("-d"), (home / "root").string()}) options.argv.push_back(word);
    options.cwd = home.string();
    return options;
}

bool ready(const Site&, const Server& server) {
    return http_answers(server.ports.at("http"), "/exec?query=select%201", "dataset") && tcp_accepts(server.ports.at("pg"));
}

LabStore address(const Site& site, const Server& server) {
    return {"ticks", fmt::format("questdb://admin@127.0.0.1:{}/qdb?http_port={}", server.ports.at("pg"), server.ports.at("http")),
            std::string(trim(read_file(password_file(site)))), password_file(site)};
}

}  // namespace

Recipe questdb_recipe() { return {"questdb", "QuestDB", "ticks", {"http", "pg", "line"}, find, prepare, command, ready, address}; }

}  // namespace ysdb::lab
