// needs: main analytics
// programs: redis-server
// `sync run` from PostgreSQL into a Redis Cluster, while its masters die and its slots move.
#include <signal.h>

#include <atomic>
#include <map>
#include <thread>

#include "core/store/redis/redis.h"
#include "core/store/redis/slots.h"
#include "tests/live/own_cluster.h"
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

std::map<std::string, std::string> source_rows(SyncSite& site) {
    std::map<std::string, std::string> rows;
    const SqlResult found = site.ask_source("SELECT id, v FROM t");
    for (std::size_t i = 0; i < found.rows(); ++i) rows["t:" + std::to_string(found.row(i).integer(0))] = found.row(i).text(1);
    return rows;
}

std::map<std::string, std::string> cached_rows(Store& store) {
    redis::RedisStore& cluster = redis::as_redis(store);
    std::vector<redis::Command> ask;
    cluster.scan("t:*", 1000, Millis(20'000), {}, [&](std::span<const std::string> page) {
        for (const std::string& key : page) ask.push_back({"HGET", key, "v"});
    });
    std::map<std::string, std::string> rows;
    if (ask.empty()) return rows;
    const auto replies = cluster.pipeline(ask, SyncSite::soon());
    for (std::size_t i = 0; i < ask.size(); ++i) rows[ask[i][1]] = replies[i].text;
    return rows;
}

}  // namespace

TEST_CASE("a run rides over the death of a master and over slots that move: at the end the cluster holds what the source holds, and no more") {
    OwnCluster own;
    SyncSite site("\"public.t\"", "[[sync.to]]\nstore = \"cache\"\nkey = \"t:{id}\"\n[stores.cache]\nurl = \"" + own.url() + "\"\n");
    site.source("CREATE TABLE t (id bigint PRIMARY KEY, v text)");
    site.source("INSERT INTO t SELECT g, 'copied' FROM generate_series(1, 2000) g");
    const auto store = open_store(own.config());
    const Running run(site, {"sync", "run"});
    const auto arrived = [&](int id, const std::string& v) {
        try {
            return redis::as_redis(*store).command({"HGET", "t:" + std::to_string(id), "v"}, Deadline::after(Millis(5'000))).text == v;
        } catch (const Error&) {
            return false;  // no master just now
        }
    };
    REQUIRE_MESSAGE(wait_until([&] { return arrived(2000, "copied") && site.state("public.t", "cache") == "following"; }), run.log());

    std::atomic<int> round = 0;
    {
        std::jthread writer([&](std::stop_token stop) {
            const auto session = site.source_session();
            while (!stop.stop_requested()) {
                const std::string n = std::to_string(++round);
                session->query("INSERT INTO t VALUES (" + std::to_string(10'000 + round) + ", '" + n + "')", SyncSite::soon());
                session->query("UPDATE t SET v = '" + n + "' WHERE id % 200 = " + std::to_string(round % 200), SyncSite::soon());
                session->query("DELETE FROM t WHERE id = " + std::to_string(round * 3), SyncSite::soon());
            }
        });
        const auto goes_on = [&] {
            const int now = round + 20;
            return wait_until([&] { return round > now && arrived(10'000 + now, std::to_string(now)); }, Millis(60'000));
        };
        CHECK(goes_on());
        // A slot goes to another master, with its rows.
        const std::uint16_t slot = redis::key_slot("t:77");
        const std::size_t from = own.master_of(slot), to = (from + 1) % 3;
        own.open_slot(slot, from, to);
        own.move_keys(slot, from, to);
        own.close_slot(slot, to);
        CHECK(goes_on());
        own.kill(0);
        CHECK(wait_until([&] { return own.master_of(1) == 3; }));
        CHECK_MESSAGE(goes_on(), run.log());
        own.kill(1);
        CHECK(wait_until([&] { return own.master_of(8000) == 4; }));
        CHECK_MESSAGE(goes_on(), run.log());
    }
    site.source("INSERT INTO t VALUES (999999, 'last')");
    CHECK_MESSAGE(wait_until([&] { return arrived(999'999, "last"); }, Millis(60'000)), run.log());
    CHECK_MESSAGE(wait_until([&] { return cached_rows(*store) == source_rows(site); }), run.log());

    site.source("TRUNCATE t");
    site.source("INSERT INTO t VALUES (1, 'after')");
    CHECK_MESSAGE(wait_until([&] { return cached_rows(*store) == source_rows(site); }), run.log());
    const CommandResult status = site.ysdb({"status", "cache"});
    CHECK_MESSAGE(status.out.find("cluster, 3 masters, state ok") != std::string::npos, status.out);
    const CommandResult doctor = site.ysdb({"doctor"});
    CHECK_MESSAGE(doctor.out.find("may write t:0") != std::string::npos, doctor.out);
}

TEST_CASE("a set whose rows could not be written in one transaction of a cluster is refused at its start, with how to mend it") {
    OwnCluster own({}, false);
    SyncSite site("\"public.t\"", "[[sync.to]]\nstore = \"cache\"\nkey = \"t:{id}\"\ntags = [\"of:{owner}\"]\n[stores.cache]\nurl = \"" + own.url() + "\"\n");
    site.source("CREATE TABLE t (id bigint, owner bigint, PRIMARY KEY (id, owner))");
    const CommandResult refused = site.ysdb({"sync", "run", "--until-caught-up"});
    CHECK(refused.exit_code != 0);
    CHECK_MESSAGE((refused.out + refused.err).find("lies in another slot of the cluster") != std::string::npos, refused.out << refused.err);
}
