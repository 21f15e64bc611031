#include "core/base/retry.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

#include "core/base/error.h"

namespace ysdb {

bool pause_for(Millis span, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    return !changed.wait_for(lock, stop, span, [&] { return stop.stop_requested(); });
}

Millis jittered(Millis span) {
    static thread_local std::minstd_rand random{std::random_device{}()};
    return Millis(std::uniform_int_distribution<Millis::rep>(span.count() / 2, span.count())(random));
}

void retry(const RetryPolicy& policy, Deadline deadline, std::stop_token stop, const std::function<void()>& work,
           const std::function<void(int, const Error&, Millis)>& on_retry) {
    Millis bound = policy.first;
    for (int attempt = 1;; ++attempt) {
        try {
            work();
            return;
        } catch (const Error& error) {
            if (!error.retryable() || attempt >= policy.tries || deadline.passed()) throw;
            const Millis span = std::min(jittered(bound), deadline.left());
            if (on_retry) on_retry(attempt, error, span);
            if (!pause_for(span, stop)) throw Error(Code::interrupted, "interrupted while retrying: " + error.message());
        }
        bound = std::min(bound * 2, policy.longest);
    }
}

}  // namespace ysdb
