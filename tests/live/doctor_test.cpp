// needs: main analytics
// programs: redis-server
// What doctor says about the places that ysdb.toml sends rows to.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/store/redis/redis.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(20'000)); }

struct Found {
    std::string state, detail, hint;
};

// doctor's checks by name, for a configuration and stores by name.
std::map<std::string, Found> examine(const std::string& toml, const std::map<std::string, std::string>& stores) {
    const TempDir directory;
    directory.write("ysdb.toml", toml);
    directory.write("migrations/1_a.sql", "");
    std::map<std::string, std::string> environment{{"XDG_CONFIG_HOME", directory.string() + "/none"}};
    for (const auto& [name, url] : stores) environment["YSDB_STORES_" + name + "_URL"] = url;
    const CommandResult result = run_ysdb({"doctor", "--output", "json", "--timeout", "5s"}, environment, directory.string());
    CAPTURE(result.err);
    CHECK((result.out + result.err).find("hunter2") == std::string::npos);
    std::map<std::string, Found> found;
    const auto json = nlohmann::json::parse(result.out);
    bool failed = false;
    for (const auto& check : json.at("checks")) {
        found[check.at("name")] = {check.at("state"), check.at("detail"), check.value("hint", "")};
        failed = failed || check.at("state") == "fail";
    }
    CHECK(result.exit_code == (failed ? 1 : 0));
    return found;
}

std::string sync_to(const std::string& store, const std::string& more = "") {
    return "[[sync]]\nname = \"s\"\ntables = [\"public.t\"]\n[[sync.to]]\nstore = \"" + store + "\"\n" + more;
}

}  // namespace

TEST_CASE("a ClickHouse that takes copies is good, one that lacks grants is told which") {
    const TestClickHouse database;
    const std::string main = store_config("main").url;
    const Found good = examine(sync_to("analytics"), {{"MAIN", main}, {"ANALYTICS", database.config().url}}).at("sync.s.to.analytics");
    CHECK(good.state == "ok");
    CHECK(good.detail.find("may copy into t_") != std::string::npos);

    // Answers every question with the same row, in which no grant is 1.
    const std::string row = "a\tb\tc\n26.1\t0\t\\N\n";
    StrangeServer strict("HTTP/1.1 200 OK\r\nX-ClickHouse-Format: TabSeparatedWithNames\r\nConnection: close\r\nContent-Length: " + std::to_string(row.size()) + "\r\n\r\n" + row);
    const Found poor = examine(sync_to("analytics"), {{"MAIN", main}, {"ANALYTICS", "clickhouse://app:hunter2@127.0.0.1:" + std::to_string(strict.port()) + "/x"}}).at("sync.s.to.analytics");
    CHECK(poor.state == "fail");
    CHECK(poor.detail.find("INSERT") != std::string::npos);
    CHECK(poor.hint.find("GRANT ") != std::string::npos);
}

TEST_CASE("a Redis is asked whether it takes the target's keys, and nothing is written") {
    TemporaryDirectory directory;
    const RedisProcess server(directory.path() / "a", {"save ''", "user app on >hunter2 ~portfolio:* ~ysdb:* +@all", "user reader on >hunter2 ~* +@read +@connection +info +role +client +ping +multi +discard"});
    const RedisProcess replica(directory.path() / "b", {"save ''", "replicaof 127.0.0.1 1"});
    const RedisProcess full(directory.path() / "c", {"save ''", "maxmemory 100kb", "maxmemory-policy noeviction"});
    const std::string main = store_config("main").url;
    const auto found = [&](const std::string& url, const std::string& key) {
        return examine(sync_to("cache", "table = \"public.t\"\nkey = \"" + key + "\"\n"), {{"MAIN", main}, {"CACHE", url}}).at("sync.s.to.cache.public.t");
    };
    const std::string as_app = "redis://app:hunter2@" + server.address() + "/0";
    CHECK(found(as_app, "portfolio:{user_id}:{asset_id}").state == "ok");
    CHECK(found(as_app, "portfolio:{user_id}:{asset_id}").detail == "may write portfolio:0:0");

    const Found other_key = found(as_app, "price:{symbol}");
    CHECK(other_key.state == "fail");
    CHECK(other_key.detail.find("NOPERM") != std::string::npos);
    CHECK(other_key.hint.find("~price:*") != std::string::npos);

    const auto admin = open_store(store_at("cache", "redis://" + server.address()));
    redis::as_redis(*admin).command({"ACL", "SETUSER", "app", "resetkeys", "~portfolio:*"}, soon());
    const Found own_keys = found(as_app, "portfolio:{id}");
    CHECK(own_keys.state == "fail");
    CHECK(own_keys.detail.find("ysdb:gone:") != std::string::npos);
    CHECK(own_keys.hint.find("~ysdb:*") != std::string::npos);

    const Found reader = found("redis://reader:hunter2@" + server.address() + "/0", "portfolio:{id}");
    CHECK(reader.state == "fail");
    CHECK(reader.hint.find("+@write") != std::string::npos);

    const Found on_replica = found("redis://" + replica.address() + "/0", "portfolio:{id}");
    CHECK(on_replica.state == "fail");
    CHECK(on_replica.hint.find("redis+sentinel://") != std::string::npos);

    const Found no_room = found("redis://" + full.address() + "/0", "portfolio:{id}");
    CHECK(no_room.state == "fail");
    CHECK(no_room.hint.find("maxmemory") != std::string::npos);

    const auto store = open_store(store_at("cache", "redis://" + server.address()));
    const std::string statistics = redis::as_redis(*store).command({"INFO", "commandstats"}, soon()).text;
    CHECK(statistics.find("cmdstat_multi:calls=") != std::string::npos);
    CHECK((statistics.find("cmdstat_set:") == std::string::npos || statistics.find("cmdstat_set:calls=0,") != std::string::npos));
}

