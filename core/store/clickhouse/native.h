// What reading and writing format Native share: limits of types, variable-length integers, buffers that grow without being zeroed.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "core/value/int128.h"

namespace ysdb::clickhouse {

constexpr std::int64_t day_micros = 86'400'000'000;
constexpr std::int32_t first_day = -25'567;    // 1900-01-01
constexpr std::int32_t last_day = 120'529;     // 2299-12-31
constexpr std::int64_t first_micro = first_day * day_micros;
constexpr std::int64_t last_micro = (last_day + std::int64_t{1}) * day_micros - 1;

constexpr std::int64_t power_of_ten(int exponent) { return exponent == 0 ? 1 : 10 * power_of_ten(exponent - 1); }

inline std::uint8_t* put_size(std::uint8_t* to, std::uint64_t size) {
    for (; size >= 0x80; size >>= 7) *to++ = static_cast<std::uint8_t>(size | 0x80);
    *to++ = static_cast<std::uint8_t>(size);
    return to;
}
constexpr std::size_t longest_size = 10;

// A UUID is two little-endian halves there, sixteen bytes in reading order here.
inline void swap_uuid_halves(const std::uint8_t* from, std::uint8_t* to) {
    std::uint64_t high = 0, low = 0;
    std::memcpy(&high, from, 8);
    std::memcpy(&low, from + 8, 8);
    high = __builtin_bswap64(high);
    low = __builtin_bswap64(low);
    std::memcpy(to, &high, 8);
    std::memcpy(to + 8, &low, 8);
}

// Bytes without the zeroing of std::vector. Move-only.
class Buffer {
public:
    Buffer() = default;
    Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), room_(std::exchange(other.room_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(room_, other.room_);
        return *this;
    }
    ~Buffer() { std::free(data_); }

    void clear() { size_ = 0; }
    // Where to write `size` more bytes; add() says how many were.
    std::uint8_t* reserve(std::size_t size) {
        if (room_ - size_ < size) grow(size);
        return data_ + size_;
    }
    void add(std::size_t size) { size_ += size; }
    std::uint8_t* extend(std::size_t size) {
        std::uint8_t* at = reserve(size);
        size_ += size;
        return at;
    }
    std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }

private:
    void grow(std::size_t size) {
        std::size_t room = room_ == 0 ? 4096 : room_;
        while (room - size_ < size) room *= 2;
        void* moved = std::realloc(data_, room);
        if (moved == nullptr) throw std::bad_alloc();
        data_ = static_cast<std::uint8_t*>(moved);
        room_ = room;
    }

    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0, room_ = 0;
};

}  // namespace ysdb::clickhouse
