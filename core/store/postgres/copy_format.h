// COPY's binary format to and from canonical cells. The hot path of every copy: one function pointer a column, no allocation a row.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/store/postgres/fields.h"
#include "core/value/batch.h"

namespace ysdb::postgres {

// Turns CopyData messages into rows of a Batch. Not thread-safe.
class CopyDecoder {
public:
    explicit CopyDecoder(const TableInfo& table);
    // One CopyData message: a row, or the header or trailer (then no row is added). Throws Error(internal) on bytes that are not COPY binary.
    // Returns false when a value has no canonical form: the row is left out; rejected_column() and reason() say why.
    bool decode(std::string_view message, Batch& batch);
    std::size_t rejected_column() const { return rejected_column_; }
    const std::string& reason() const { return reason_; }
    // The key of the row just left out, as people read it; every column that does decode when the key itself does not.
    std::string rejected_key(std::string_view message) const;

private:
    const TableInfo& table_;
    std::vector<Field> fields_;
    std::vector<const Type*> types_;
    bool header_seen_ = false;
    std::size_t rejected_column_ = 0;
    std::string reason_;
};

// Turns batches into COPY's binary format for columns of these types. Not thread-safe.
class CopyEncoder {
public:
    explicit CopyEncoder(const TableInfo& table);
    static std::string_view header();
    static std::string_view trailer();
    // Appends all rows of the batch.
    void encode(const Batch& batch, std::string& out) const;

    using Field = void (*)(std::span<const std::uint8_t> cell, const Type& type, std::string& out);

private:
    std::vector<Field> fields_;
    std::vector<const Type*> types_;
};

}  // namespace ysdb::postgres
