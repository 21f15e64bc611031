// needs: main analytics
// takes: 90
// `validate --at watermark`: a comparison beside a running sync, while the source is written.
#include <atomic>
#include <thread>

#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr const char* table = "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, note text); INSERT INTO t SELECT g, 0, 'n' || g FROM generate_series(1, 100000) g";

// Changes rows above 1000, all over the table, until it is stopped: updates, removals, and new rows in their places.
class Writer {
public:
    explicit Writer(SyncSite& site) : session_(site.source_session()), thread_([this](const std::stop_token& stop) {
        for (int round = 1; !stop.stop_requested(); ++round) {
            const std::string id = std::to_string(1001 + static_cast<std::int64_t>(round) * 7919 % 99000);
            session_->query("UPDATE t SET n = n + 1 WHERE id BETWEEN " + id + " AND " + id + " + 2", SyncSite::soon());
            session_->query("DELETE FROM t WHERE id = " + id, SyncSite::soon());
            session_->query("INSERT INTO t VALUES (" + id + ", -1, 'again') ON CONFLICT DO NOTHING", SyncSite::soon());
            ++rounds_;
        }
    }) {}
    int rounds() const { return rounds_; }

private:
    std::atomic<int> rounds_{0};
    std::unique_ptr<SqlSession> session_;
    std::jthread thread_;
};

void follow(SyncSite& site) { REQUIRE(wait_until([&] { return site.state("public.t") == "following"; }, Millis(60'000))); }

nlohmann::json verdict(const SyncSite& site, const std::vector<std::string>& arguments, int exit_code) { return site.json(arguments, exit_code); }

}  // namespace

TEST_SUITE("live/validate_watermark") {
    TEST_CASE("a table that is written all the time is equal to its copy, and a row that only the copy has wrong is found, by either capture") {
        for (const std::string capture : {"wal", "trigger"}) {
            CAPTURE(capture);
            SyncSite site("\"public.t\"", "", capture);
            site.source(table);
            Running run(site, {"sync", "run"});
            follow(site);
            const Writer writer(site);
            REQUIRE(wait_until([&] { return writer.rounds() > 50; }));
            const int before = writer.rounds();
            for (int i = 0; i < 3; ++i) CHECK(verdict(site, {"validate", "--at", "watermark"}, 0)["tables"][0]["verdict"] == "equal");
            CHECK(writer.rounds() > before);   // it was beside the writer

            // In the same version, later in ClickHouse: what a lost write or a wrong repair would leave.
            site.target("INSERT INTO t SELECT * REPLACE (n + 7 AS n) FROM t FINAL WHERE id = 5");
            site.target("INSERT INTO t SELECT * REPLACE (777777 AS id) FROM (SELECT * FROM t FINAL WHERE id = 6)");
            site.target("INSERT INTO t SELECT * REPLACE (1 AS _is_deleted) FROM t FINAL WHERE id = 7");
            const auto report = verdict(site, {"validate", "--at", "watermark"}, 1);
            CAPTURE(report.dump());
            CHECK(report["tables"][0]["different"] == 1);
            CHECK(report["tables"][0]["extra"] == 1);
            CHECK(report["tables"][0]["missing"] == 1);
            CHECK(report["tables"][0]["unsettled"] == 0);
            std::map<std::string, std::string> found;
            for (const auto& row : report["differences"]) found[row["key"]] = row["verdict"];
            CHECK(found == std::map<std::string, std::string>{{"id=5", "different"}, {"id=7", "missing in the sink"}, {"id=777777", "extra in the sink"}});
            run.signal(SIGINT);
            run.wait();
        }
    }

    TEST_CASE("a row that changes faster than it can be looked at is unsettled, never different") {
        SyncSite site;
        site.source(table);
        Running run(site, {"sync", "run"});
        follow(site);
        std::atomic<bool> stop{false};
        std::jthread writer([&, session = site.source_session()] {
            while (!stop) {
                session->query("UPDATE t SET n = n + 1 WHERE id IN (3, 4)", SyncSite::soon());
                session->query("UPDATE t SET n = 1 - n WHERE id BETWEEN 10 AND 19", SyncSite::soon());   // and back: what is seen twice has not stood still
            }
        });
        int unsettled = 0;
        for (int i = 0; i < 3; ++i) {
            const CommandResult result = site.ysdb({"validate", "--at", "watermark", "--output", "json"});
            const auto report = nlohmann::json::parse(result.out);
            CAPTURE(report.dump());
            CHECK(report["tables"][0]["different"] == 0);
            unsettled += report["tables"][0]["unsettled"].get<int>();
            CHECK(result.exit_code == (report["tables"][0]["unsettled"] == 0 ? 0 : 1));
        }
        CHECK(unsettled > 0);
        stop = true;
        writer.join();
        CHECK(site.ysdb({"validate", "--at", "watermark"}).exit_code == 0);
        run.signal(SIGINT);
        run.wait();
    }

    TEST_CASE("a set that nobody follows, a sink that does not get there, a halted table: each is said, with what to do") {
        SyncSite site;
        site.source(table);
        const auto refused = [&](const std::string& says) {
            const CommandResult result = site.ysdb({"validate", "--at", "watermark", "--wait", "2s"});
            CAPTURE(result.err);
            CHECK(result.exit_code == 7);
            CHECK(result.err.find(says) != std::string::npos);
            CHECK(result.err.find("hint:") != std::string::npos);
        };
        refused("is not followed by any run");
        {
            Running run(site, {"sync", "run"});
            follow(site);
            run.signal(SIGSTOP);
            site.source("UPDATE t SET n = 1 WHERE id = 1");
            refused("has not got within 2 s to where the source was");
            run.signal(SIGCONT);
            CHECK(site.ysdb({"validate", "--at", "watermark"}).exit_code == 0);
            site.source("ALTER TABLE t ALTER n TYPE bigint USING n + 1");
            REQUIRE(wait_until([&] { return site.state("public.t") == "halted"; }));
            refused("halted");
            run.signal(SIGINT);
            run.wait();
        }
        CHECK(site.ysdb({"validate", "--at", "watermark", "--mode", "count"}).exit_code == 2);
    }

    TEST_CASE("in a later epoch a wrong row is different, not one that changed meanwhile") {
        SyncSite site;
        site.source(table);
        site.catch_up();
        REQUIRE(site.ysdb({"sync", "reset", "--yes"}).exit_code == 0);
        site.catch_up();
        site.target("INSERT INTO t SELECT * REPLACE (n + 7 AS n) FROM t FINAL WHERE id = 5");
        const auto report = verdict(site, {"validate"}, 1);
        CHECK(report["tables"][0]["different"] == 1);
        CHECK(report["tables"][0]["unsettled"] == 0);
    }
}
