// A SELECT's format Native as batches of canonical cells.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/store/store.h"
#include "core/value/batch.h"

namespace ysdb::clickhouse {

// Takes the stream in pieces of any size. Not thread-safe.
class Decoder {
public:
    // `wanted`: the columns of the result in their order, in the types to produce; must outlive the decoder. `consume` gets a batch of
    // about `batch_bytes` and may swap it for an empty one. Rows with a value that has no canonical form in the wanted type are left
    // out and told to `rejected`.
    Decoder(const TableInfo& wanted, std::size_t batch_bytes, std::function<void(Batch&)> consume, std::function<void(RejectedRow)> rejected);
    ~Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    // Throws Error(refused) when a column cannot be read as the type wanted, Error(internal) on bytes that are not Native.
    void feed(std::string_view bytes);
    // Hands over the last rows. Throws Error(internal) when the stream ended inside a block.
    void finish();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ysdb::clickhouse
