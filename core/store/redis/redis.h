// Redis and what speaks its protocol (DragonflyDB, Valkey): redis://, rediss:// (TLS), redis+sentinel:// and redis+cluster://, or with rediss.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/store/store.h"

namespace ysdb::redis {

class Cluster;
class CommandBytes;

// The command's name and its arguments; binary-safe.
using Command = std::vector<std::string>;

// What the server answered. A value.
struct Reply {
    enum class Kind { nil, string, status, integer, array, error };
    Kind kind = Kind::nil;
    std::string text;             // string, status ("OK"), error ("WRONGTYPE Operation against ...")
    std::int64_t integer = 0;
    std::vector<Reply> elements;  // array
    bool is_nil() const { return kind == Kind::nil; }
    bool is_error() const { return kind == Kind::error; }
};

// Errors of every call below. The server refused: Error(rejected) with the reply's first word as server code ("WRONGTYPE"). No answer
// by the deadline, or the connection broke after the command was sent: Error(connect, retryable), and the command may or may not have
// run. A command that surely did not run (the master moved, the server is loading) is retryable too.

// One connection of its own, outside the pool: WATCH, MULTI, whatever changes the connection's state. Not thread-safe. After an
// Error(connect) it is unusable.
class Session {
public:
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;
    ~Session();
    Reply command(const Command& command, Deadline deadline);
    std::vector<Reply> pipeline(std::span<const Command> commands, Deadline deadline);
    // The same for commands that are bytes already. `doing` names them in errors.
    std::vector<Reply> pipeline(const CommandBytes& commands, const std::string& doing, Deadline deadline);
    // Throws what a reply of kind error says.
    void check(const std::string& doing, const Reply& reply) const;

private:
    friend class RedisStore;
    explicit Session(std::unique_ptr<class Connection> connection);
    std::unique_ptr<class Connection> connection_;
};

// Thread-safe. With Sentinel, each new connection asks the sentinels for the master and verifies its role; a call that finds the master
// gone before its command was sent waits for the next one until its deadline. In a cluster each command goes to the master of its first key,
// one without a key to any of them; what the cluster refuses for the time being is sent again until the deadline.
class RedisStore final : public Store {
public:
    explicit RedisStore(const StoreConfig& config);
    ~RedisStore() override;

    std::string redacted_url() const override;
    ProbeResult probe(Deadline deadline) override;

    // One command on a pooled connection.
    Reply command(const Command& command, Deadline deadline);
    // All commands at once on one connection (of each master they go to), the replies in their order. They are not a transaction: a refused
    // one is a reply of kind error in its place, the others ran.
    std::vector<Reply> pipeline(std::span<const Command> commands, Deadline deadline);
    // The keys matching a glob pattern, page by page (about `page_size` keys looked at a round trip, each bounded by `page_timeout`).
    // A key that lives through the whole scan is seen at least once, possibly twice; in a cluster one whose slot moves meanwhile may be missed.
    // Ends early with Error(interrupted) on `stop`.
    void scan(const std::string& pattern, std::size_t page_size, Millis page_timeout, std::stop_token stop,
              const std::function<void(std::span<const std::string>)>& page);
    Session open_session(Deadline deadline);
    // To the server that has this key.
    Session open_session(const std::string& key, Deadline deadline);
    // Throws what a reply of kind error says.
    void check(const std::string& doing, const Reply& reply) const;
    // core/store/redis/cluster.h; null for a single server and behind Sentinel.
    Cluster* cluster();

    // Rows as hashes or JSON strings (core/store/redis/changes.h).
    ChangeSink* changes() override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The name of what is kept beside a row ("gone": its tombstone); in a cluster it lies in the row's slot.
std::string beside_row(RedisStore& store, const std::string& kind, const std::string& row_key);

std::unique_ptr<Store> open(const StoreConfig& config);
// Throws Error(refused) when the store is another product.
RedisStore& as_redis(Store& store);

}  // namespace ysdb::redis
