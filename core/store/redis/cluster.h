// A Redis Cluster: which master has a key, and commands on their way there.
//
// The map of slots comes from CLUSTER SLOTS, asked of whoever answers: the nodes known last, and those of the url. It is asked for again when
// a server says MOVED, when one cannot be reached or breaks a connection, and when a slot has no master.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/store/pool.h"
#include "core/store/redis/connection.h"
#include "core/store/redis/slot_map.h"
#include "core/store/store.h"

namespace ysdb::redis {

// Thread-safe. Errors as of redis.h; those of connecting name the node.
class Cluster {
public:
    Cluster(const Target& target, PoolConfig pool) : target_(target), pool_config_(pool) {}

    // The map as far as anybody has told; asks for a newer one when the last is doubted. Throws at once when no node answers.
    std::shared_ptr<const SlotMap> map(Deadline deadline);
    // A server said that a slot of the map of that number is elsewhere.
    void moved(const Redirection& to, std::uint64_t number);
    // A node did not answer, or a slot has no master: the next call of map() asks the others first.
    void doubt(const std::optional<Endpoint>& node);

    // A connection of its own to a node; a failure is a doubt.
    std::unique_ptr<Connection> connect(const Endpoint& node, Deadline deadline);
    // To any master; to every one. A master that cannot be reached is waited for, or for the next one.
    std::unique_ptr<Connection> connect_any(Deadline deadline);
    std::vector<std::unique_ptr<Connection>> connect_all(Deadline deadline);

    // Each command to the master of its key, those without a key to any one of them; all masters at once, each over a pooled connection. The
    // replies are in the commands' order; commands of one slot run in their order. Redirections are followed, and what a cluster refuses for
    // the time being is sent again until the deadline; what is refused then is a reply of kind error. A connection that breaks under way
    // throws: commands may or may not have run.
    std::vector<Reply> run(std::span<const Command> commands, Deadline deadline);

    ProbeResult probe(Deadline deadline);
    // Changes whenever a slot changes its master. `open`: slots that are being moved now.
    struct Moves {
        std::string epoch;
        std::vector<std::uint16_t> open;
        bool operator==(const Moves&) const = default;
    };
    Moves moves(Deadline deadline);

    static constexpr Millis pause{50};   // before what was refused for the time being is sent again

private:
    struct Pooled {
        std::unique_ptr<Connection> connection;
        std::uint64_t generation;
    };
    using Lease = Pool<Pooled>::Lease;
    struct Call;

    template <class Work>
    auto until_reached(Deadline deadline, const Work& work) -> decltype(work(SlotMap()));
    Lease lease(const Endpoint& node, Deadline deadline);
    // Those that were refused for the time being stay in `waiting`. False: they should not be sent again at once.
    bool run_once(std::span<const Command> commands, std::vector<Call>& waiting, std::vector<Reply>& replies, Deadline deadline);
    SlotMap ask_for_map(Deadline deadline);
    std::vector<Endpoint> nodes_to_ask() const;

    const Target& target_;
    const PoolConfig pool_config_;
    mutable std::mutex mutex_;                      // of what follows, never held while waiting for a server
    std::shared_ptr<const SlotMap> map_;
    bool doubted_ = true;
    std::optional<Endpoint> ask_first_;             // named by the last MOVED
    std::optional<Endpoint> ask_last_;              // failed last
    std::map<std::string, std::unique_ptr<Pool<Pooled>>> pools_;   // by node
    std::timed_mutex asking_;                       // one thread asks, the others wait for what it learns
    std::atomic<std::uint64_t> generation_{0};      // pooled connections of an earlier one are closed, not reused
    std::atomic<std::size_t> next_{0};              // which master gets the next command without a key
};

}  // namespace ysdb::redis
