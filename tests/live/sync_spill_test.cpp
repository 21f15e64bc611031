// needs: main analytics
// programs: redis-server
// takes: 100
// A sink that hangs while another one follows: what waits for it is kept in memory, then on disk, and then the set's policy holds.
#include "core/store/redis/redis.h"
#include "tests/live/servers.h"
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

const std::vector<std::string> run_to_the_end{"sync", "run", "--until-caught-up", "--buffer", "1MiB", "--timeout", "2s", "--lock-wait", "20s"};

// ClickHouse, which is well, and a Redis that can be made to hang.
class TwoSinks {
public:
    static constexpr std::int64_t rows = 19'900;
    explicit TwoSinks(const std::string& of_set)
        : redis_(directory_.path(), {}), site_("\"public.t\"", "[[sync.to]]\nstore = \"cache\"\nkey = \"t:{id}\"\n[stores.cache]\nurl = \"" + redis_url() + "\"\n", "wal", std::nullopt, of_set) {
        site_.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 100) g");
        site_.source("CREATE PROCEDURE much() LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..200 LOOP"
                     " INSERT INTO t SELECT g, repeat(md5(g::text), 32) FROM generate_series(i * 1000, i * 1000 + 99) g; COMMIT;"
                     " UPDATE t SET v = 'changed ' || i WHERE id IN (i, i * 1000); DELETE FROM t WHERE id = i * 1000 + 1; COMMIT; END LOOP; END $$");
        site_.catch_up();
    }
    ~TwoSinks() { wake(); }
    SyncSite& site() { return site_; }
    void hang() { redis_.signal(SIGSTOP); }
    void wake() { redis_.signal(SIGCONT); }
    // About 20 MB of changes, in 400 transactions; 19,900 rows are left.
    void write_much() {
        site_.source("CALL much()");
        written_ = site_.ask_source("SELECT pg_current_wal_lsn()").row(0).text(0);
    }
    bool clickhouse_has_all() { return site_.target_count("t_current") == rows && site_.target_count("t_current WHERE id = 200000 AND v = 'changed 200'") == 1; }
    // Every row that is there, with the last value it had, and none that was removed.
    bool redis_has_all() {
        const auto store = open_store(store_at("cache", redis_url()));
        auto& server = redis::as_redis(*store);
        const auto value = [&](const std::string& id) { return server.command({"HGET", "t:" + id, "v"}, SyncSite::soon()).text; };
        std::size_t found = 0;
        for (const auto& key : server.command({"KEYS", "t:*"}, SyncSite::soon()).elements) found += server.command({"HEXISTS", key.text, "v"}, SyncSite::soon()).integer == 1 ? 1 : 0;
        CHECK(found == rows);
        for (const std::string n : {"1", "100", "200"}) CHECK(value(n + "000") == "changed " + n);
        CHECK(value("7") == "changed 7");
        CHECK(value("7001").empty());
        return found == rows;
    }
    // Whether the source need not keep what was written any more.
    bool forgotten() {
        return site_.ask_source("SELECT confirmed_flush_lsn >= '" + written_ + "' FROM pg_replication_slots WHERE slot_name = '" + site_.slot() + "'").row(0).truth(0);
    }
    std::string reason() {
        const auto report = nlohmann::json::parse(site_.ysdb({"sync", "status", "--output", "json"}).out);
        for (const auto& row : report["tables"]) {
            if (row["sink"] == "cache") return row["reason"];
        }
        return "";
    }

private:
    std::string redis_url() const { return "redis://" + redis_.address() + "/0"; }
    std::string written_;
    TemporaryDirectory directory_;
    RedisProcess redis_;
    SyncSite site_;
};

// The sink is well again, and the next run brings everything everywhere.
void finish(TwoSinks& sinks) {
    sinks.wake();
    CHECK(sinks.site().ysdb(run_to_the_end).exit_code == 0);
    CHECK(sinks.redis_has_all());
    CHECK(sinks.site().equal());
}

}  // namespace

