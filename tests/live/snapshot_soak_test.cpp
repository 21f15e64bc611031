// needs: main analytics
// lock: own_lab
// A copy in which ysdb, ClickHouse or PostgreSQL is killed at a random moment, again and again, while the source changes between copies. The same
// command completes it every time, and `validate` finds both sides equal. These tests kill, so they take a lab of their own.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "tests/live/outage_lab.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

const std::vector<std::string> copy{"sync", "snapshot", "--batch", "256KiB", "--workers", "2", "--timeout", "10s"};

// `ysdb sync snapshot` that goes on beside the test.
class RunningCopy {
public:
    explicit RunningCopy(const OutageLab& lab) {
        SpawnOptions options;
        options.argv = copy;
        options.argv.insert(options.argv.begin(), YSDB_BINARY);
        options.cwd = lab.directory();
        options.output_file = lab.directory() + "/out";
        std::filesystem::remove(options.output_file);
        process_ = spawn(options);
    }
    void kill() const { send_signal(process_, SIGKILL); }
    // 128 + signal when it was killed.
    int exit_code() const {
        int status = 0;
        REQUIRE(waitpid(process_.pid, &status, 0) == process_.pid);
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

private:
    ProcessId process_;
};

std::int64_t count(OutageLab& lab, const std::string& store, const std::string& sql) { return lab.store(store)->sql()->query(sql, OutageLab::soon()).row(0).integer(0); }

// What the next copy has to carry over: rows changed, gone and new.
void change(OutageLab& lab, int round) {
    const std::string n = std::to_string(round);
    lab.store("main")->sql()->open_session("test", OutageLab::soon())->query(
        "UPDATE t SET v = 'round " + n + " ' || id WHERE id % 97 = " + n + " % 97; DELETE FROM t WHERE id % 1009 = " + n + " % 1009;"
        " INSERT INTO t SELECT (SELECT max(id) FROM t) + g, repeat('new " + n + " ', 20) FROM generate_series(1, 100) g", OutageLab::soon());
}

}  // namespace

TEST_CASE("ysdb, ClickHouse and PostgreSQL killed at random moments of a copy: the same command completes it, and both sides are equal") {
    const int kills = soak() ? 60 : 3;
    const std::uint64_t seed = random_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    OutageLab lab;
    lab.up();
    lab.fill(60'000);
    const auto begin = SteadyClock::now();
    REQUIRE(lab.ysdb(copy).exit_code == 0);
    const auto undisturbed = static_cast<std::uint64_t>(std::chrono::duration_cast<Millis>(SteadyClock::now() - begin).count());

    std::map<std::string, int> ended;
    for (int round = 0; round < kills; ++round) {
        const std::string victim = std::array{"ysdb", "clickhouse", "postgres"}[static_cast<std::size_t>(round) % 3];
        const Millis after(random() % undisturbed);
        const bool back_at_once = random() % 2 == 0;
        CAPTURE(round);
        CAPTURE(victim);
        CAPTURE(after.count());
        CAPTURE(back_at_once);
        change(lab, round);
        const RunningCopy running(lab);
        std::this_thread::sleep_for(after);
        int code = 0;
        if (victim == "ysdb") {
            running.kill();
            code = running.exit_code();
            CHECK((code == 128 + SIGKILL || code == 0));
        } else {
            REQUIRE(lab.ysdb({"lab", "kill", victim, "--dir", "lab"}).exit_code == 0);
            if (!back_at_once) code = running.exit_code();
            REQUIRE(lab.ysdb({"lab", "start", victim, "--dir", "lab"}).exit_code == 0);
            if (back_at_once) code = running.exit_code();
            // 4: it had not begun; 8: to be gone on with; 0: it was through, or the server was back in time.
            CHECK_MESSAGE((code == 0 || code == 4 || code == 8), "exit " << code << ": " << read_file(lab.directory() + "/out"));
        }
        ++ended[victim + " " + std::to_string(code)];

        const CommandResult again = lab.ysdb(copy);
        REQUIRE_MESSAGE(again.exit_code == 0, again.out << again.err);
        const CommandResult equal = lab.ysdb({"validate"});
        REQUIRE_MESSAGE(equal.exit_code == 0, equal.out << equal.err);
        // `validate` is ours: the servers' own counts say the same, and no staging table is left.
        CHECK(count(lab, "analytics", "SELECT count() FROM t FINAL") == count(lab, "main", "SELECT count(*) FROM t"));
        CHECK(count(lab, "analytics", "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%ysdb%'") == 0);
    }
    for (const auto& [how, times] : ended) MESSAGE(how << ": " << times);
}
