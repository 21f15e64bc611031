// One connection to one Redis server.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/stream.h"
#include "core/store/redis/redis.h"
#include "core/store/redis/target.h"

struct redisReader;

namespace ysdb::redis {

// Not thread-safe. Keeps a reference to the target. After an Error(connect) it is unusable.
class Connection {
public:
    // Connects, logs in, selects the database.
    static std::unique_ptr<Connection> open(const Target& target, const Endpoint& endpoint, Deadline deadline);
    // The same for a sentinel: it has no databases, and wants the password only sometimes.
    static std::unique_ptr<Connection> open_sentinel(const Target& target, const Endpoint& endpoint, Deadline deadline);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Sends all, reads as many replies. Refusals are replies of kind error.
    std::vector<Reply> exchange(std::span<const Command> commands, Deadline deadline);
    // The same for `count` commands that are bytes already. `doing` names them in errors.
    std::vector<Reply> exchange_bytes(std::string_view out, std::size_t count, const std::string& doing, Deadline deadline);
    Reply exchange_one(const Command& command, Deadline deadline);
    // Throws what command_error says of a reply of kind error.
    Reply checked(const Command& command, Reply reply) const { return checked(command.front(), std::move(reply)); }
    Reply checked(const std::string& doing, Reply reply) const;

    // False once it broke, or the server closed it or said something unasked.
    bool reusable() const { return !broken_ && stream_.idle(); }
    const Endpoint& endpoint() const { return endpoint_; }

private:
    Connection(const Target& target, Endpoint endpoint, Deadline deadline);
    void log_in(Deadline deadline);
    void take_replies(std::vector<Reply>& replies, std::size_t wanted);

    const Target& target_;
    Endpoint endpoint_;
    Stream stream_;
    std::unique_ptr<redisReader, void (*)(redisReader*)> reader_;
    bool ready_ = false;   // logged in: from here on errors are about calls, not about connecting
    bool broken_ = false;
};

}  // namespace ysdb::redis
