// SIGINT and SIGTERM: the first asks the run to stop and says so, the second ends the process at once.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace ysdb {

// Create it before any other thread starts: signals are blocked everywhere and received by one thread of its own.
class Signals {
public:
    Signals();
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    std::stop_token token() const { return stop_.get_token(); }
    // SIGINT or SIGTERM once one has come, else 0.
    int received() const { return first_.load(); }

private:
    void listen();

    std::stop_source stop_;
    std::atomic<int> first_{0};
    int signals_ = -1;
    int finished_ = -1;
    std::thread listener_;
};

}  // namespace ysdb
