// Watches a statement that has no deadline (law 18): after a while it tells who blocks it or how far it is.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
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

private:
    void look();

    ProgressTask& task_;
    Millis timeout_;
    std::mutex mutex_;                  // guards what follows
    SqlStore* store_ = nullptr;         // null: nothing runs
    std::int64_t backend_ = 0;
    std::string label_, what_;
    SteadyClock::time_point since_;
    std::jthread thread_;
};

}  // namespace ysdb::plan
