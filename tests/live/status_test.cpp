// needs: main
// status and doctor against a real server, and against hosts that are dead, silent or refuse the password.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// Accepts connections (the kernel does) and never answers.
class SilentHost {
public:
    SilentHost() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(listen(socket_, 16) == 0);
        REQUIRE(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    ~SilentHost() { close(socket_); }
    SilentHost(const SilentHost&) = delete;
    SilentHost& operator=(const SilentHost&) = delete;
    std::string text() const { return "127.0.0.1:" + std::to_string(port_); }

private:
    int socket_;
    int port_ = 0;
};

CommandResult run(const TempDir& directory, std::vector<std::string> arguments,
                  std::map<std::string, std::string> environment = {}) {
    environment["XDG_CONFIG_HOME"] = directory.string() + "/none";
    return run_ysdb(std::move(arguments), std::move(environment), directory.string());
}

// postgres://user:password@rest -> the same with another password.
std::string with_password(const std::string& url, const std::string& password) {
    const auto at = url.rfind('@');
    const auto colon = url.find(':', url.find("://") + 3);
    return url.substr(0, std::min(colon, at)) + ":" + password + url.substr(at);
}

}  // namespace

TEST_CASE("status shows a reachable store with product, version, role and latency") {
    const TempDir directory;
    const CommandResult result =
        run(directory, {"status", "--output", "json"}, {{"YSDB_STORES_MAIN_URL", store_config("main").url}});
    REQUIRE(result.exit_code == 0);
    const auto store = nlohmann::json::parse(result.out)["stores"][0];
    CHECK(store["store"] == "main");
    CHECK(store["reachable"] == true);
    CHECK(store["product"] == "PostgreSQL");
    CHECK(store["role"] == "primary");
    CHECK(store["latency_s"].get<double>() > 0);
    CHECK(store["error"].is_null());
}

TEST_CASE("a wrong password exits 4, names the store and the next step, and does not repeat the password") {
    const TempDir directory;
    const CommandResult result =
        run(directory, {"status"}, {{"YSDB_STORES_MAIN_URL", with_password(store_config("main").url, "hunter2")}});
    INFO(result.out);
    CHECK(result.exit_code == 4);
    CHECK(result.out.find("fail  main") != std::string::npos);
    CHECK(result.out.find("hint: ") != std::string::npos);
    CHECK((result.out + result.err).find("hunter2") == std::string::npos);
}

TEST_CASE("one dead store among living ones exits 1, none alive exits 4") {
    const TempDir directory;
    const std::string dead = "postgres://app@127.0.0.1:1/x";
    CHECK(run(directory, {"status"}, {{"YSDB_STORES_MAIN_URL", store_config("main").url}, {"YSDB_STORES_DEAD_URL", dead}})
              .exit_code == 1);
    CHECK(run(directory, {"status"}, {{"YSDB_STORES_DEAD_URL", dead}}).exit_code == 4);
}

TEST_CASE("status of named stores asks those alone, and refuses a name it does not know with the nearest one") {
    const TempDir directory;
    const std::map<std::string, std::string> stores{{"YSDB_STORES_MAIN_URL", store_config("main").url}, {"YSDB_STORES_DEAD_URL", "postgres://app@127.0.0.1:1/x"}};
    CHECK(run(directory, {"status", "main"}, stores).exit_code == 0);
    CHECK(run(directory, {"status", "dead"}, stores).exit_code == 4);
    const CommandResult unknown = run(directory, {"status", "mian"}, stores);
    CHECK(unknown.exit_code == 3);
    CHECK(unknown.err.find("did you mean 'main'") != std::string::npos);
}

TEST_CASE("hosts that accept and never answer end within --timeout, all of them at once") {
    const TempDir directory;
    const SilentHost host;
    const auto before = SteadyClock::now();
    const CommandResult result = run(directory, {"status", "--timeout", "1s", "--output", "json"},
                                     {{"YSDB_STORES_A_URL", "postgres://app@" + host.text() + "/x"},
                                      {"YSDB_STORES_B_URL", "redis://" + host.text() + "/0"},
                                      {"YSDB_STORES_C_URL", "clickhouse://" + host.text() + "/x"}});
    const double took = std::chrono::duration<double>(SteadyClock::now() - before).count();
    INFO(result.out);
    CHECK(result.exit_code == 4);
    CHECK(took < 2.8);
    for (const auto& store : nlohmann::json::parse(result.out)["stores"]) {
        CHECK(store["reachable"] == false);
        CHECK(!store["error"].get<std::string>().empty());
        CHECK(!store["hint"].is_null());
    }
}

TEST_CASE("doctor finds a sync's tables: missing, without primary key, good") {
    const TestDatabase database;
    const auto session = open_store(database.config())->sql()->open_session("test", Deadline::after(Millis(20'000)));
    for (const char* sql : {"CREATE TABLE public.good (id int PRIMARY KEY)", "CREATE TABLE public.keyless (id int)"})
        session->query(sql, Deadline::after(Millis(20'000)));
    const TempDir directory;
    directory.write("ysdb.toml",
                    "[[sync]]\nname = \"s\"\ntables = [\"public.good\", \"public.keyless\", "
                    "\"public.absent\"]\n[[sync.to]]\nstore = \"other\"\n");
    directory.write("migrations/1_a.sql", "");
    const CommandResult result =
        run(directory, {"doctor", "--output", "json", "--timeout", "5s"},
            {{"YSDB_STORES_MAIN_URL", database.config().url}, {"YSDB_STORES_OTHER_URL", database.config().url}});
    CHECK(result.exit_code == 1);
    std::map<std::string, std::string> states;
    const auto json = nlohmann::json::parse(result.out);
    for (const auto& check : json["checks"]) states[check["name"]] = check["state"];
    INFO(result.out);
    CHECK(states["stores.main"] == "ok");
    CHECK(states["migrate.dir"] == "ok");
    CHECK(states["migrate.store"] == "ok");
    CHECK(states["sync.s.wal_level"] == "ok");
    CHECK(states["sync.s.public.good"] == "ok");
    CHECK(states["sync.s.public.keyless"] == "fail");
    CHECK(states["sync.s.public.absent"] == "warn");
}
