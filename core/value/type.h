// Column types as every store maps them, and what a table looks like.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ysdb {

enum class TypeKind : std::uint8_t {
    boolean,
    int16, int32, int64,
    uint8, uint16, uint32, uint64, uint128,  // ClickHouse
    float32, float64,
    decimal,      // precision and scale known, precision <= 76
    numeric,      // unconstrained: canonical text
    text,         // UTF-8
    bytes,
    uuid,
    date,
    time,         // of day
    timestamp,    // without zone
    timestamptz,  // instant
    interval,
    json,         // text as the server prints it
    enumeration,  // its label
    array,        // one dimension of `element`
    other,        // anything else, as the server's own text
};

struct Type {
    TypeKind kind = TypeKind::other;
    bool nullable = true;
    std::uint8_t precision = 0;              // decimal
    std::uint8_t scale = 0;                  // decimal; timestamps: digits below the second
    std::shared_ptr<const Type> element;     // array
    std::string native;                      // the server's own name, for messages and DDL: "numeric(36,18)", "LowCardinality(String)"
};

struct ColumnInfo {
    std::string name;
    Type type;
    bool generated = false;
    std::string comment;
    int number = 0;               // the server's own, which stays over renames and never comes again; 0: it has none
};

// A name of a table; quoting is the driver's business.
struct TableRef {
    std::string schema;  // PostgreSQL schema, ClickHouse database; may be empty
    std::string table;
    bool operator==(const TableRef&) const = default;
    auto operator<=>(const TableRef&) const = default;
    std::string text() const { return schema.empty() ? table : schema + "." + table; }
};

// "schema.table", "table", parts may be double-quoted. Throws Error(usage) with `what` named.
TableRef parse_table_ref(std::string_view text, std::string_view what);

struct TableInfo {
    TableRef ref;
    std::vector<ColumnInfo> columns;
    std::vector<std::uint32_t> key;          // indexes into columns: the primary key, in its order; empty when there is none
    bool partitioned = false;
    std::uint64_t estimated_rows = 0;        // the server's own estimate
    std::uint64_t bytes = 0;                 // heap, all partitions
};

}  // namespace ysdb
