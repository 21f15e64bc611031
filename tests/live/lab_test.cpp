// The lab as its users see it: each test has a lab of its own.
// programs: redis-server
#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "cmd/lab_places.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/lab/env.h"
#include "core/lab/lab.h"
#include "core/lab/ports.h"
#include "core/lab/processes.h"
#include "core/lab/state.h"
#include "tests/live/own_lab.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::lab;
using ysdb::test::ask_postgres;
using ysdb::test::wait_until;
using ysdb::test::OwnLab;
using ysdb::test::run_ysdb;
namespace fs = std::filesystem;

TEST_CASE("a lab starts, says how to reach its servers, and leaves no process and no file") {
    const OwnLab own;
    const CommandResult up = own.run({"up", "--only", "postgres,redis"});
    REQUIRE_MESSAGE(up.exit_code == 0, up.out << up.err);
    CHECK(own.states() == std::map<std::string, std::string>{{"postgres", "running"}, {"redis", "running"}});

    // The printed configuration works as it is.
    write_file_atomically(own.base() / "ysdb.toml", own.run({"env"}).out);
    const CommandResult status = run_ysdb({"status"}, {}, own.base().string());
    CHECK_MESSAGE(status.exit_code == 0, status.out << status.err);
    CHECK(ask_postgres(own.api(), "SHOW wal_level") == "logical");

    const std::string id = own.id();
    const auto ports = load_state(own.dir())->servers.at("redis").ports;
    CHECK(own.run({"down", "--destroy", "--yes"}).exit_code == 0);
    CHECK_FALSE(fs::exists(own.dir()));
    CHECK(marked_processes(id).empty());
    CHECK_FALSE(tcp_accepts(ports.at("redis")));
}

TEST_CASE("up again starts what is missing and leaves the others alone") {
    const OwnLab own;
    own.run({"up", "--only", "redis"});
    const pid_t redis = load_state(own.dir())->servers.at("redis").process.pid;
    CHECK(own.run({"up", "--only", "redis,postgres"}).exit_code == 0);
    CHECK(load_state(own.dir())->servers.at("redis").process.pid == redis);
    CHECK(own.states().at("postgres") == "running");
}

TEST_CASE("a killed server is seen as died, and starts again on its port with its data") {
    const OwnLab own;
    Lab lab = own.api();
    NoProgress progress;
    lab.up({{"postgres"}, 0}, progress);
    ask_postgres(lab, "CREATE TABLE kept AS SELECT 42 AS answer");
    const std::string url = lab.stores().at(0).url;

    lab.kill("postgres", SIGKILL);
    CHECK(wait_until([&] { return lab.status().at(0).state == ServerState::died; }));
    CHECK(own.run({"status"}).exit_code == 1);

    CHECK(lab.start("postgres", progress).state == ServerState::started);
    CHECK(lab.stores().at(0).url == url);
    CHECK(ask_postgres(lab, "SELECT answer::text FROM kept") == "42");
}

TEST_CASE("stopped servers come back with their data") {
    const OwnLab own;
    Lab lab = own.api();
    NoProgress progress;
    lab.up({{"postgres"}, 0}, progress);
    ask_postgres(lab, "CREATE TABLE kept AS SELECT 42 AS answer");
    CHECK(own.run({"down"}).exit_code == 0);
    CHECK(own.states().at("postgres") == "stopped");
    CHECK(own.marked().empty());
    lab.up({{"postgres"}, 0}, progress);
    CHECK(ask_postgres(lab, "SELECT answer::text FROM kept") == "42");
}

TEST_CASE("a ysdb killed while it starts a server leaves nothing unaccounted") {
    for (const char* fault : {"lab.spawn.before", "lab.spawn.after"}) {
        CAPTURE(fault);
        const OwnLab own;
        CHECK(own.run({"up", "--only", "postgres"}, {{"YSDB_FAULT", fault}}).exit_code == 128 + SIGKILL);
        CHECK(own.run({"up", "--only", "postgres"}).exit_code == 0);
        CHECK(own.marked().size() == 1);
        CHECK(ask_postgres(own.api(), "SELECT 'alive'") == "alive");
        const std::string id = own.id();
        CHECK(own.run({"down", "--destroy", "--yes"}).exit_code == 0);
        CHECK(marked_processes(id).empty());
    }
}

TEST_CASE("down finds the server of a ysdb that was killed before it could write its pid") {
    const OwnLab own;
    CHECK(own.run({"up", "--only", "redis"}, {{"YSDB_FAULT", "lab.spawn.after"}}).exit_code == 128 + SIGKILL);
    const std::string id = own.id();
    REQUIRE(marked_processes(id).size() == 1);
    CHECK(own.run({"down", "--destroy", "--yes"}).exit_code == 0);
    CHECK(marked_processes(id).empty());
}

