// The lab without its servers: templates, ports, the record, the printed environment, the pins.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/lab/directory.h"
#include "core/lab/env.h"
#include "core/lab/pins.h"
#include "core/lab/ports.h"
#include "core/lab/processes.h"
#include "core/lab/recipe.h"
#include "core/lab/render.h"
#include "core/lab/state.h"

using namespace ysdb;
using namespace ysdb::lab;
namespace fs = std::filesystem;

namespace {

struct ScratchDirectory {
    fs::path path = fs::temp_directory_path() / ("ysdb_lab_" + random_hex(6));
    ScratchDirectory() { fs::create_directories(path); }
    ~ScratchDirectory() { fs::remove_all(path); }
};

Server example_server() {
    Server server;
    server.name = "postgres";
    server.version = "15.18";
    server.install = "/usr/lib/postgresql/15";
    server.ports = {{"sql", 23456}};
    server.process = {4711, 987654321};
    server.stopped = false;
    server.started_at = "2026-01-31T12:00:00Z";
    return server;
}

}  // namespace

TEST_CASE("a template's places are filled, and a place without a value is an error") {
    CHECK(render("port ${port}\ndir ${dir}/x", {{"port", "1"}, {"dir", "/lab"}}) == "port 1\ndir /lab/x");
    CHECK(render("no places, $PATH and {braces} stay", {}) == "no places, $PATH and {braces} stay");
    CHECK_THROWS_WITH(render("a ${missing} b", {}), "a template asks for 'missing', which has no value");
}

TEST_CASE("a value that looks like a place is not expanded again") { CHECK(render("${a}", {{"a", "${b}"}}) == "${b}"); }

