// The thread that reads a polled set's tables, and what it hands to whoever follows.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "core/sync/poll/polled_table.h"

namespace ysdb::sync {

// A copy that was put aside: one read of some tables.
struct PollCopy {
    std::vector<TableRef> tables;
    std::uint64_t tick = 0;
    std::map<TableRef, std::shared_ptr<RowSpool>> rows;
};

class PollSource final : public ChangeSource {
public:
    // The tick of its first read is counted before this returns.
    PollSource(Store& source, SqlStore& home, std::vector<PolledTableOptions> tables, Millis every, Millis timeout, const CaptureOptions& options);
    ~PollSource() override;

    Segment read(Millis wait, std::stop_token stop) override;
    void acknowledge(std::uint64_t position, bool at_once) override;

    void stop() { thread_.request_stop(); }
    // Waits for a read of its own; thread-safe. Throws what ended the reading, when it ended.
    std::shared_ptr<PollCopy> copy(std::span<const TableRef> tables);

private:
    struct Wanted {
        std::shared_ptr<PollCopy> copy;
        bool done = false;
        std::optional<Error> error = {};   // one of its tables cannot be read
    };

    void work(const std::stop_token& stop);
    void tick(const std::stop_token& stop);
    void tell(Segment segment, const std::stop_token& stop);

    Store& source_;
    PollState state_;
    std::vector<std::unique_ptr<PolledTable>> tables_;
    CaptureOptions options_;
    Millis every_, timeout_;
    std::uint64_t next_tick_ = 0;              // 0: to be counted
    bool loaded_ = false;

    std::mutex mutex_;
    std::condition_variable_any wake_, news_, room_, copied_;
    std::deque<Segment> queue_;
    std::size_t queued_bytes_ = 0;
    std::vector<std::shared_ptr<Wanted>> wanted_;
    std::optional<Error> error_;               // reading ended
    std::uint64_t confirmed_ = 0;
    std::atomic<bool> interrupted_{false};
    std::optional<std::stop_callback<std::function<void()>>> on_stop_;
    std::jthread thread_;                      // last: it uses all of the above
};

}  // namespace ysdb::sync
