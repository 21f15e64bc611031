// Bytes that grow without being zeroed first.
//
// Why not std::vector: resize() writes zeros that the next line overwrites; in decoding a row of short cells that was a third of the
// time.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <string_view>
#include <utility>

namespace ysdb {

// Move-only; what reserve() and extend() returned is valid until the next call. Capacity stays over clear(). Throws std::bad_alloc.
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
        if (room_ - size_ <= size) grow(size);  // also when both are 0: never a null pointer
        return data_ + size_;
    }
    void add(std::size_t size) { size_ += size; }
    std::uint8_t* extend(std::size_t size) {
        std::uint8_t* at = reserve(size);
        size_ += size;
        return at;
    }
    void cut(std::size_t size) { size_ = size; }  // to its first `size` bytes
    std::size_t size() const { return size_; }
    const std::uint8_t* data() const { return data_; }
    std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }

private:
    void grow(std::size_t size) {
        std::size_t room = room_ == 0 ? 4096 : room_;
        while (room - size_ <= size) room *= 2;
        void* moved = std::realloc(data_, room);
        if (moved == nullptr) throw std::bad_alloc();
        data_ = static_cast<std::uint8_t*>(moved);
        room_ = room;
    }

    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0, room_ = 0;
};

}  // namespace ysdb
