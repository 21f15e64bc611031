#include "core/base/time.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb {

Millis Deadline::left() const {
    if (is_never()) return std::chrono::hours(24);
    const auto span = std::chrono::ceil<Millis>(at_ - SteadyClock::now());
    return std::max(span, Millis(0));
}

namespace {

struct Scale {
    std::string_view suffix;
    double factor;
};

// number + suffix, the longest suffix first; nullopt when it is not of that form.
std::optional<double> scaled(std::string_view text, std::span<const Scale> scales) {
    for (const Scale& scale : scales) {
        if (!text.ends_with(scale.suffix)) continue;
        const std::string_view digits = text.substr(0, text.size() - scale.suffix.size());
        double number = 0;
        const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (failed != std::errc() || end != digits.data() + digits.size() || digits.empty() || !(number >= 0)) continue;
        return number * scale.factor;
    }
    return std::nullopt;
}

}  // namespace

Millis parse_duration(std::string_view text, std::string_view what) {
    static constexpr std::array<Scale, 5> scales{{{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}}};
    const auto found = scaled(text, scales);
    if (!found || *found > 1e15) {
        throw Error(Code::usage, fmt::format("{}: '{}' is not a duration", what, text), "write it like 500ms, 2s, 5m, 1h or 7d");
    }
    return Millis(std::llround(*found));
}

std::uint64_t parse_size(std::string_view text, std::string_view what) {
    static constexpr std::array<Scale, 10> scales{{{"KiB", 1024.0},
                                                   {"MiB", 1048576.0},
                                                   {"GiB", 1073741824.0},
                                                   {"TiB", 1099511627776.0},
                                                   {"kB", 1e3},
                                                   {"KB", 1e3},
                                                   {"MB", 1e6},
                                                   {"GB", 1e9},
                                                   {"TB", 1e12},
                                                   {"", 1}}};
    const auto found = scaled(text, scales);
    if (!found || *found > 9e18) {
        throw Error(Code::usage, fmt::format("{}: '{}' is not a size", what, text), "write it like 64KiB, 256MiB or 2GB");
    }
    return static_cast<std::uint64_t>(*found);
}

std::string human_duration(double seconds) {
    if (seconds < 0.001) return fmt::format("{:.0f} us", seconds * 1e6);
    if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
    if (seconds < 60) return fmt::format("{:.1f} s", seconds);
    const auto whole = static_cast<long long>(std::llround(seconds));
    if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
    return fmt::format("{}h {:02}m", whole / 3600, whole % 3600 / 60);
}

std::string human_bytes(double bytes) {
    static constexpr std::array<std::string_view, 6> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    std::size_t unit = 0;
    while (std::abs(bytes) >= 1024 && unit + 1 < units.size()) {
        bytes /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

std::string human_count(double count) {
    std::string digits = fmt::format("{:.0f}", std::abs(count));
    for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), ",");
    return count < 0 && digits != "0" ? "-" + digits : digits;
}

std::int64_t unix_micros_now() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string utc_now() {
    const std::int64_t micros = unix_micros_now();
    const std::time_t seconds = micros / 1'000'000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                       parts.tm_min, parts.tm_sec, micros % 1'000'000);
}

}  // namespace ysdb
