// Writes one row's cells into a Batch, in column order.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/value/batch.h"

namespace ysdb::generate {

using Uuid = std::array<std::uint8_t, 16>;

// Thread-safety: as Batch. Does not check that the column fits: each table's test does, against the live server.
class Cells {
public:
    explicit Cells(Batch& batch) : batch_(batch) {}

    void null() { batch_.add_null(); }
    void boolean(bool value) { raw(static_cast<std::uint8_t>(value)); }
    void integer(std::int64_t value) { raw(value); }
    void decimal(Int128 unscaled) { raw(unscaled); }
    void float32(float value) { raw(value); }
    void float64(double value) { raw(value); }
    void date(std::int32_t days) { raw(days); }
    void timestamp(std::int64_t micros) { raw(micros); }
    void uuid(const Uuid& value) { batch_.add(value.data(), value.size()); }
    void text(std::string_view value) {
        std::uint8_t* to = batch_.grow(value.size());
        if (!value.empty()) std::memcpy(to, value.data(), value.size());
    }
    std::uint8_t* bytes(std::size_t size) { return batch_.grow(size); }

private:
    template <class Value>
    void raw(const Value& value) { batch_.add(&value, sizeof value); }

    Batch& batch_;
};

// A short text built in place: JSON and addresses without a heap allocation a row.
class ShortText {
public:
    ShortText& add(std::string_view part) {
        const std::size_t size = std::min(part.size(), buffer_.size() - size_);
        std::memcpy(buffer_.data() + size_, part.data(), size);
        size_ += size;
        return *this;
    }
    ShortText& add(std::uint64_t number) {
        char digits[20];
        std::size_t at = sizeof digits;
        do digits[--at] = static_cast<char>('0' + number % 10);
        while ((number /= 10) != 0);
        return add(std::string_view(digits + at, sizeof digits - at));
    }
    ShortText& add_hex(std::uint64_t number, int digits) {
        char text[16];
        for (int i = digits - 1; i >= 0; --i) {
            text[i] = "0123456789abcdef"[number & 15];
            number >>= 4;
        }
        return add(std::string_view(text, static_cast<std::size_t>(digits)));
    }
    std::string_view view() const { return {buffer_.data(), size_}; }

private:
    std::array<char, 512> buffer_;
    std::size_t size_ = 0;
};

}  // namespace ysdb::generate
