#include "tests/live/own_lab.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "cmd/lab_places.h"
#include "core/lab/state.h"

namespace ysdb::test {

namespace fs = std::filesystem;

OwnLab::OwnLab() : base_(fs::temp_directory_path() / ("ysdb_labtest_" + lab::random_hex(6))) {}

OwnLab::~OwnLab() {
    try {
        std::vector<ProcessId> ids;
        for (const lab::MarkedProcess& process : marked()) ids.push_back(process.id);
        lab::end_processes(ids);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", base_.c_str(), error.what());
    }
    fs::remove_all(base_);
}

lab::Lab OwnLab::api() const { return lab::Lab({dir(), default_cache_dir(), YSDB_BINARY}); }

std::string OwnLab::id() const { return lab::load_state(dir())->id; }

std::vector<lab::MarkedProcess> OwnLab::marked() const {
    return fs::exists(lab::state_file(dir())) ? lab::marked_processes(id()) : std::vector<lab::MarkedProcess>{};
}

CommandResult OwnLab::run(std::vector<std::string> arguments, std::map<std::string, std::string> environment) const {
    arguments.insert(arguments.begin(), "lab");
    arguments.insert(arguments.end(), {"--dir", dir().string()});
    return run_ysdb(std::move(arguments), std::move(environment));
}

std::map<std::string, std::string> OwnLab::states() const {
    std::map<std::string, std::string> result;
    const auto status = nlohmann::json::parse(run({"status", "--output", "json"}).out);
    for (const auto& server : status.at("servers")) result[server.at("server").get<std::string>()] = server.at("state").get<std::string>();
    return result;
}

std::string ask_postgres(const lab::Lab& lab, const std::string& sql) {
    const auto stores = lab.stores();
    REQUIRE(stores.at(0).name == "main");
    StoreConfig config;
    config.name = stores[0].name;
    config.url = stores[0].url;
    config.password = Secret(stores[0].password);
    const auto session = open_store(config)->sql()->open_session("lab test", Deadline::after(Millis(20'000)));
    const SqlResult result = session->query(sql, Deadline::after(Millis(20'000)));
    return result.rows() == 0 ? "" : result.row(0).text(0);
}

}  // namespace ysdb::test
