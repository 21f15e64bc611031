// Records of a bus (bus.h) as bytes. Numbers are little-endian.
//
//   "ysb\1"  kind u8  op u8  shape u64  epoch u32  position u64  ordinal u32  committed i64    every record
//   row      a cell a column, in the shape's order: its size + 1 as LEB128, then its canonical bytes (core/value/batch.h); 0: NULL
//   others   number of the mark u64, then a JSON object: {"changes":[...]} (shape, renew), {"reason":"..."} (halt), {}
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/value/batch.h"
#include "core/value/shape.h"
#include "core/value/type.h"

namespace ysdb::kafka {

// renew: a copy of the table begins; whole: it is complete, what is older than its version is gone.
enum class BusKind : std::uint8_t { row, shape, truncate, halt, renew, whole };

struct BusHead {
    BusKind kind = BusKind::row;
    Op op = Op::upsert;
    std::uint64_t shape = 0;          // of the table, by hash
    Version version;
    std::int64_t committed = 0;
};

struct BusMark {
    std::uint64_t number = 0;
    std::vector<ColumnChange> changes;
    std::string reason;
};

void append_row(std::string& out, const BusHead& head, const Batch& rows, std::size_t row);
std::string mark_bytes(const BusHead& head, const BusMark& mark);

// Nothing when the bytes are no record of ours; what follows the head is left in `bytes`.
std::optional<BusHead> take_head(std::string_view& bytes);
// Adds one row to `rows`; false, and nothing added, when the bytes are not one cell a column, each of a size its type can have.
bool take_row(std::string_view bytes, Batch& rows);
std::optional<BusMark> take_mark(std::string_view bytes);

// A table's description as JSON, whole enough to read its rows, and back. Throws Error(rejected) for what is none.
std::string shape_json(const TableInfo& table);
TableInfo parse_shape(std::string_view json);
std::uint64_t shape_hash(std::string_view json);

}  // namespace ysdb::kafka
