// Many conversations at once with the masters of a cluster, each over a connection of its own for as long as it lasts: a transaction touches
// one slot, EXEC forgets all that its connection watches, and so one connection would do one slot at a time, a round trip for every step.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/store/redis/cluster.h"
#include "core/store/redis/conversation.h"

namespace ysdb::redis {

// Commands each with ASKING before it, as a server wants them that is about to get their slot; a transaction has one, before MULTI. `added`
// tells which of the commands are such, as without_asking() needs it.
CommandBytes with_asking(const CommandBytes& commands, std::vector<bool>& added);
std::vector<Reply> without_asking(std::vector<Reply> replies, const std::vector<bool>& added);

// Up to 16 connections to each master, opened when there is work for them, all given up after an error. Not thread-safe. Errors: redis.h.
class Lanes {
public:
    Lanes(RedisStore& store, Cluster& cluster) : store_(store), cluster_(cluster) {}

    struct Task {
        std::uint16_t slot = 0;
        std::function<Conversation()> begin;
    };
    // Returns when all are done. What was disturbed by other writers, was sent to the wrong server, or came while its slot had no master or
    // was on its way to another, is begun anew, until the deadline; a connection that breaks throws, and tasks may or may not have been done.
    void run(std::span<const Task> tasks, const std::string& what, Deadline deadline);
    // Returns when, at each master that tasks were run at since the last settle(), a replica has all of it, if the master has one. Throws
    // Error(connect, retryable) when that cannot be told: the master is another by now, or the connection broke.
    void settle(Deadline deadline);

private:
    struct Waiting {
        const Task* task = nullptr;
        Endpoint ask;                           // where ASK sent it; port 0: nowhere
        int attempts = 0;
        SteadyClock::time_point due{};
    };
    struct Lane {
        std::unique_ptr<Connection> connection;
        std::optional<Conversation> talk;       // under way, and sent
        Waiting of;
        std::vector<bool> added;
    };
    struct Node {
        Endpoint at;
        std::vector<Lane> lanes;
        std::deque<Waiting> queue;
        bool used = false;                      // since the last settle()
    };
    struct Round;

    Node& node_at(const Endpoint& at);
    void place(Round& round, Waiting waiting);
    void begin_next(Round& round, Node& node);
    bool begin_on(Round& round, Node& node, Lane& lane);
    void send(Lane& lane);
    void advance(Round& round, Node& node, Lane& lane);
    // Whether the replies tell that nothing was done, and it is to be begun anew.
    bool turned_away(Round& round, Node& node, Lane& lane, const std::vector<Reply>& replies);
    [[noreturn]] void lost(const Node& node, const std::string& what) const;
    Lane& mark(Node& node, const SlotMap& map);

    RedisStore& store_;
    Cluster& cluster_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::size_t settled_ = 0;                   // marks so far: which slot the next one goes to
};

}  // namespace ysdb::redis
