// needs: main analytics
// A transaction that is larger than what `sync run` may hold in memory. tests/bench/sync_memory prints the figure for ten million rows.
#include <fstream>

#include "tests/live/sync_site.h"

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

TEST_CASE("a transaction of many rows goes through in bounded memory, though ClickHouse is slower than the stream") {
    const int rows = soak() ? 10'000'000 : 500'000;
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text)");
    site.catch_up();
    const auto session = site.source_session();
    session->query("INSERT INTO t SELECT g, repeat(md5(g::text), 8) FROM generate_series(1, " + std::to_string(rows) + ") g", Deadline::after(Millis(600'000)));
    Running run(site, {"sync", "run", "--until-caught-up"});
    std::uint64_t peak = 0;
    REQUIRE(wait_until([&] {
        peak = std::max(peak, peak_mib(run.pid()));
        return run.ended();
    }, Millis(1'200'000)));
    CHECK(run.wait() == 0);
    CHECK(site.target_count("t_current") == rows);
    MESSAGE(rows << " rows in one transaction: at most " << peak << " MiB");
    CHECK(peak > 0);
    CHECK(peak < 256);
}
