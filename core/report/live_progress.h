// Progress for people: on a terminal one line, rewritten; elsewhere a log line now and then.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "core/base/log.h"
#include "core/base/time.h"
#include "core/report/progress.h"

namespace ysdb {

// Where a task stands; what a line of progress says.
struct ProgressState {
    std::string label;
    ProgressUnit unit = ProgressUnit::rows;
    std::uint64_t done = 0;
    std::optional<std::uint64_t> total;
    double elapsed_s = 0;
    double recent_rate = 0;     // units a second over the last moments
    std::string note;
};

// "public.transaction_history  45 %  1,350,000 of 3,000,000 rows  410,233 rows/s  4.0 s left"
std::string progress_line(const ProgressState& state);
// Seconds until done, when the total and a rate are known.
std::optional<double> eta_seconds(const ProgressState& state);

// Thread-safe. One thread of its own from the first task on.
class LiveProgress final : public ProgressSink {
public:
    struct Terminal {
        std::function<void(std::string_view)> write;
        std::size_t width = 80;
    };
    // With a terminal: the line is rewritten every 200 ms. Without: one log line a task each `log_every`.
    LiveProgress(Log& log, std::optional<Terminal> terminal, Millis log_every = Millis(10'000));
    ~LiveProgress() override;

    std::unique_ptr<ProgressTask> begin(std::string label, ProgressUnit unit, std::optional<std::uint64_t> total) override;
    // Takes the line off the terminal, so that something else can be written; it comes back by itself.
    void clear_line();

private:
    class Task;
    void run();
    void show_line();
    void log_tasks();

    Log& log_;
    std::optional<Terminal> terminal_;
    Millis log_every_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::list<Task*> tasks_;
    bool line_shown_ = false;
    bool finished_ = false;
    std::thread thread_;
};

}  // namespace ysdb
