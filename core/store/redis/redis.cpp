#include "core/store/redis/redis.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "core/store/pool.h"
#include "core/store/redis/changes.h"
#include "core/store/redis/cluster.h"
#include "core/store/redis/command_bytes.h"
#include "core/store/redis/connection.h"
#include "core/store/redis/errors.h"
#include "core/store/redis/info.h"
#include "core/store/redis/sentinel.h"

namespace ysdb::redis {

// --- Session ---

Session::Session(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Reply Session::command(const Command& command, Deadline deadline) {
    return connection_->checked(command, connection_->exchange_one(command, deadline));
}
std::vector<Reply> Session::pipeline(std::span<const Command> commands, Deadline deadline) { return connection_->exchange(commands, deadline); }

std::vector<Reply> Session::pipeline(const CommandBytes& commands, const std::string& doing, Deadline deadline) {
    return connection_->exchange_bytes(commands.bytes(), commands.count(), doing, deadline);
}
void Session::check(const std::string& doing, const Reply& reply) const {
    if (reply.is_error()) connection_->checked(doing, reply);
}

// --- RedisStore ---

struct RedisStore::Impl {
    struct Pooled {
        std::unique_ptr<Connection> connection;
        std::uint64_t generation;
    };

    explicit Impl(const StoreConfig& config)
        : target(parse_target(config)), sentinels(target), pool("store '" + config.name + "'", config.pool, [this](Deadline deadline) {
              const std::uint64_t now = generation;
              return std::make_unique<Pooled>(Pooled{connect(deadline), now});
          }) {
        if (target.cluster) cluster = std::make_unique<Cluster>(target, config.pool);
    }

    std::unique_ptr<Connection> connect(Deadline deadline) {
        if (cluster) return cluster->connect_any(deadline);
        if (!target.master.empty()) return sentinels.connect_to_master(deadline);
        return Connection::open(target, target.hosts.front(), Deadline::after(std::min(deadline.left(), target.connect_timeout)));
    }

    Pool<Pooled>::Lease lease(Deadline deadline) {
        while (true) {
            auto lease = pool.acquire(deadline);
            if (lease->generation == generation && lease->connection->reusable()) return lease;
            lease.discard();
        }
    }

    // With Sentinel, commands that this server turned away because it is not the master any longer go to the next one.
    std::vector<Reply> run(std::span<const Command> commands, Deadline deadline) {
        if (cluster) return cluster->run(commands, deadline);
        while (true) {
            auto pooled = lease(deadline);
            try {
                auto replies = pooled->connection->exchange(commands, deadline);
                const auto turned_away = [](const Reply& reply) { return reply.is_error() && means_elsewhere(reply.text); };
                if (target.master.empty() || std::none_of(replies.begin(), replies.end(), turned_away)) return replies;
                distrust_pool();
                if (!std::all_of(replies.begin(), replies.end(), turned_away) || deadline.left() <= pause) return replies;
                pooled.discard();
            } catch (...) {
                if (!target.master.empty()) distrust_pool();
                pooled.discard();
                throw;
            }
            std::this_thread::sleep_for(pause);
        }
    }

    // What befell one connection may have befallen all: a hanging master answers none of them.
    void distrust_pool() { ++generation; }

    static constexpr Millis pause{100};

    Target target;
    Sentinels sentinels;
    std::atomic<std::uint64_t> generation{0};  // pooled connections of an earlier one are closed, not reused
    Pool<Pooled> pool;
    std::unique_ptr<Cluster> cluster;          // or none
    std::unique_ptr<ChangeSink> changes;
};

RedisStore::RedisStore(const StoreConfig& config) : Store(config), impl_(std::make_unique<Impl>(config)) { impl_->changes = change_sink(*this); }
RedisStore::~RedisStore() = default;

std::string RedisStore::redacted_url() const { return impl_->target.redacted_url; }

ProbeResult RedisStore::probe(Deadline deadline) {
    if (impl_->cluster) return impl_->cluster->probe(deadline);
    ProbeResult result = interpret_info(command({"INFO"}, deadline).text);
    const auto start = SteadyClock::now();
    command({"PING"}, deadline);
    result.latency_s = std::chrono::duration<double>(SteadyClock::now() - start).count();
    return result;
}

Reply RedisStore::command(const Command& command, Deadline deadline) {
    Reply reply = std::move(impl_->run(std::span(&command, 1), deadline).front());
    if (reply.is_error()) throw command_error(impl_->target, command.front(), reply.text);
    return reply;
}

std::vector<Reply> RedisStore::pipeline(std::span<const Command> commands, Deadline deadline) { return impl_->run(commands, deadline); }

void RedisStore::scan(const std::string& pattern, std::size_t page_size, Millis page_timeout, std::stop_token stop,
                      const std::function<void(std::span<const std::string>)>& page) {
    const auto scan_one = [&](Session session) {  // a cursor means something to one server only
        std::string cursor = "0";
        do {
            if (stop.stop_requested()) throw Error(Code::interrupted, "store '" + name() + "': interrupted while listing keys");
            const Reply reply = session.command({"SCAN", cursor, "MATCH", pattern, "COUNT", std::to_string(page_size)}, Deadline::after(page_timeout));
            if (reply.elements.size() != 2) throw Error(Code::connect, "store '" + name() + "': SCAN answered something else than a cursor and keys");
            std::vector<std::string> keys;
            for (const Reply& key : reply.elements[1].elements) keys.push_back(key.text);
            if (!keys.empty()) page(keys);
            cursor = reply.elements[0].text;
        } while (cursor != "0");
    };
    if (!impl_->cluster) return scan_one(open_session(Deadline::after(page_timeout)));
    for (auto& connection : impl_->cluster->connect_all(Deadline::after(page_timeout))) scan_one(Session(std::move(connection)));
}

Session RedisStore::open_session(Deadline deadline) { return Session(impl_->connect(deadline)); }

Session RedisStore::open_session(const std::string& key, Deadline deadline) {
    if (!impl_->cluster) return open_session(deadline);
    const Endpoint* master = impl_->cluster->map(deadline)->master_of(key_slot(key));
    if (master == nullptr) throw command_error(impl_->target, "connect", "CLUSTERDOWN slot " + std::to_string(key_slot(key)) + " has no master");
    return Session(impl_->cluster->connect(*master, deadline));
}

void RedisStore::check(const std::string& doing, const Reply& reply) const {
    if (reply.is_error()) throw command_error(impl_->target, doing, reply.text);
}

Cluster* RedisStore::cluster() { return impl_->cluster.get(); }

ChangeSink* RedisStore::changes() { return impl_->changes.get(); }

std::string beside_row(RedisStore& store, const std::string& kind, const std::string& row_key) {
    return "ysdb:" + kind + ":" + (store.cluster() != nullptr ? "{" + slot_tag(key_slot(row_key)) + "}" : std::string()) + row_key;
}

std::unique_ptr<Store> open(const StoreConfig& config) { return std::make_unique<RedisStore>(config); }

RedisStore& as_redis(Store& store) {
    auto* redis = dynamic_cast<RedisStore*>(&store);
    if (redis == nullptr) throw Error(Code::refused, "store '" + store.name() + "' is not a Redis store", "name a store whose url begins with redis://");
    return *redis;
}

}  // namespace ysdb::redis
