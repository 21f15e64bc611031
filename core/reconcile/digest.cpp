#include "core/reconcile/digest.h"

namespace ysdb::reconcile {

RowHasher::RowHasher(const TableInfo& table, std::size_t columns) : key_(table.key), columns_(columns), sizes_(columns) {}

RowHashes RowHasher::hash(const Batch& batch, std::size_t row) {
    // A row's cells lie one behind the other in the batch: their bytes are hashed in one piece, and their sizes in another.
    const Cell* cells = &batch.cell(row, 0);
    std::uint32_t end = cells[0].offset;
    for (std::size_t i = 0; i < columns_; ++i) {
        sizes_[i] = cells[i].size;
        if (!cells[i].is_null()) end = cells[i].offset + cells[i].size;
    }
    const Hash128 sizes = xxh128(sizes_.data(), columns_ * sizeof(std::uint32_t));
    RowHashes hashes;
    hashes.row = xxh128(batch.data() + cells[0].offset, end - cells[0].offset);
    hashes.row.low ^= sizes.low * 0x9E3779B97F4A7C15u;
    hashes.row.high += sizes.high;
    if (key_.empty()) {
        hashes.key = hashes.row;
        return hashes;
    }
    if (key_.size() == 1) {
        const auto value = batch.value(row, key_[0]);
        hashes.key = xxh128(value.data(), value.size());
        return hashes;
    }
    key_bytes_.clear();
    for (const std::uint32_t column : key_) {
        const auto value = batch.value(row, column);
        const auto size = static_cast<std::uint32_t>(value.size());
        const auto* size_bytes = reinterpret_cast<const std::uint8_t*>(&size);
        key_bytes_.insert(key_bytes_.end(), size_bytes, size_bytes + sizeof size);
        key_bytes_.insert(key_bytes_.end(), value.begin(), value.end());
    }
    hashes.key = xxh128(key_bytes_.data(), key_bytes_.size());
    return hashes;
}

void Digest::merge(const Digest& other) {
    for (std::size_t i = 0; i < buckets; ++i) {
        buckets_[i].rows += other.buckets_[i].rows;
        buckets_[i].sum += other.buckets_[i].sum;
    }
}

std::uint64_t Digest::rows() const {
    std::uint64_t rows = 0;
    for (const Bucket& bucket : buckets_) rows += bucket.rows;
    return rows;
}

std::vector<std::uint32_t> differing_buckets(const Digest& a, const Digest& b) {
    std::vector<std::uint32_t> found;
    for (std::uint32_t i = 0; i < Digest::buckets; ++i) {
        if (a[i] != b[i]) found.push_back(i);
    }
    return found;
}

}  // namespace ysdb::reconcile
