// Finding the master of a group through its sentinels.
#pragma once

#include <atomic>
#include <memory>

#include "core/store/redis/connection.h"

namespace ysdb::redis {

// Thread-safe.
class Sentinels {
public:
    explicit Sentinels(const Target& target) : target_(target) {}
    // Asks the sentinels for the master's address, connects, verifies its role by ROLE; while a failover is under way (the address is
    // dead, or its owner a replica) asks again until the deadline. Throws at once when no sentinel answers or none knows the master.
    std::unique_ptr<Connection> connect_to_master(Deadline deadline);

private:
    struct Named {
        Endpoint master;
        Endpoint sentinel;
    };
    Named ask(Deadline deadline);

    const Target& target_;
    std::atomic<std::size_t> first_{0};  // the sentinel that answered last: asked first
};

}  // namespace ysdb::redis
