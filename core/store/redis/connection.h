// One connection to one Redis server.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/stream.h"
#include "core/store/redis/command_bytes.h"
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
    // The same in two: what is sent to many at once is answered meanwhile by all of them. Nothing else may be called in between; `doing` must
    // outlive both. start() sends what goes without waiting, finish() the rest.
    void start(const CommandBytes& commands, std::string_view doing);
    std::vector<Reply> finish(Deadline deadline);
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
    // What is sent of `out` already is `sent`.
    std::vector<Reply> converse(std::string_view out, std::size_t sent, std::size_t count, std::string_view doing, Deadline deadline);
    [[noreturn]] void fail(const Error& error, std::string_view doing);

    const Target& target_;
    Endpoint endpoint_;
    Stream stream_;
    std::unique_ptr<redisReader, void (*)(redisReader*)> reader_;
    bool ready_ = false;   // logged in: from here on errors are about calls, not about connecting
    bool broken_ = false;
    std::string started_;  // by start()
    std::size_t started_count_ = 0;
    std::size_t started_sent_ = 0;
    std::string_view started_doing_;
};

}  // namespace ysdb::redis
