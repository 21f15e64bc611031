#include "core/generate/random.h"

namespace ysdb::generate {

namespace {
// 1/n! for n = 11 .. 0
constexpr double exponential[] = {1 / 39916800.0, 1 / 3628800.0, 1 / 362880.0, 1 / 40320.0, 1 / 5040.0, 1 / 720.0,
                                  1 / 120.0,      1 / 24.0,      1 / 6.0,      0.5,         1.0,        1.0};
}  // namespace

double exp2_portable(double x) {
    if (x < -1000.0) return 0.0;
    if (x > 1000.0) x = 1000.0;
    // Nearest integer, so that the rest lies in [-0.5, 0.5]; then the series of e^(rest * ln 2).
    const auto whole = static_cast<std::int64_t>(x < 0 ? x - 0.5 : x + 0.5);
    const double y = (x - static_cast<double>(whole)) * 0.6931471805599453;
    double sum = 0;
    for (const double coefficient : exponential) sum = sum * y + coefficient;
    return sum * std::bit_cast<double>(static_cast<std::uint64_t>(whole + 1023) << 52);
}

}  // namespace ysdb::generate
