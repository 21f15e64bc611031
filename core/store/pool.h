// A bounded pool of connections. Opens on demand up to `max`; closes what lay idle longer than `idle`, down to `min`.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/base/time.h"
#include "core/config/config.h"

namespace ysdb {

// Thread-safe. `Connection` is any movable-by-pointer handle; a lease gives it to one thread at a time.
template <class Connection>
class Pool {
public:
    using Open = std::function<std::unique_ptr<Connection>(Deadline)>;

    // `what` names the store in errors.
    Pool(std::string what, PoolConfig config, Open open) : what_(std::move(what)), config_(config), open_(std::move(open)) {}

    class Lease {
    public:
        Lease(Pool* pool, std::unique_ptr<Connection> connection) : pool_(pool), connection_(std::move(connection)) {}
        Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), connection_(std::move(other.connection_)) {}
        Lease& operator=(Lease&&) = delete;
        ~Lease() {
            if (pool_ != nullptr) pool_->give_back(std::move(connection_));
        }
        Connection& operator*() const { return *connection_; }
        Connection* operator->() const { return connection_.get(); }
        // The connection is broken or in an unknown state: closed now, never reused.
        void discard() { connection_.reset(); }

    private:
        Pool* pool_;
        std::unique_ptr<Connection> connection_;
    };

    // Waits for a free connection or room to open one. Throws Error(connect, retryable) at the deadline.
    Lease acquire(Deadline deadline) {
        std::unique_lock lock(mutex_);
        close_idle();
        const auto ready = [&] { return !idle_.empty() || in_use_ < config_.max; };
        if (!freed_.wait_until(lock, wait_limit(deadline), ready)) {
            throw Error(Code::connect, what_ + ": all " + std::to_string(config_.max) + " connections of the pool stayed busy until the timeout",
                        "raise pool.max for this store, or --timeout")
                .with_retryable();
        }
        ++in_use_;
        if (!idle_.empty()) {
            auto connection = std::move(idle_.back().connection);  // the most recently used: the others may grow idle and be closed
            idle_.pop_back();
            return Lease(this, std::move(connection));
        }
        lock.unlock();
        try {
            return Lease(this, open_(deadline));
        } catch (...) {
            give_back(nullptr);
            throw;
        }
    }

private:
    struct Idle {
        std::unique_ptr<Connection> connection;
        SteadyClock::time_point since;
    };

    static SteadyClock::time_point wait_limit(Deadline deadline) { return SteadyClock::now() + deadline.left(); }

    void give_back(std::unique_ptr<Connection> connection) {
        {
            const std::lock_guard lock(mutex_);
            --in_use_;
            if (connection) idle_.push_back({std::move(connection), SteadyClock::now()});
        }
        freed_.notify_one();
    }

    void close_idle() {
        const auto limit = SteadyClock::now() - config_.idle;
        while (static_cast<int>(idle_.size()) + in_use_ > config_.min && !idle_.empty() && idle_.front().since < limit) idle_.pop_front();
    }

    std::string what_;
    PoolConfig config_;
    Open open_;
    std::mutex mutex_;
    std::condition_variable freed_;
    std::deque<Idle> idle_;
    int in_use_ = 0;
};

}  // namespace ysdb
