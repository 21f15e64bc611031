// Ordinary SQL over libpqxx: what the pool hands out. The only file that knows libpqxx 6.4 from 7.x is ordinary.cpp.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/store/postgres/conninfo.h"
#include "core/store/store.h"

namespace ysdb::postgres {

// libpqxx blocks in libpq: the watchdog breaks the connection of a call that overstays its deadline. One thread a store, started with
// the first call. Thread-safe.
class Watchdog {
public:
    Watchdog();
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    // Calls `bite` once when the deadline passes before the guard is gone.
    class Guard {
    public:
        Guard(Watchdog& dog, Deadline deadline, std::function<void()> bite);
        ~Guard();
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;
        bool bitten() const;

    private:
        Watchdog& dog_;
        std::uint64_t id_;
    };

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Not thread-safe; the pool lends it to one thread at a time.
class OrdinaryConnection {
public:
    OrdinaryConnection(const Target& target, const std::string& label, Deadline deadline, Watchdog& dog);
    ~OrdinaryConnection();

    SqlResult query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline);
    // False once the connection broke: then it must not go back to the pool.
    bool usable() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ysdb::postgres
