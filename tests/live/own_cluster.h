// A Redis Cluster of the test's own: three masters with a replica each. Killed at the end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/store/redis/redis.h"
#include "core/store/store.h"
#include "tests/live/certificates.h"
#include "tests/live/servers.h"

namespace ysdb::test {

class OwnCluster {
public:
    // `settings`: further lines of each node's redis.conf. A master that is silent for a second has its replica take over: too little for a cluster
    // in which nobody is to die.
    // `authority`: all of it speaks TLS, among the nodes as well, with a certificate that this one signs.
    explicit OwnCluster(const std::vector<std::string>& settings = {}, bool replicas = true, const Authority* authority = nullptr);
    StoreConfig config(const std::string& name = "cache") const { return secured(store_at(name, url())); }
    std::string url() const;
    RedisProcess& node(std::size_t i) { return *nodes_[i]; }
    std::size_t nodes() const { return nodes_.size(); }
    // The node itself, as a single server.
    redis::RedisStore& direct(std::size_t i) { return redis::as_redis(*direct_[i]); }
    void kill(std::size_t i);
    std::string id(std::size_t i);                        // its name within the cluster
    std::size_t master_of(std::uint16_t slot);            // which node serves it now
    // Moving a slot in its steps, as redis-cli --cluster reshard does.
    void open_slot(std::uint16_t slot, std::size_t from, std::size_t to);
    void move_keys(std::uint16_t slot, std::size_t from, std::size_t to);
    void close_slot(std::uint16_t slot, std::size_t to);   // returns once all nodes know
    // How often the nodes answered with that error ("MOVED"), all together.
    std::uint64_t errors(const std::string& code);

private:
    std::size_t master_of(std::uint16_t slot, std::size_t asked);
    std::string scheme() const { return tls_ca_.empty() ? "redis" : "rediss"; }
    StoreConfig secured(StoreConfig config) const;

    std::string tls_ca_;   // empty: no TLS
    TemporaryDirectory directory_;
    std::vector<std::unique_ptr<RedisProcess>> nodes_;
    std::vector<std::unique_ptr<Store>> direct_;
    std::vector<bool> alive_;
};

}  // namespace ysdb::test