TEST_CASE("a ysdb killed in the middle of initdb is no obstacle") {
    const OwnLab own;
    const std::string fresh_cache = (own.base() / "cache").string();
    fs::create_directories(own.base());
    SpawnOptions options;
    options.argv = {YSDB_BINARY, "lab", "up", "--only", "postgres", "--dir", own.dir().string(), "--cache", fresh_cache};
    options.output_file = (own.base() / "output").string();
    const ProcessId ysdb = spawn(options);
    REQUIRE(wait_until([&] { return own.marked().size() == 1; }));
    send_signal(ysdb, SIGKILL);
    wait_gone(ysdb, Deadline::after(Millis(5'000)));
    const CommandResult again = own.run({"up", "--only", "postgres", "--cache", fresh_cache});
    CHECK_MESSAGE(again.exit_code == 0, again.out << again.err);
    CHECK(own.marked().size() == 1);
}

TEST_CASE("two commands at once on one lab start each server once") {
    const OwnLab own;
    CommandResult other;
    std::jthread thread([&] { other = own.run({"up", "--only", "redis,postgres"}); });
    const CommandResult mine = own.run({"up", "--only", "redis,postgres"});
    thread.join();
    CHECK_MESSAGE(mine.exit_code == 0, mine.out << mine.err);
    CHECK_MESSAGE(other.exit_code == 0, other.out << other.err);
    CHECK(own.marked().size() == 2);
}

TEST_CASE("a stranger with a recorded pid is never touched") {
    const OwnLab own;
    own.run({"up", "--only", "redis"});
    SpawnOptions options;
    options.argv = {"sleep", "600"};
    const ProcessId stranger = spawn(options);
    State state = *load_state(own.dir());
    state.servers.at("redis").process.pid = stranger.pid;  // the start time stays that of the real one
    save_state(own.dir(), state);

    CHECK(own.states().at("redis") == "running");  // the real one, found by its mark
    CHECK(own.run({"kill", "redis"}).exit_code == 0);
    CHECK(own.run({"down", "--destroy", "--yes"}).exit_code == 0);
    CHECK(alive(stranger));
    send_signal(stranger, SIGKILL);
    CHECK(wait_gone(stranger, Deadline::after(Millis(5'000))));
}

TEST_CASE("a missing server is explained, the others start, and the exit code is 8") {
    const OwnLab own;
    const CommandResult up = own.run({"up", "--only", "redis,milvus", "--cache", (own.base() / "empty_cache").string()});
    CHECK(up.exit_code == 8);
    CHECK(up.out.find("hint: ysdb lab fetch milvus") != std::string::npos);
    CHECK(own.states() == std::map<std::string, std::string>{{"redis", "running"}});
}

TEST_CASE("an unknown server is refused before anything is made, with the nearest name") {
    const OwnLab own;
    const CommandResult up = own.run({"up", "--only", "postgres,rediss"});
    CHECK(up.exit_code == 2);
    CHECK(up.err.find("did you mean 'redis'?") != std::string::npos);
    CHECK_FALSE(fs::exists(own.dir()));
}

TEST_CASE("a directory that is no lab is neither used nor destroyed") {
    const OwnLab own;
    fs::create_directories(own.dir());
    write_file_atomically(own.dir() / "thesis.txt", "years of work");
    CHECK(own.run({"up", "--only", "redis"}).exit_code == 7);
    CHECK(own.run({"down", "--destroy", "--yes"}).exit_code == 7);
    CHECK(read_file(own.dir() / "thesis.txt") == "years of work");
}

TEST_CASE("destroying asks first, and without a terminal says what to type") {
    const OwnLab own;
    own.run({"up", "--only", "redis"});
    const CommandResult down = own.run({"down", "--destroy"});
    CHECK(down.exit_code == 7);
    CHECK(down.err.find("--yes") != std::string::npos);
    CHECK(own.states().at("redis") == "running");
}

TEST_CASE("no password is readable by others or visible in an argument") {
    const OwnLab own;
    own.run({"up", "--only", "postgres,redis"});
    for (const LabStore& store : own.api().stores()) {
        REQUIRE(store.password.size() == 32);
        CHECK((fs::status(store.password_file).permissions() & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
        CHECK(own.run({"status"}).out.find(store.password) == std::string::npos);
        CHECK(own.run({"env"}).out.find(store.password) == std::string::npos);
        for (const MarkedProcess& process : own.marked()) {
            CHECK(read_file("/proc/" + std::to_string(process.id.pid) + "/cmdline").find(store.password) == std::string::npos);
        }
    }
    CHECK(own.run({"logs", "postgres"}).out.find("ready to accept connections") != std::string::npos);
}
