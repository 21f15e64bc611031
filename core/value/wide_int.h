// A 256-bit two's complement integer: just what decimals of up to 76 digits need.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/value/int128.h"

namespace ysdb {

// Little-endian limbs. Arithmetic wraps.
struct Int256 {
    std::array<std::uint64_t, 4> limbs{};

    static Int256 from_cell(std::span<const std::uint8_t> cell) {  // 16 or 32 bytes little-endian, sign-extended
        Int256 value;
        std::memcpy(value.limbs.data(), cell.data(), cell.size());
        if (cell.size() == 16 && (value.limbs[1] >> 63) != 0) value.limbs[2] = value.limbs[3] = ~std::uint64_t{0};
        return value;
    }
    bool negative() const { return (limbs[3] >> 63) != 0; }
    void negate() {
        UInt128 carry = 1;
        for (auto& limb : limbs) {
            carry += static_cast<std::uint64_t>(~limb);
            limb = static_cast<std::uint64_t>(carry);
            carry >>= 64;
        }
    }
    void multiply_add(std::uint64_t factor, std::uint64_t addend) {
        UInt128 carry = addend;
        for (auto& limb : limbs) {
            carry += static_cast<UInt128>(limb) * factor;
            limb = static_cast<std::uint64_t>(carry);
            carry >>= 64;
        }
    }
    // Divides a non-negative value in place; returns the remainder.
    std::uint64_t divide(std::uint64_t divisor) {
        UInt128 rest = 0;
        for (int i = 3; i >= 0; --i) {
            rest = (rest << 64) | limbs[static_cast<std::size_t>(i)];
            limbs[static_cast<std::size_t>(i)] = static_cast<std::uint64_t>(rest / divisor);
            rest %= divisor;
        }
        return static_cast<std::uint64_t>(rest);
    }
    bool zero() const { return (limbs[0] | limbs[1] | limbs[2] | limbs[3]) == 0; }
    bool operator==(const Int256&) const = default;
};

}  // namespace ysdb
