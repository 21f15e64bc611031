// Durations, deadlines and sizes as people write and read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace ysdb {

using Millis = std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// The moment by which a store call must have ended. A value; copy it down the call chain.
class Deadline {
public:
    static Deadline after(Millis span) { return Deadline(SteadyClock::now() + span); }
    // Only for supervised statements, which their owner watches and cancels.
    static Deadline never() { return Deadline(SteadyClock::time_point::max()); }

    bool is_never() const { return at_ == SteadyClock::time_point::max(); }
    bool passed() const { return SteadyClock::now() >= at_; }
    // Time left, at least zero; a day for `never`.
    Millis left() const;
    SteadyClock::time_point at() const { return at_; }

private:
    explicit Deadline(SteadyClock::time_point at) : at_(at) {}
    SteadyClock::time_point at_;
};

// "500ms" "2s" "5m" "1h" "7d" -> milliseconds. Throws Error(usage) on anything else; `what` names the setting.
Millis parse_duration(std::string_view text, std::string_view what);
// "64KiB" "2GB" "1048576" -> bytes. Throws Error(usage).
std::uint64_t parse_size(std::string_view text, std::string_view what);

std::string human_duration(double seconds);      // "340 ms", "12.4 s", "3m 05s", "2h 04m"
std::string human_bytes(double bytes);           // "1.4 MiB"
std::string human_count(double count);           // "1,234,567"
std::string utc_now();                           // "2026-01-31T12:34:56.123456Z"
std::int64_t unix_micros_now();

}  // namespace ysdb
