// needs: main analytics
// lock: own_lab
// A transaction that is larger than what `sync run` may hold in memory, while ClickHouse takes nothing. tests/bench/sync prints the figure for ten
// million rows. A lab of its own, whose ClickHouse is stopped; `needs` only says that both can be had here.
#include <signal.h>

#include <fstream>

#include "tests/live/sync_outage.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// Peak of a living process, in MiB; 0 when it is gone.
std::uint64_t peak_mib(int pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) / 1024;
    }
    return 0;
}

}  // namespace

TEST_CASE("a transaction of many rows goes through in bounded memory, also when ClickHouse takes none of it for a while") {
    const int rows = soak() ? 10'000'000 : 800'000;
    SyncLab lab;
    SyncDay day(lab, 100);
    const auto run = day.run();
    REQUIRE_MESSAGE(wait_until([&] { return day.following(); }), run->log());
    lab.kill("clickhouse", "STOP");
    open_store(day.source())->sql()->open_session("test", SyncSite::soon())->query("INSERT INTO t SELECT g, md5(g::text), repeat(md5(g::text), 8) FROM generate_series(1001, " + std::to_string(rows + 1000) + ") g",
                                                                                   Deadline::after(Millis(600'000)));
    // It has all of it, or holds as much as it may.
    CHECK_FALSE(wait_until([&] { return peak_mib(run->pid()) >= 256; }, Millis(6'000)));
    lab.kill("clickhouse", "CONT");
    std::uint64_t peak = 0;
    const bool arrived = wait_until([&] {
        peak = std::max(peak, peak_mib(run->pid()));
        return day.ask_target("SELECT count() FROM t").row(0).integer(0) >= rows + 100 || run->ended();
    }, Millis(600'000));
    CHECK_MESSAGE(arrived, run->log());
    CHECK(peak > 0);
    CHECK(peak < 256);
    MESSAGE(rows << " rows in one transaction: at most " << peak << " MiB");
    run->signal(SIGTERM);
    CHECK_MESSAGE(run->wait() == 143, run->log());
    const CommandResult equal = day.ysdb({"validate"});
    CHECK_MESSAGE(equal.exit_code == 0, equal.out << equal.err);
}