TEST_CASE("a chosen port is free, and a port somebody listens on is not") {
    const int port = choose_port();
    CHECK(port >= 20'000);
    CHECK(port < 32'000);
    CHECK(port_is_free(port));
    CHECK_FALSE(tcp_accepts(port));
    CHECK(tcp_exchange(port, "PING\r\n") == std::nullopt);
}

TEST_CASE("the record of a lab survives being written and read") {
    const ScratchDirectory scratch;
    CHECK_FALSE(load_state(scratch.path));
    save_state(scratch.path, State{"0123456789abcdef", {{"postgres", example_server()}}});
    const State read = load_state(scratch.path).value();
    CHECK(read.id == "0123456789abcdef");
    const Server& server = read.servers.at("postgres");
    CHECK(server.version == "15.18");
    CHECK(server.port() == 23456);
    CHECK(server.process.pid == 4711);
    CHECK(server.process.start_ticks == 987654321);
    CHECK_FALSE(server.stopped);
}

TEST_CASE("a damaged record and one of a later version are refused, not guessed at") {
    const ScratchDirectory scratch;
    write_file_atomically(state_file(scratch.path), "{\"schema\": 1, \"id\"");
    CHECK_THROWS_AS(load_state(scratch.path), Error);
    write_file_atomically(state_file(scratch.path), "{\"schema\": 2, \"id\": \"x\", \"servers\": {}}");
    CHECK_THROWS_AS(load_state(scratch.path), Error);
}

TEST_CASE("a directory with something else in it is not taken for a lab") {
    const ScratchDirectory scratch;
    write_file_atomically(scratch.path / "thesis.txt", "years of work");
    CHECK_THROWS_AS(make_lab_directory(scratch.path), Error);
    CHECK_THROWS_AS(find_lab_directory(scratch.path), Error);
    CHECK(fs::exists(scratch.path / "thesis.txt"));
}

TEST_CASE("one lab command works at a time") {
    const ScratchDirectory scratch;
    const FileLock held = lock_lab(scratch.path, Deadline::after(Millis(0)));
    CHECK_THROWS_AS(lock_lab(scratch.path, Deadline::after(Millis(30))), Error);
}

TEST_CASE("a password is made once and readable by its owner alone") {
    const ScratchDirectory scratch;
    const std::string password = ensure_password(scratch.path / "password");
    CHECK(password.size() == 32);
    CHECK(ensure_password(scratch.path / "password") == password);
    CHECK((fs::status(scratch.path / "password").permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("the printed configuration names the password's file, the JSON holds a URL that works as it is") {
    const std::vector<LabStore> stores{{"main", "postgres://ysdb@127.0.0.1:5432/ysdb", "s3cret", "/lab/postgres/password"},
                                       {"cache", "redis://127.0.0.1:6379/0", "t0ken", "/lab/redis/password"},
                                       {"analytics", "clickhouse://127.0.0.1:8123/default", "", {}}};
    const std::string toml = env_toml(stores);
    CHECK(toml.find("[stores.main]\nurl = \"postgres://ysdb@127.0.0.1:5432/ysdb\"\npassword_file = \"/lab/postgres/password\"\n") != std::string::npos);
    CHECK(toml.find("s3cret") == std::string::npos);
    CHECK(env_toml({{"graph", "nosuch://127.0.0.1:1", "", {}}}).find("\n# [stores.graph]\n# url = ") != std::string::npos);
    CHECK(url_with_password(stores[0]) == "postgres://ysdb:s3cret@127.0.0.1:5432/ysdb");
    CHECK(url_with_password(stores[1]) == "redis://:t0ken@127.0.0.1:6379/0");
    CHECK(url_with_password(stores[2]) == "clickhouse://127.0.0.1:8123/default");
    const std::string shell = env_shell(stores);
    CHECK(shell.find("export YSDB_STORES_MAIN_URL='postgres://ysdb@127.0.0.1:5432/ysdb'\n") != std::string::npos);
    CHECK(shell.find("export PGPORT='5432'\n") != std::string::npos);
    CHECK(shell.find("export PGPASSWORD='s3cret'\n") != std::string::npos);
    CHECK(shell.find("export REDISCLI_AUTH='t0ken'\n") != std::string::npos);
}

TEST_CASE("a server's or a download's name that is nearly right is suggested") {
    CHECK_THROWS_WITH(recipe("postgress"), "the lab has no server 'postgress'; did you mean 'postgres'?");
    CHECK_THROWS_WITH(pin("chdv"), "nothing to fetch is called 'chdv'; did you mean 'chdb'?");
}

TEST_CASE("every download is pinned by version and checksum") {
    REQUIRE_FALSE(pins().empty());
    for (const Pin& each : pins()) {
        CAPTURE(each.name);
        CHECK(each.version.find_first_of("*^~ ") == std::string::npos);
        CHECK((each.checksum.size() == 64 || each.checksum.starts_with("h1:")));
    }
    CHECK_THROWS_WITH(parse_pins("[x]\ntitle = \"X\"\n"), "servers.toml: 'x' is incomplete");
    CHECK_THROWS_WITH(parse_pins("[x]\ntitel = \"X\"\n"), "servers.toml:2: 'titel' is not for here");
    CHECK_THROWS_WITH(parse_pins("[x]\nbytes = \"1\"\n"), "servers.toml:2: 'bytes' is not for here");
    CHECK_THROWS_WITH(fetched("chdb", "/nonexistent"), "the ClickHouse engine (libchdb.so) is not on this machine");
}

TEST_CASE("a process is found by the mark of its lab alone") {
    const std::string id = random_hex(8);
    SpawnOptions options;
    options.argv = {"sleep", "60"};
    options.env = {{process_mark, id + "/redis"}};
    const ProcessId ours = spawn(options);
    options.env = {{process_mark, random_hex(8) + "/redis"}};
    const ProcessId other = spawn(options);
    const auto found = marked_processes(id);
    REQUIRE(found.size() == 1);
    CHECK(found[0].id.pid == ours.pid);
    CHECK(found[0].role == "redis");
    end_processes({found[0].id});
    CHECK(marked_processes(id).empty());
    CHECK(alive(other));
    end_processes({other});
}
