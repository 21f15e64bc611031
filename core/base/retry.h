// Retry with exponential backoff and full jitter, bounded by tries and a deadline, ended early by a stop request.
#pragma once

#include <functional>
#include <stop_token>

#include "core/base/time.h"

namespace ysdb {

struct RetryPolicy {
    int tries = 3;             // calls in all
    Millis first{100};         // upper bound of the first pause; doubles
    Millis longest{5'000};
};

// Calls `work` until it returns, an Error that is not retryable leaves it, the tries or the deadline are used up (then the last
// error is rethrown) or `stop` is requested (then Error(interrupted)). `on_retry(attempt, error, pause)` is told before each pause.
void retry(const RetryPolicy& policy, Deadline deadline, std::stop_token stop, const std::function<void()>& work,
           const std::function<void(int, const class Error&, Millis)>& on_retry = {});

// Between half of the span and all of it, at random: those who got into each other's way do not meet again at once.
Millis jittered(Millis span);

// Sleeps at most `span`; returns false at once when `stop` is requested.
bool pause_for(Millis span, std::stop_token stop);

}  // namespace ysdb
