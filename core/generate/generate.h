// Rows for the shipped schemas: users, what they hold and did, and the market around them. Deterministic: a row depends on the seed, the
// size, the end time and the listed assets alone, so any number of threads makes the same table.
// Distributions: users, assets and types by Zipf's law; amounts log-normal; prices random walks; times even over the last 180 days
// (transactions) or 90 (market), hitting both sides of every month's border; NULLs, text in many scripts, and the columns' numeric
// limits at rates of one in hundreds to one in thousands.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/value/batch.h"

namespace ysdb {

using AssetId = std::array<std::uint8_t, 16>;

struct GenerateOptions {
    std::uint64_t seed = 1;
    std::uint64_t rows = 1'000'000;          // transactions and market samples; the other tables follow in proportion
    std::int64_t until = 0;                  // microseconds UTC; no row is later
    std::vector<AssetId> listed_assets;      // assets beside the generated ones that transactions may use
};

struct GeneratedTable {
    std::string store;       // "main", "analytics"
    TableInfo info;          // the columns that are filled; ref.schema is empty
    std::uint64_t rows = 0;
};

// Thread-safe once built.
class Generator {
public:
    // `schema`: "yieldsensei" or "solana". Throws Error(usage) for another, with the nearest name.
    Generator(const std::string& schema, const GenerateOptions& options);
    ~Generator();

    // In the order that foreign keys ask for.
    const std::vector<GeneratedTable>& tables() const { return tables_; }
    // Appends rows first .. first + count - 1 of the table at this place in tables(); `out` was made for its info.
    void fill(std::size_t table, std::uint64_t first, std::uint64_t count, Batch& out) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    std::vector<GeneratedTable> tables_;
};

}  // namespace ysdb
