// Copies of tables that are new in a sink, made while their changes go on.
//
// A copy reads its table in ranges. After each range the source remembers it, so that a run that died goes on behind it: with a view of its own for
// the ranges that are left, while the stream tells everything that was committed since the first one (law 3). For the same reason a long copy
// can let go of its view now and then, and does, so that the source's vacuum is not held up for its whole length.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/context.h"
#include "core/sync/copy/copy_log.h"
#include "core/sync/follow/follower.h"
#include "core/sync/sets.h"
#include "core/sync/state.h"

namespace ysdb::sync {

struct CopyOptions {
    int workers = 3;
    std::size_t batch_bytes = 8u << 20;
    std::uint64_t rows_per_range = 200'000;
    Millis view_age{15 * 60'000};        // the source is looked at anew after this
};

// Works on a thread a sink once started: a sink that is away holds up no other's copies. One thread uses it.
class Copies {
public:
    Copies(Context& context, const SyncSet& set, SyncState& state, std::uint32_t epoch, CopyOptions options)
        : context_(context), set_(set), state_(state), log_(set.home, set.name), epoch_(epoch), options_(options) {}

    // Before the follower is told anything: what an earlier run has copied is worth something only with every change since. The follower
    // must live until join() returned.
    // Returns from which position on it needs changes: `now`, unless it goes on with what an earlier run has begun.
    std::uint64_t add(Follower& follower, const TableRef& table, bool begun, std::uint64_t now);
    void start();
    // One more, while they work: of a table whose changes the follower is told from a position on that was passed before this call. No copy of the table into
    // that sink is wanted, and none was cancelled that is.
    void add_now(Follower& follower, const TableRef& table);
    // Whether a copy of the table is still to be made, or to be ended.
    bool wants(const TableRef& table) const { return !wanted_by(table).empty(); }
    std::vector<std::string> wanted_by(const TableRef& table) const;   // these sinks
    // The source tells nothing more of the table, for this reason, from this position on: copies that are wanted come to nothing, into whichever sink, and
    // the table is halted there (Follower::halt_by_source). To be called before any follower is told.
    void cancel(const TableRef& table, const std::string& reason, std::uint64_t position);
    // No change below is missing from a copy that any sink was given rows of.
    std::uint64_t highest_view() const { return highest_view_; }

    bool working() const {
        const std::lock_guard lock(mutex_);
        return !at_work_.empty();
    }
    // Why they ended before they were done, once they did.
    std::optional<Error> failure() const {
        const std::lock_guard lock(mutex_);
        return error_;
    }

    // No more copies into it, which was stopped. Waits until its thread has ended.
    void give_up(const Follower& follower);
    // What it waits for in a follower is ended by stopping that.
    void request_stop();
    void join();

private:
    struct Wanted {
        TableRef table;
        std::future<std::unique_ptr<RowWriter>> begun = {};   // of an earlier run; not valid() without one
        bool fed = false;                                     // changes go into what was begun
        bool refused = false;                                 // once: it is tried again before that is believed
    };
    struct Copy;
    struct Cancelled {
        std::string reason;
        std::uint64_t position = 0;
    };

    void begin(Follower& follower);
    void copy_into(Follower& follower, const std::stop_token& stop);
    bool next_wanted(Follower& follower, Wanted& wanted);
    std::optional<Cancelled> cancelled(const TableRef& table) const;
    void check_wanted(const TableRef& table) const;
    void copy_table(Follower& follower, Wanted& wanted, const std::string& run, const std::stop_token& stop);
    std::optional<CopyProgress> unfinished(const TableInfo& table, const Follower& follower);
    void look(Copy& copy);
    void copy_ranges(Copy& copy, const std::stop_token& stop);
    void wait_for_stream(const Copy& copy, const std::stop_token& stop) const;

    Context& context_;
    const SyncSet& set_;
    SyncState& state_;
    CopyLog log_;
    std::uint32_t epoch_;
    CopyOptions options_;
    std::atomic<int> view_{0}, attempt_{0};
    std::atomic<std::uint64_t> highest_view_{0};
    mutable std::mutex mutex_;   // guards what follows, up to the threads
    std::map<Follower*, std::deque<Wanted>> wanted_;
    std::set<const Follower*> at_work_;
    std::map<const Follower*, std::set<TableRef>> unfinished_;
    std::map<TableRef, Cancelled> cancelled_;
    std::optional<Error> error_;
    std::map<const Follower*, std::jthread> threads_;   // last: they use all of the above
};

}  // namespace ysdb::sync
