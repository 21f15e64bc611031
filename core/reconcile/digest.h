// Order-independent digests of tables: rows are put into buckets by a hash of their key, and each bucket sums its rows' 128-bit hashes.
// Two tables are equal exactly when all buckets are (but for a 2^-128 accident); unequal buckets say where to look closer.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/hash.h"
#include "core/value/batch.h"

namespace ysdb::reconcile {

struct RowHashes {
    Hash128 key;   // of the key columns; of the whole row when the table has no key
    Hash128 row;   // of all columns
};

// Hashes of row `row`, over canonical cells and their sizes, NULL apart from empty. `columns`: how many of the batch's first columns count.
class RowHasher {
public:
    // `table`: the source's description; its key decides.
    RowHasher(const TableInfo& table, std::size_t columns);
    RowHashes hash(const Batch& batch, std::size_t row);

private:
    std::vector<std::uint32_t> key_;
    std::size_t columns_;
    std::vector<std::uint32_t> sizes_;       // scratch
    std::vector<std::uint8_t> key_bytes_;    // scratch
};

struct Bucket {
    std::uint64_t rows = 0;
    UInt128 sum = 0;
    bool operator==(const Bucket&) const = default;
};

// Not thread-safe: one a worker, merged at the end.
class Digest {
public:
    static constexpr std::size_t bits = 16;
    static constexpr std::size_t buckets = std::size_t{1} << bits;

    Digest() : buckets_(buckets) {}
    static std::size_t bucket_of(const Hash128& key) { return key.high >> (64 - bits); }
    void add(const RowHashes& hashes) {
        Bucket& bucket = buckets_[bucket_of(hashes.key)];
        ++bucket.rows;
        bucket.sum += (static_cast<UInt128>(hashes.row.high) << 64) | hashes.row.low;
    }
    void merge(const Digest& other);
    const Bucket& operator[](std::size_t i) const { return buckets_[i]; }
    std::uint64_t rows() const;

private:
    std::vector<Bucket> buckets_;
};

// Buckets in which the two differ, ascending.
std::vector<std::uint32_t> differing_buckets(const Digest& a, const Digest& b);

}  // namespace ysdb::reconcile
