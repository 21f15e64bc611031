// Rows between stores: a schema, one byte buffer and offsets. No heap allocation a row.
//
// A cell holds its column's canonical bytes (also what digests are taken over):
//   boolean 1 byte · ints of every width 8 bytes little-endian, sign- or zero-extended (uint128: 16) · floats 4 / 8 bytes
//   decimal: the unscaled integer, two's complement little-endian, 16 bytes (precision <= 38) or 32; NaN and infinities are the
//   one-byte cells 'N' '+' '-' · numeric, text, json, enumeration, other: UTF-8 · bytes: raw · uuid: 16 bytes, as printed
//   date: int32 days since 1970-01-01 · time: int64 microseconds · timestamps: int64 microseconds since 1970-01-01 (UTC);
//   -infinity / infinity are the integer's extremes · interval: int64 microseconds, int32 days, int32 months
//   array: u32 count, then for each element u32 length (0xffffffff: NULL) and its canonical bytes
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/value/buffer.h"
#include "core/value/int128.h"
#include "core/value/type.h"

namespace ysdb {

struct Cell {
    static constexpr std::uint32_t null_size = 0xffffffffu;
    std::uint32_t offset = 0;
    std::uint32_t size = null_size;
    bool is_null() const { return size == null_size; }
};

// Thread-safety: one thread at a time; movable between threads. Buffers keep their capacity over clear().
class Batch {
public:
    Batch() = default;
    explicit Batch(const TableInfo* table) : table_(table) {}

    // The table must outlive the batch.
    const TableInfo& table() const { return *table_; }
    std::size_t columns() const { return table_->columns.size(); }
    std::size_t rows() const { return columns() == 0 ? 0 : cells_.size() / columns(); }
    std::size_t byte_size() const { return bytes_.size(); }
    bool empty() const { return cells_.empty(); }

    const Cell& cell(std::size_t row, std::size_t column) const { return cells_[row * columns() + column]; }
    std::span<const std::uint8_t> value(std::size_t row, std::size_t column) const {
        const Cell& c = cell(row, column);
        return c.is_null() ? std::span<const std::uint8_t>() : std::span(bytes_.data() + c.offset, c.size);
    }
    std::string_view text(std::size_t row, std::size_t column) const {
        auto v = value(row, column);
        return {reinterpret_cast<const char*>(v.data()), v.size()};
    }
    const std::uint8_t* data() const { return bytes_.data(); }
    std::span<const Cell> cells() const { return cells_; }

    // Building: call once a column, in column order, row after row.
    void add_null() { cells_.push_back({static_cast<std::uint32_t>(bytes_.size()), Cell::null_size}); }
    void add(const void* data, std::size_t size) {
        std::memcpy(grow(size), data, size);
    }
    // Appends a cell of `size` bytes and returns where to write them; valid until the next call.
    std::uint8_t* grow(std::size_t size) {
        cells_.push_back({static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(size)});
        return bytes_.extend(size);
    }
    // Cuts the cell just added to its first `size` bytes.
    void shrink_last(std::size_t size) {
        cells_.back().size = static_cast<std::uint32_t>(size);
        bytes_.cut(cells_.back().offset + size);
    }
    // Removes the row being built or just built, from its first cell on.
    void drop_rows_from(std::size_t row) { drop_cells_from(row * columns()); }
    void drop_cells_from(std::size_t first) {
        if (first >= cells_.size()) return;
        bytes_.cut(cells_[first].offset);
        cells_.resize(first);
    }
    // Appends rows [from, to) of a batch of the same columns.
    void append(const Batch& other, std::size_t from, std::size_t to) {
        for (std::size_t i = from * columns(); i < to * columns(); ++i) append_cell(other, other.cells_[i]);
    }
    void append(const Batch& other) {
        const auto base = static_cast<std::uint32_t>(bytes_.size());
        if (other.byte_size() > 0) std::memcpy(bytes_.extend(other.byte_size()), other.data(), other.byte_size());
        for (const Cell& cell : other.cells_) cells_.push_back({base + cell.offset, cell.size});
    }
    void append_cell(const Batch& other, const Cell& cell) {
        if (cell.is_null()) add_null();
        else add(other.data() + cell.offset, cell.size);
    }
    // One array's cell of these elements, the cells of a batch of one column.
    void add_array(const Batch& elements) {
        const auto count = static_cast<std::uint32_t>(elements.cells_.size());
        std::uint8_t* to = grow(4 + 4 * std::size_t{count} + elements.byte_size());
        std::memcpy(to, &count, 4);
        to += 4;
        for (const Cell& cell : elements.cells_) {
            std::memcpy(to, &cell.size, 4);
            to += 4;
            if (cell.is_null()) continue;
            std::memcpy(to, elements.data() + cell.offset, cell.size);
            to += cell.size;
        }
    }
    // Gives a cell another value; its old bytes stay behind unused.
    void replace(std::size_t row, std::size_t column, const void* data, std::size_t size) {
        const auto offset = static_cast<std::uint32_t>(bytes_.size());
        std::memcpy(bytes_.extend(size), data, size);
        cells_[row * columns() + column] = {offset, static_cast<std::uint32_t>(size)};
    }
    // Takes the bytes and cells of another batch of this table that were kept elsewhere.
    void assign(std::span<const std::uint8_t> bytes, std::vector<Cell> cells) {
        bytes_.clear();
        if (!bytes.empty()) std::memcpy(bytes_.extend(bytes.size()), bytes.data(), bytes.size());
        cells_ = std::move(cells);
    }
    void clear() { bytes_.clear(); cells_.clear(); }
    void reserve(std::size_t bytes, std::size_t cells) {
        if (bytes > bytes_.size()) bytes_.reserve(bytes - bytes_.size());
        cells_.reserve(cells);
    }

private:
    const TableInfo* table_ = nullptr;
    Buffer bytes_;
    std::vector<Cell> cells_;
};

// A row's version (law 1): compared as one unsigned 128-bit number, epoch first.
struct Version {
    std::uint32_t epoch = 0;
    std::uint64_t position = 0;   // commit LSN, or the tick of trigger capture
    std::uint32_t ordinal = 0;    // from 1 within the transaction; 0 for snapshot rows
    UInt128 packed() const {
        return (static_cast<UInt128>(epoch) << 96) | (static_cast<UInt128>(position) << 32) | ordinal;
    }
    auto operator<=>(const Version&) const = default;
};

// insert: an upsert of which the source knows that the row is new.
enum class Op : std::uint8_t { upsert, remove, insert };

// Rows with what happened to them. `ops`, `versions` and `committed` hold one entry a row, or one entry for all rows.
struct ChangeBatch {
    Batch rows;
    std::vector<Op> ops{Op::upsert};
    std::vector<Version> versions{Version{}};
    std::vector<std::int64_t> committed{0};   // microseconds since 1970; 0: not known
    Op op(std::size_t row) const { return ops.size() == 1 ? ops[0] : ops[row]; }
    const Version& version(std::size_t row) const { return versions.size() == 1 ? versions[0] : versions[row]; }
    std::int64_t committed_at(std::size_t row) const { return committed.size() == 1 ? committed[0] : committed[row]; }
};

}  // namespace ysdb
