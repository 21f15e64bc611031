// needs: main analytics
// lock: own_lab
// The bad days of `sync run`, all of them: every fault at every moment, and ysdb, PostgreSQL and ClickHouse killed at random moments again and again.
// Everyday a handful of kills.
#include <signal.h>

#include <array>
#include <random>

#include "cmd/lab_places.h"
#include "core/lab/pins.h"
#include "tests/live/sync_outage.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// The distribution's PostgreSQL; of a soak also those that were fetched.
std::vector<std::string> versions() {
    std::vector<std::string> found{""};
    for (const std::string major : {"17", "18"}) {
        if (soak() && lab::find_fetched("postgres-" + major, default_cache_dir())) found.push_back(major);
    }
    return found;
}

}  // namespace

TEST_CASE("every fault at every moment") {
    if (!soak()) {
        MESSAGE("SKIPPED: ./bootstrap test --soak; sync_outage_test has each fault once");
        return;
    }
    std::uint64_t seed = random_seed();
    for (const std::string& version : versions()) {
        CAPTURE(version);
        SyncLab lab(version);
        if (!lab.can_fill_disk()) MESSAGE("SKIPPED: full disks: a file system cannot be mounted here");
        for (const Fault fault : {Fault::kill_ysdb, Fault::kill_postgres, Fault::kill_clickhouse, Fault::stop_clickhouse, Fault::cut_network, Fault::stall_network, Fault::disk_full}) {
            if (fault == Fault::disk_full && !lab.can_fill_disk()) continue;
            for (const Moment moment : {Moment::copying, Moment::streaming, Moment::between, Moment::columns}) {
                const auto begun = SteadyClock::now();
                live_through(lab, fault, moment, seed++);
                MESSAGE((version.empty() ? "the distribution's PostgreSQL" : "PostgreSQL " + version) << ", " << text(fault) << " " << text(moment) << ": "
                                                                                                       << std::chrono::duration_cast<std::chrono::seconds>(SteadyClock::now() - begun).count() << " s");
            }
        }
    }
}

TEST_CASE("killed at random moments, again and again, while columns come and go: nothing that was acknowledged is lost") {
    const int kills = soak() ? 200 : 6;
    const std::uint64_t seed = random_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    SyncLab lab(versions().back());
    SyncDay day(lab, 20'000);
    RecordingWriter writer(day.source(), seed, 1'000'000);
    auto run = day.run();
    std::map<std::string, int> done;
    // 4: it had only begun, and found nobody there, or nobody who answered in time.
    const auto begin_again = [&] {
        if (!run->ended()) return;
        REQUIRE_MESSAGE(run->wait() == 4, run->log());
        REQUIRE_MESSAGE(run->log().find("sync.source") == std::string::npos, "it ended: " << run->log());
        ++done["ysdb found nobody at its start"];
        run = day.run({"--lock-wait", "10s"});
    };
    for (int round = 0; round < kills; ++round) {
        const std::string victim = std::array{"ysdb", "clickhouse", "ysdb", "postgres"}[static_cast<std::size_t>(round) % 4];
        CAPTURE(round);
        CAPTURE(victim);
        switch (random() % 6) {  // something for the next run to find half done
            case 0: day.ask_source("ALTER TABLE t ADD c" + std::to_string(round) + " int DEFAULT " + std::to_string(round)); break;
            case 1: day.ask_source("UPDATE t SET note = 'round " + std::to_string(round) + "' WHERE id <= 3000"); break;
            case 2: day.ask_source("DELETE FROM t WHERE id BETWEEN " + std::to_string(round * 100) + " AND " + std::to_string(round * 100 + 50)); break;
            case 3: day.ask_source("UPDATE t SET id = id + 100000 WHERE id BETWEEN " + std::to_string(round * 100 + 51) + " AND " + std::to_string(round * 100 + 60)); break;
            default: break;
        }
        std::this_thread::sleep_for(Millis(random() % 1'200));  // the moment
        ++done[victim + " killed"];
        if (victim == "ysdb") {
            run->signal(SIGKILL);
            CHECK(run->wait() == 128 + SIGKILL);
            run = day.run({"--lock-wait", "10s"});
        } else {
            lab.kill(victim);
            lab.start(victim);
            begin_again();
        }
        if (round % 20 != 19) continue;
        // All that came so far, looked at in the middle.
        day.ask_source("INSERT INTO t (id, v) VALUES (" + std::to_string(500'000 + round) + ", 'mark')");
        REQUIRE_MESSAGE(wait_until([&] { return begin_again(), day.arrived(500'000 + round, "mark"); }, Millis(60'000)), run->log());
    }
    REQUIRE(writer.commits_more(10));
    const std::uint64_t commits = writer.acknowledged();
    const auto expected = writer.stop();
    CHECK_MESSAGE(wait_until([&] { return begin_again(), day.arrived(expected.rbegin()->first, expected.rbegin()->second); }, Millis(60'000)), run->log());
    run->signal(SIGTERM);
    CHECK_MESSAGE(run->wait() == 143, run->log());
    day.check(expected, 1'000'000);
    for (const auto& [what, times] : done) MESSAGE(what << ": " << times);
    MESSAGE("commits acknowledged: " << commits);
}
