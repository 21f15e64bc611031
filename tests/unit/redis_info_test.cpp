#include "core/store/redis/info.h"

#include <doctest/doctest.h>

using namespace ysdb;
using redis::interpret_info;

TEST_CASE("a Redis primary and its replica are told apart") {
    const ProbeResult primary = interpret_info("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n# Replication\r\nrole:master\r\nconnected_slaves:2\r\n");
    CHECK(primary.product == "Redis");
    CHECK(primary.version == "7.0.15");
    CHECK(primary.role == "primary");
    CHECK(primary.detail == "2 replicas");
    CHECK(!primary.lag_s);

    const ProbeResult replica = interpret_info(
        "redis_version:7.0.15\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:3\r\n");
    CHECK(replica.role == "replica");
    CHECK(replica.lag_s == 3);
    CHECK(replica.detail == "of 10.0.0.1:6379");
}

TEST_CASE("a replica that lost its primary has no lag to show, and says why") {
    const ProbeResult result = interpret_info("redis_version:8.0.0\nrole:slave\nmaster_host:h\nmaster_port:1\nmaster_link_status:down\nmaster_last_io_seconds_ago:-1\n");
    CHECK(!result.lag_s);
    CHECK(result.detail == "of h:1, link down");
}

TEST_CASE("DragonflyDB and Valkey are known under their own names and versions, not under the Redis version they report") {
    const ProbeResult dragonfly = interpret_info("# Server\r\nredis_version:7.4.0\r\ndragonfly_version:df-v1.27.1\r\nredis_mode:standalone\r\n# Replication\r\nrole:replica\r\nmaster_host:h\r\nmaster_port:6379\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:0\r\n");
    CHECK(dragonfly.product == "DragonflyDB");
    CHECK(dragonfly.version == "1.27.1");
    CHECK(dragonfly.role == "replica");
    const ProbeResult valkey = interpret_info("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\nrole:master\r\nconnected_slaves:0\r\n");
    CHECK(valkey.product == "Valkey");
    CHECK(valkey.version == "8.1.0");
    CHECK(valkey.detail == "no replicas");
}
