// Rows of one table put aside in a file, to be read again once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <stop_token>
#include <string>

#include "core/value/batch.h"

namespace ysdb::sync {

// The file has no name and goes with the process. Written by one thread, then read by any number at once. Throws Error(refused) when the disk is full, naming the directory.
class RowSpool {
public:
    RowSpool(std::string directory, TableInfo table);
    ~RowSpool();
    RowSpool(const RowSpool&) = delete;
    RowSpool& operator=(const RowSpool&) = delete;

    const TableInfo& table() const { return table_; }
    void add(const Batch& rows);
    // Nothing is added behind this.
    void close();
    // From the first row on; batches are of `table`, whose columns are those of table().
    void read(const TableInfo& table, std::size_t batch_bytes, std::stop_token stop, const std::function<void(Batch&)>& consume) const;

private:
    [[noreturn]] void fail(const std::string& doing) const;
    void write(const void* data, std::size_t size);
    std::string directory_;
    TableInfo table_;
    FILE* stream_ = nullptr;
    std::uint64_t rows_ = 0;
};

}  // namespace ysdb::sync