TEST_CASE("a partitioned table is examined: there, its column, its owner, the place of its archive") {
    const TestDatabase database;
    const TestClickHouse archive;
    const auto session = open_store(database.config())->sql()->open_session("test", soon());
    const std::string role = unique_name();
    for (const std::string& sql : {std::string("CREATE TABLE public.good (id int, day date) PARTITION BY RANGE (day)"), std::string("CREATE TABLE public.plain (id int, day date)")}) session->query(sql, soon());
    const auto clickhouse = open_store(archive.config());
    clickhouse->sql()->query("CREATE TABLE raw (day Date) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY day", soon());
    clickhouse->sql()->query("CREATE TABLE whole (day Date) ENGINE = MergeTree ORDER BY day", soon());

    const auto partition = [](const std::string& table, const std::string& by, const std::string& to) {
        return "[[partition]]\ntable = \"" + table + "\"\n" + (by.empty() ? "" : "by = \"" + by + "\"\n") + "every = \"month\"\nkeep = \"12 months\"\narchive = \"" + to + "\"\n";
    };
    const std::string toml = partition("main.public.good", "day", "analytics.good_archive") + partition("main.public.plain", "day", "file:///tmp") + partition("main.public.absent", "day", "none") +
                             partition("analytics.raw", "", "none") + partition("analytics.whole", "", "file:///no/such/directory");
    auto found = examine(toml, {{"MAIN", database.config().url}, {"ANALYTICS", archive.config().url}});
    CHECK(found["partition.main.public.good"].state == "ok");
    CHECK(found["partition.main.public.good"].detail == "partitioned by RANGE (day)");
    CHECK(found["partition.main.public.good.archive"].state == "ok");
    CHECK(found["partition.main.public.plain"].state == "warn");
    CHECK(found["partition.main.public.plain.archive"].state == "ok");
    CHECK(found["partition.main.public.absent"].state == "warn");
    CHECK(found["partition.analytics.raw"].state == "ok");
    CHECK(found["partition.analytics.whole"].state == "fail");
    CHECK(found["partition.analytics.whole.archive"].state == "fail");

    found = examine(partition("main.public.good", "no_such_column", "none"), {{"MAIN", database.config().url}});
    CHECK(found["partition.main.public.good"].detail == "the table has no column no_such_column");
    found = examine(partition("main.public.good", "day", "analytics.x"), {{"MAIN", database.config().url}, {"ANALYTICS", "clickhouse://127.0.0.1:1/x"}});
    CHECK(found["partition.main.public.good.archive"].state == "fail");

    // Another role owns it.
    session->query("CREATE ROLE " + role + " LOGIN PASSWORD 'swordfish'", soon());
    const std::string url = database.config().url;
    const std::string as_role = "postgres://" + role + ":swordfish" + url.substr(url.find('@'));
    found = examine(partition("main.public.good", "day", "none"), {{"MAIN", as_role}});
    session->query("DROP ROLE " + role, soon());
    CHECK(found["partition.main.public.good"].state == "fail");
    CHECK(found["partition.main.public.good"].detail.find("is not the owner of the table") != std::string::npos);
}
