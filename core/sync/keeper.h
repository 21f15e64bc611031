// Writes down, beside a run, how far it is: in the source, for whoever goes on; in its vitals, for whoever looks. Watches what the source keeps for it.
//
// All of that waits for the disk of the store that remembers, so it is done on a thread of its own: reading does not wait for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/context.h"
#include "core/sync/follow/follower.h"
#include "core/sync/follow/vitals.h"
#include "core/sync/follow/watermark.h"
#include "core/sync/sets.h"

namespace ysdb::sync {

// Whatever it is given must outlive it; the followers stay the same ones from start() to stop(). Thread-safe.
class Keeper {
public:
    Keeper(Context& context, const SyncSet& set, Watermark& watermark, Vitals& vitals, const std::vector<std::unique_ptr<Follower>>& followers, std::uint32_t epoch)
        : context_(context), set_(set), watermark_(watermark), vitals_(vitals), followers_(followers), epoch_(epoch) {}

    // What fails is said, and tried again with growing pauses.
    void start();
    // Waits until the thread has ended.
    void stop();
    // What start() does now and then, once, at the end. Throws what the stores throw.
    void keep_last();

    // Every position below is durable in every sink, of what was told to them.
    std::uint64_t durable() const;
    VitalSigns vital_signs() const;
    // A sink that takes nothing, for which the source keeps more than the set allows: to be given up. Null: none; each is told once.
    Follower* too_heavy() { return too_heavy_.exchange(nullptr); }

private:
    void work(const std::stop_token& stop);
    void confirm();
    void say();
    void watch_source();

    Context& context_;
    const SyncSet& set_;
    Watermark& watermark_;
    Vitals& vitals_;
    const std::vector<std::unique_ptr<Follower>>& followers_;
    std::uint32_t epoch_;
    SteadyClock::time_point confirmed_at_{}, said_at_{}, looked_at_{};   // the thread's own
    std::string failed_;                                                 // its last failure
    std::atomic<std::uint64_t> retained_bytes_{0};
    std::atomic<Follower*> too_heavy_{nullptr};
    std::jthread thread_;   // last: it uses all of the above
};

}  // namespace ysdb::sync
