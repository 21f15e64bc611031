// Watches a statement that has no deadline (law 18): after a while it tells who blocks it or how far it is. Behind a pooler, where lock_timeout cannot be
// set for a statement that no transaction holds, it also ends one that has waited for a lock for too long.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/report/progress.h"
#include "core/store/store.h"

namespace ysdb::plan {

// One thread that sleeps until a statement takes longer than two seconds, then asks the server once a second, over the store's pool.
class Watch {
public:
    Watch(ProgressTask& task, Millis timeout);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // From here to the end of the guard, `session` of `store` runs a statement. `label` is what it runs under.
    class Guard {
    public:
        explicit Guard(Watch& watch) : watch_(watch) {}
        ~Guard();
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;

    private:
        Watch& watch_;
    };
    [[nodiscard]] Guard over(SqlStore& store, SqlSession& session, std::string label, std::string what);

    // Behind a pooler the session's backend is not known: it is found by the label, which the pooler passes on as application_name. `lock_timeout`:
    // how long it may wait for a lock; nullopt: as long as it likes.
    [[nodiscard]] Guard over_pooled(SqlStore& store, std::string label, std::string what, std::optional<Millis> lock_timeout);
    // Of the statement watched last: it was ended since it found no lock in time; and what blocked it, as it was seen last.
    bool gave_up();
    std::string blocker();

private:
    void begin(SqlStore& store, std::int64_t backend, std::string label, std::string what, std::optional<Millis> lock_timeout);
    void look();

    ProgressTask& task_;
    Millis timeout_;
    std::mutex mutex_;                  // guards what follows
    SqlStore* store_ = nullptr;         // null: nothing runs
    std::int64_t backend_ = 0;
    std::string label_, what_, blocker_;
    std::optional<Millis> lock_timeout_;
    bool gave_up_ = false, ending_ = false;   // ending_: the word to the server is on its way
    std::uint64_t number_ = 0;          // of the statement
    SteadyClock::time_point since_;
    std::jthread thread_;
};

}  // namespace ysdb::plan
