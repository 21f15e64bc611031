// programs: redis-server
// A Redis Cluster that speaks TLS alone: every node is verified, whoever named it.
#include <doctest/doctest.h>

#include "core/store/redis/slots.h"
#include "tests/live/cluster_cache.h"

using namespace ysdb;
using namespace ysdb::test;

TEST_CASE("over TLS every node of a cluster is spoken to as the first one is, also where a slot has moved") {
    TemporaryDirectory directory;
    const Authority authority(directory.path(), "authority"), stranger(directory.path(), "stranger");
    OwnCluster own({"cluster-node-timeout 15000"}, true, &authority);
    ClusterCache cache(own);
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    write(*writer, table, rows_at(0, 500, 20, "new"));
    write(*writer, table, rows_at(0, 500, 10, "old"));
    CHECK(count_of(cache.rows(), text_of(20, "new")) == 500);

    const std::uint16_t slot = redis::key_slot(cache.key("h:7"));
    const std::size_t from = own.master_of(slot), to = (from + 1) % 3;
    own.open_slot(slot, from, to);
    own.move_keys(slot, from, to);
    own.close_slot(slot, to);
    const std::uint64_t moved = own.errors("MOVED");
    write(*writer, table, rows_at(7, 8, 30, "there"));
    CHECK(cache.field("h:7", "coin") == "there");
    CHECK(own.errors("MOVED") > moved);

    const auto refusal = [](const StoreConfig& config) {
        const Failure failure = failure_of([&] { open_store(config)->probe(soon()); });
        CHECK(failure.error.code() == Code::connect);
        return failure.error;
    };
    StoreConfig other_authority = own.config();
    other_authority.options["tls_ca"] = stranger.file();
    CHECK(refusal(other_authority).message().find("not trusted") != std::string::npos);
    StoreConfig no_authority = own.config();
    no_authority.options.clear();
    CHECK(refusal(no_authority).message().find("not trusted") != std::string::npos);
    CHECK(refusal(store_at("cache", "redis" + own.url().substr(6))).hint().find("rediss://") != std::string::npos);
}
