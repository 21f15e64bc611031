// One sink of a running set: takes segments in order, on a thread of its own, so that a slow sink holds up nobody before its buffer is full.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/context.h"
#include "core/store/changes.h"
#include "core/sync/follow/lag.h"
#include "core/sync/follow/sink_tables.h"
#include "core/sync/follow/spill.h"
#include "core/sync/routes.h"
#include "core/sync/sets.h"
#include "core/sync/state.h"

namespace ysdb::sync {

struct FollowPolicy {
    Millis batch_age{500};                     // a change waits no longer than this to be sent
    std::size_t batch_bytes = 16u << 20;
    std::uint64_t batch_rows = 100'000;
    std::size_t buffer_bytes = 64u << 20;      // what waits for the sink in memory
    std::uint64_t spill_bytes = 0;             // and, behind that, on disk
    std::string spill_directory = "/var/tmp";
    int tries = 3;                             // of a batch that the server refuses, before its rows are tried one by one
    Millis retry_first{100}, retry_longest{10'000};  // pauses while a sink cannot be reached
    // Whether what was pushed is still this process's to write; asked right before it writes, or judges, anything, from its thread. Empty: it is.
    std::function<bool()> ours = {};
};

// Thread-safe. Errors do not leave it: a sink that cannot be reached is tried again until it can, a row it refuses becomes a dead letter, a
// table it cannot follow is halted.
class Follower {
public:
    Follower(Context& context, SyncState& state, Store& sink, std::vector<Route> routes, FollowPolicy policy);
    ~Follower();   // stops without waiting for what is queued

    const std::string& name() const { return sink_.name(); }
    const std::vector<Route>& routes() const { return routes_; }

    // Changes of a table are taken from the next segment on.
    void activate(const TableRef& table, const Version& reshaped);
    void halt(const TableRef& table, const std::string& reason);
    void halt_by_source(const TableRef& table, const std::string& reason, std::uint64_t position);   // SinkTables
    void push(std::shared_ptr<const Segment> segment);
    // Without waiting for what is queued; whoever waits for it is told.
    void stop();
    // After stop(): what waits for it is forgotten, and what it has counts no more.
    void give_up(const std::string& reason);
    // Flushes what was pushed so far; false when it did not within `span`.
    bool drain(Millis span);

    // Everything below the position is in every sink, and the source has that written down: noted in this sink now and then, with its changes.
    void confirmed(const std::string& note, std::uint64_t position);
    // The same, now; an error is the sink's.
    void note_confirmed();

    // No more can be kept for it.
    bool full() const;
    std::uint64_t durable() const;             // every position below is in the sink; the highest there is once it was given up
    // Why it ended without being told to.
    std::optional<Error> failure() const;
    SinkState status() const;

    // A new copy of a table (ChangeWriter::begin_copy, finish_copy), between two batches.
    bool takes_copies(const TableRef& table);
    std::unique_ptr<RowWriter> begin_copy(const TableInfo& table, const std::string& run);
    // One that was begun, by a run that died (`first`: nothing was pushed yet) or by a try that failed: null where the sink has none, or changes were
    // left out of it meanwhile. Waits until the sink can be reached; the promise is broken when this ends before.
    std::future<std::unique_ptr<RowWriter>> resume_copy(const TableInfo& table, const std::string& run, bool first);
    // SinkTables::finish_copy.
    void finish_copy(const TableRef& table, const std::string& run, const TableState& followed);
    void reject_copied(const TableRef& table, const RejectedRow& row, const Version& version);

private:
    // What waits for the sink, in order: a segment, or a number of them in the spill.
    struct Waiting {
        std::shared_ptr<const Segment> segment;
        std::uint64_t spilled = 0;
    };

    void enqueue(std::packaged_task<void()> task);
    void in_thread(std::function<void()> work);
    void work(std::stop_token stop);
    std::shared_ptr<const Segment> next_waiting();
    void take(Segments segments);
    void flush();
    void attempt(const std::function<void()>& what, std::stop_token stop);
    void repeat();
    void say(const std::string& state, const std::string& error);

    Context& context_;
    SyncState& state_;
    Store& sink_;
    std::vector<Route> routes_;
    FollowPolicy policy_;

    // The thread's own.
    SinkTables tables_;
    std::vector<std::shared_ptr<const Segment>> unflushed_;
    std::size_t unflushed_bytes_ = 0;
    std::uint64_t unflushed_rows_ = 0;
    SteadyClock::time_point oldest_;

    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::condition_variable done_;
    std::deque<Waiting> queue_;
    Spill spill_;
    bool spill_refused_ = false;                     // the last push was
    bool given_up_ = false;
    bool ended_ = false;                             // nobody takes commands any more
    std::optional<Error> failure_;
    std::deque<std::packaged_task<void()>> commands_;
    std::size_t backlog_ = 0;                        // in memory, not flushed
    std::uint64_t durable_ = 0;
    std::uint64_t pushed_ = 0, flushed_ = 0;         // segments
    bool hurry_ = false;                             // flush without waiting for age
    SinkState status_;
    std::string note_;
    std::uint64_t confirmed_ = 0, noted_ = 0;
    SteadyClock::time_point noted_at_ = SteadyClock::now();   // the thread's own
    LagHistogram lag_;
    std::jthread thread_;                            // last: it uses all of the above
};

// Of one of the set's sinks.
std::unique_ptr<Follower> follow_into(Context& context, SyncState& state, const SyncSet& set, const std::string& sink, FollowPolicy policy);

}  // namespace ysdb::sync
