// `lab up` and `lab down` killed at any moment: the same command goes through, and at the end nothing is left.
// programs: redis-server
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "core/base/file.h"
#include "core/lab/ports.h"
#include "core/lab/processes.h"
#include "core/lab/state.h"
#include "tests/live/own_lab.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::lab;
using ysdb::test::ask_postgres;
using ysdb::test::OwnLab;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> up{"up", "--only", "postgres,redis"};
const std::vector<std::string> down{"down"};
const std::vector<std::string> destroy{"down", "--destroy", "--yes"};

Millis time_of(const OwnLab& own, const std::vector<std::string>& command) {
    const auto begin = SteadyClock::now();
    const CommandResult result = own.run(command);
    REQUIRE_MESSAGE(result.exit_code == 0, result.out << result.err);
    return std::chrono::duration_cast<Millis>(SteadyClock::now() - begin);
}

// Starts the command and kills it after so long; false when it was through by then.
bool kill_within(const OwnLab& own, std::vector<std::string> command, Millis after) {
    command.insert(command.begin(), {YSDB_BINARY, "lab"});
    command.insert(command.end(), {"--dir", own.dir().string()});
    SpawnOptions options;
    options.argv = std::move(command);
    options.output_file = (own.base() / "output").string();
    const ProcessId ysdb = spawn(options);
    if (wait_gone(ysdb, Deadline::after(after))) return false;
    send_signal(ysdb, SIGKILL);
    wait_gone(ysdb, Deadline::after(Millis(10'000)));
    return true;
}

void check_all_run(const OwnLab& own) {
    CHECK(own.states() == std::map<std::string, std::string>{{"postgres", "running"}, {"redis", "running"}});
    std::multiset<std::string> roles;
    for (const MarkedProcess& process : own.marked()) roles.insert(process.role);
    CHECK(roles == std::multiset<std::string>{"postgres", "redis"});
    CHECK(ask_postgres(own.api(), "SELECT answer::text FROM kept") == "42");
}

// What was asked to stop is never shown as if it had failed.
void check_none_died(const OwnLab& own) {
    for (const auto& [server, state] : own.states()) CHECK_MESSAGE(state != "died", server);
}

void check_gone(const OwnLab& own, const std::string& id) {
    CHECK_FALSE(fs::exists(fs::symlink_status(own.dir())));
    CHECK(marked_processes(id).empty());
}

}  // namespace

TEST_CASE("up and down killed at random moments: the same command goes through, and destroying leaves nothing") {
    const int kills = test::soak() ? 200 : 12;
    const std::uint64_t seed = test::random_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const auto below = [&](Millis limit) { return Millis(random() % static_cast<std::uint64_t>(limit.count() + 1)); };
    const OwnLab own;
    fs::create_directories(own.base());
    own.run(up);  // the template cluster is made by whoever is first
    ask_postgres(own.api(), "CREATE TABLE kept AS SELECT 42 AS answer");
    const Millis to_stop = time_of(own, down), to_start = time_of(own, up);
    REQUIRE(own.run(down).exit_code == 0);

    int killed = 0;
    for (int round = 0; 2 * round < kills; ++round) {
        CAPTURE(round);
        killed += kill_within(own, up, below(to_start));
        const CommandResult started = own.run(up);
        REQUIRE_MESSAGE(started.exit_code == 0, started.out << started.err);
        check_all_run(own);

        killed += kill_within(own, down, below(to_stop));
        check_none_died(own);
        if (random() % 2 == 0) {  // changing one's mind is the same to it
            const CommandResult again = own.run(up);
            REQUIRE_MESSAGE(again.exit_code == 0, again.out << again.err);
            check_all_run(own);
        }
        const CommandResult stopped = own.run(down);
        REQUIRE_MESSAGE(stopped.exit_code == 0, stopped.out << stopped.err);
        CHECK(own.states() == std::map<std::string, std::string>{{"postgres", "stopped"}, {"redis", "stopped"}});
        CHECK(own.marked().empty());
    }
    CHECK(killed > kills / 3);  // the others were through before
    const std::string id = own.id();
    CHECK(own.run(destroy).exit_code == 0);
    check_gone(own, id);
}

TEST_CASE("the very first up and destroying killed at random moments: destroying goes through and leaves nothing") {
    const int kills = test::soak() ? 100 : 6;
    const std::uint64_t seed = test::random_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const auto below = [&](Millis limit) { return Millis(random() % static_cast<std::uint64_t>(limit.count() + 1)); };
    const OwnLab own;
    fs::create_directories(own.base());
    const Millis to_start = time_of(own, up);
    std::string id = own.id();
    const Millis to_destroy = time_of(own, destroy);
    for (int round = 0; 2 * round < kills; ++round) {
        CAPTURE(round);
        std::vector<std::string> first_up = up;
        const bool makes_cluster = test::soak() && round % 2 == 0;  // initdb takes seconds
        if (makes_cluster) first_up.insert(first_up.end(), {"--cache", (own.base() / ("cache" + std::to_string(round))).string()});
        kill_within(own, first_up, below(makes_cluster ? Millis(3'000) : to_start));
        if (fs::exists(state_file(own.dir()))) id = own.id();
        kill_within(own, destroy, below(to_destroy));
        const CommandResult again = own.run(destroy);
        if (fs::exists(fs::symlink_status(own.dir())) || again.exit_code != 7) CHECK_MESSAGE(again.exit_code == 0, again.out << again.err);  // 7: there was nothing left to do
        check_gone(own, id);
    }
}

TEST_CASE("a down killed before, while and after servers are told to stop is carried out by the next down, and by the next up") {
    for (const char* fault : {"lab.stop.before", "lab.stop.sent", "lab.stop.after"}) {
        CAPTURE(fault);
        for (const auto& next : {down, up}) {
            const OwnLab own;
            REQUIRE(own.run(up).exit_code == 0);
            ask_postgres(own.api(), "CREATE TABLE kept AS SELECT 42 AS answer");
            REQUIRE(own.run(down, {{"YSDB_FAULT", fault}}).exit_code == 128 + SIGKILL);
            check_none_died(own);
            const CommandResult result = own.run(next);
            REQUIRE_MESSAGE(result.exit_code == 0, result.out << result.err);
            if (next == up) check_all_run(own);
            else CHECK(own.states() == std::map<std::string, std::string>{{"postgres", "stopped"}, {"redis", "stopped"}});
        }
    }
}

TEST_CASE("a destroy killed before the first file and after the last one is carried out by the same command") {
    for (const char* fault : {"lab.destroy.before", "lab.destroy.after"}) {
        CAPTURE(fault);
        const OwnLab own;
        REQUIRE(own.run({"up", "--only", "redis"}).exit_code == 0);
        const std::string id = own.id();
        REQUIRE(own.run(destroy, {{"YSDB_FAULT", fault}}).exit_code == 128 + SIGKILL);
        CHECK(own.run(destroy).exit_code == 0);
        check_gone(own, id);
    }
}
