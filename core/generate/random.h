// Random numbers by counter: a row's draws depend on (seed, stream, row) alone, so any thread can make any row.
// Plain integer and IEEE arithmetic only, no libm: the same rows on every machine and with every C library.
#pragma once

#include <bit>
#include <cstdint>

#include "core/value/int128.h"

namespace ysdb::generate {

// A bijection of 64 bits that looks random (David Stafford's mix 13 of the SplitMix64 finalizer).
constexpr std::uint64_t mix(std::uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}
constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) { return mix(mix(a + 0x9e3779b97f4a7c15u) ^ b); }

// 2^x and log2(x), good to about 1e-11.
double exp2_portable(double x);
constexpr double log2_portable(double x) {
    const auto bits = std::bit_cast<std::uint64_t>(x);
    const auto exponent = static_cast<double>(static_cast<std::int64_t>(bits >> 52) - 1023);
    const double mantissa = std::bit_cast<double>((bits & 0xfffffffffffffu) | (std::uint64_t{1023} << 52));
    // log m = 2 atanh((m - 1) / (m + 1))
    const double z = (mantissa - 1.0) / (mantissa + 1.0);
    double power = z;
    double sum = 0;
    for (int n = 1; n < 60; n += 2) {
        sum += power / static_cast<double>(n);
        power *= z * z;
    }
    return exponent + 2.0 * sum / 0.6931471805599453;
}

class Random {
public:
    Random(std::uint64_t seed, std::uint64_t stream, std::uint64_t row) : state_(mix(mix(seed, stream), row)) {}

    std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15u); }
    // 0 .. n-1; n > 0.
    std::uint64_t below(std::uint64_t n) { return static_cast<std::uint64_t>((static_cast<UInt128>(next()) * n) >> 64); }
    double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
    bool chance(double p) { return unit() < p; }
    // Nearly normal: the sum of four uniform draws; never beyond 3.47 standard deviations.
    double normal() { return bell(next()); }
    // Log-normal around `median`; `spread` is the standard deviation in powers of two.
    double log_normal(double median, double spread) { return median * exp2_portable(spread * normal()); }

    static double bell(std::uint64_t bits) {
        const double sum = static_cast<double>((bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48));
        return (sum - 131070.0) / 37837.2;
    }

private:
    std::uint64_t state_;
};

// Ranks 0 .. n-1 with probability falling as 1/rank (Zipf's law with exponent 1): rank 0 gets log(2)/log(n+1) of all draws.
class Zipf {
public:
    constexpr explicit Zipf(std::uint64_t n) : n_(n), log_(log2_portable(static_cast<double>(n) + 1.0)) {}
    std::uint64_t pick(Random& random) const {
        const auto rank = static_cast<std::uint64_t>(exp2_portable(random.unit() * log_)) - 1;
        return rank < n_ ? rank : n_ - 1;
    }

private:
    std::uint64_t n_;
    double log_;
};

}  // namespace ysdb::generate