TEST_CASE("what a hanging sink cannot take waits on disk; the others go on meanwhile, and it gets everything when it is back") {
    TwoSinks sinks("");
    sinks.hang();
    sinks.write_much();
    const std::string metrics = sinks.site().directory() + "/metrics";
    std::vector<std::string> arguments = run_to_the_end;
    arguments.insert(arguments.end(), {"--metrics-file", metrics});
    Running run(sinks.site(), arguments);
    CHECK(wait_until([&] { return sinks.clickhouse_has_all(); }));
    const auto metric = [&](const std::string& name) {
        const std::string text = std::filesystem::exists(metrics) ? read_file(metrics) : "", mark = "ysdb_sync_" + name + "_bytes{set=\"" + sinks.site().set() + "\",sink=\"cache\"} ";
        const auto found = text.find(mark);
        return found == std::string::npos ? -1 : std::stoll(text.substr(found + mark.size()));
    };
    CHECK(wait_until([&] { return metric("spilled") > 10'000'000; }));
    CHECK(metric("waiting") <= 2 * (1 << 20) + 100'000);   // --buffer, the segment that went beyond it, and the rows that ended that one
    CHECK(!sinks.forgotten());  // the source keeps it for the one that has nothing yet
    CHECK(!run.ended());
    sinks.wake();
    CHECK(run.wait() == 0);
    CHECK(sinks.redis_has_all());
    CHECK(sinks.site().equal());
}

TEST_CASE("a run that is killed while changes wait on disk reads them again") {
    TwoSinks sinks("");
    sinks.hang();
    sinks.write_much();
    {
        Running run(sinks.site(), run_to_the_end);
        CHECK(wait_until([&] { return sinks.clickhouse_has_all(); }));
        run.signal(SIGKILL);
        CHECK(run.wait() == 128 + SIGKILL);
    }
    finish(sinks);
}

TEST_CASE("without room on disk reading waits for it, unless the set says otherwise") {
    TwoSinks sinks("spill = 0\n");
    sinks.hang();
    sinks.write_much();
    Running run(sinks.site(), run_to_the_end);
    CHECK(wait_until([&] { return run.log().find("sync.retry") != std::string::npos; }));
    CHECK(!sinks.clickhouse_has_all());
    sinks.wake();
    CHECK(run.wait() == 0);
    CHECK(sinks.clickhouse_has_all());
    CHECK(sinks.redis_has_all());
}

TEST_CASE("when_full = \"shed\" gives the sink up: the others go on, the source may forget, and a reset brings it back") {
    for (const std::string point : {"", "sync.shed.before", "sync.shed.after"}) {
        CAPTURE(point);
        TwoSinks sinks("spill = \"1MiB\"\nwhen_full = \"shed\"\n");
        sinks.hang();
        sinks.write_much();
        if (!point.empty()) CHECK(sinks.site().ysdb(run_to_the_end, {{"YSDB_FAULT", point}}).exit_code == 128 + SIGKILL);
        const CommandResult result = sinks.site().ysdb(run_to_the_end);
        CAPTURE(result.err);
        CHECK(result.exit_code == 8);
        CHECK(sinks.clickhouse_has_all());
        CHECK(sinks.site().state("public.t", "cache") == "halted");
        CHECK(sinks.reason().find("given up: more changes waited for it") == 0);
        CHECK(sinks.forgotten());
        sinks.wake();
        CHECK(sinks.site().ysdb({"sync", "reset", "public.t"}).exit_code == 0);
        finish(sinks);
    }
}

TEST_CASE("when_full = \"stop\" ends the run, which goes on where it was") {
    TwoSinks sinks("spill = 0\nwhen_full = \"stop\"\n");
    sinks.hang();
    sinks.write_much();
    const CommandResult result = sinks.site().ysdb(run_to_the_end);
    CAPTURE(result.err);
    CHECK(result.exit_code == 8);
    CHECK(result.err.find("more changes wait for 'cache' than fit") != std::string::npos);
    finish(sinks);
}

TEST_CASE("max_slot_wal: a sink that takes nothing is given up before the source keeps more log than that") {
    TwoSinks sinks("max_slot_wal = \"4MiB\"\n");
    sinks.hang();
    sinks.write_much();
    const CommandResult result = sinks.site().ysdb(run_to_the_end);
    CAPTURE(result.err);
    CHECK(result.exit_code == 8);
    CHECK(sinks.clickhouse_has_all());
    CHECK(sinks.reason() == "given up: the source kept more than max_slot_wal for it");
    CHECK(sinks.forgotten());
}
