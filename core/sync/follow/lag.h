// How long changes took from their commit until they were durable in a sink, over a whole run.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace ysdb::sync {

// Buckets grow by a tenth, from 0.1 ms to more than a week. Not thread-safe; a value.
class LagHistogram {
public:
    void add(double ms, std::uint64_t changes) {
        counts_[bucket(ms)] += changes;
        total_ += changes;
    }
    // The upper end of the bucket that holds this share of the changes; 0 without any.
    double quantile(double share) const {
        if (total_ == 0) return 0;
        const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total_)));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen >= wanted) return least * std::pow(growth, static_cast<double>(i));
        }
        return least * std::pow(growth, static_cast<double>(counts_.size()));
    }

private:
    static constexpr double least = 0.1, growth = 1.1;
    static std::size_t bucket(double ms) {
        if (ms <= least) return 0;
        const auto at = static_cast<std::size_t>(std::ceil(std::log(ms / least) / std::log(growth)));
        return at < size ? at : size - 1;
    }
    static constexpr std::size_t size = 240;
    std::array<std::uint64_t, size> counts_{};
    std::uint64_t total_ = 0;
};

}  // namespace ysdb::sync
