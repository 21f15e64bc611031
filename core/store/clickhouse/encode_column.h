// One column of a batch written as ClickHouse wants it: the inner loops of encode.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/store/clickhouse/native.h"
#include "core/store/clickhouse/type.h"
#include "core/value/batch.h"
#include "core/value/buffer.h"

namespace ysdb::clickhouse {

// Cells of one column: every `stride`-th from `cells`, rows [0, count).
struct CellRun {
    const Cell* cells;
    const std::uint8_t* data;
    std::size_t stride;
    std::size_t count;
    const Op* ops;            // one a row, or null when no row is a removal
};

// A value that the target cannot hold. The placeholder written in its place never leaves the encoder.
struct BadCell {
    std::size_t row;
    const char* reason;
};

struct ColumnPlan;

// What a column has grown to in this block.
struct ColumnOut {
    Buffer nulls;              // one byte a row, of nullable columns
    Buffer values;             // of arrays: the running counts of elements
    std::uint64_t elements = 0;
    std::vector<Cell> element_cells;          // scratch
    std::vector<BadCell> bad_elements;        // scratch
    std::vector<ColumnOut> element;           // one for arrays

    void clear() {
        nulls.clear();
        values.clear();
        elements = 0;
        for (ColumnOut& each : element) each.clear();
    }
};

using WriteColumn = void (*)(const CellRun& run, const ColumnPlan& plan, ColumnOut& out, std::vector<BadCell>& bad);

struct ColumnPlan {
    WriteColumn write = nullptr;
    Type source;
    WireType target;
    std::int64_t factor = 1;                 // timestamps: units a microsecond, or microseconds a unit
    std::map<std::string, std::int16_t, std::less<>> labels;
    std::vector<ColumnPlan> element;         // one for arrays
};

// Throws Error(refused) with the reason alone when `target` cannot take `source`.
ColumnPlan plan_column(const Type& source, const WireType& target);

}  // namespace ysdb::clickhouse
