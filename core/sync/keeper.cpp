#include "core/sync/keeper.h"

#include <algorithm>
#include <utility>

#include "core/base/retry.h"
#include "core/base/text.h"
#include "core/sync/standing.h"

namespace ysdb::sync {

namespace {

constexpr Millis confirm_every{1'000};
constexpr Millis keep_every{100};
constexpr Millis status_every{2'000};
constexpr Millis look_every{5'000};

}  // namespace

void Keeper::start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

void Keeper::stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void Keeper::work(const std::stop_token& stop) {
    Millis pause = keep_every;
    while (pause_for(pause, stop)) {
        try {
            confirm();
            say();
            failed_.clear();
            pause = keep_every;
        } catch (const Error& error) {
            if (error.message() != failed_) context_.log.warn("sync.keep", {{"store", set_.home.name()}, {"error", error.message()}});
            failed_ = error.message();
            pause = std::min(std::max(pause, Millis(500)) * 2, Millis(10'000));
        }
    }
}

std::uint64_t Keeper::durable() const {
    std::uint64_t least = watermark_.told();
    for (const auto& follower : followers_) least = std::min(least, follower->durable());
    return least;
}

VitalSigns Keeper::vital_signs() const {
    VitalSigns now{epoch_, watermark_.told(), watermark_.confirmed(), retained_bytes_, {}};
    for (const auto& follower : followers_) now.sinks.push_back(follower->status());
    return now;
}

void Keeper::keep_last() {
    watermark_.confirm(durable());
    for (const auto& follower : followers_) follower->confirmed(confirmed_note(epoch_), watermark_.confirmed());
}

void Keeper::confirm() {
    if (SteadyClock::now() - confirmed_at_ < confirm_every) return;
    keep_last();
    confirmed_at_ = SteadyClock::now();
}

void Keeper::say() {
    if (SteadyClock::now() - said_at_ < status_every) return;
    said_at_ = SteadyClock::now();
    vitals_.tell(vital_signs());
    watch_source();
}

// The server keeps its log until every sink has it, and may give that up: said while there is time.
void Keeper::watch_source() {
    if (SteadyClock::now() - looked_at_ < look_every) return;
    looked_at_ = SteadyClock::now();
    const CaptureState now = set_.capture.look(set_.name, context_.deadline());
    retained_bytes_ = now.retained_bytes;
    const std::string retained = human_bytes(static_cast<double>(now.retained_bytes));
    if (now.running_out()) context_.log.warn("sync.slot", {{"set", set_.name}, {"retained", retained}, {"left", human_bytes(static_cast<double>(*now.left_bytes))}});
    if (!set_.config.max_slot_wal || now.retained_bytes <= *set_.config.max_slot_wal) return;
    // A sink that takes what it is told, only late, is not to blame.
    Follower* last = nullptr;
    for (const auto& follower : followers_) {
        const bool stuck = follower->status().state == "retrying";
        if (stuck && (last == nullptr || follower->durable() < last->durable())) last = follower.get();
    }
    if (last != nullptr) too_heavy_ = last;
    else context_.log.warn("sync.slot", {{"set", set_.name}, {"retained", retained}, {"max_slot_wal", human_bytes(static_cast<double>(*set_.config.max_slot_wal))}});
}

}  // namespace ysdb::sync
