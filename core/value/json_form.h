// Cells as JSON and as plain text, whole and exact, for stores that keep rows as text.
//
//   booleans, integers up to 64 bits, finite floats      as they are; floats in the shortest form that reads back as the same value
//   NaN and infinities, decimals, numerics, uint128      strings: "12.50", "NaN", "-Infinity"
//   text, enumerations, anything else                    strings
//   bytes                                                strings, base64
//   dates, times, timestamps                             strings, ISO 8601: "2026-01-31", "12:34:56.000001", "2026-01-31T12:34:56Z" (timestamptz), without Z
//                                                        (timestamp); years outside 0..9999 with a sign and six digits; "infinity", "-infinity"
//   intervals                                            strings, as PostgreSQL writes them
//   json                                                 as it is
//   arrays                                               arrays
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/value/batch.h"
#include "core/value/type.h"

namespace ysdb {

// debezium: as its PostgreSQL connector writes them with decimal.handling.mode=string and otherwise its defaults: dates as days, times
// and timestamps without zone as microseconds, json as a string.
enum class JsonStyle { plain, debezium };

// Appends the JSON of one cell that is not NULL. False when text is not UTF-8, which JSON cannot hold: U+FFFD stands where it was not.
bool append_json(std::string& out, std::span<const std::uint8_t> cell, const Type& type, JsonStyle style = JsonStyle::plain);
// Appends a quoted string; false as above.
bool append_json_text(std::string& out, std::string_view text);
// Appends what the JSON would say, without its outer quotes; text as it is, byte by byte.
void append_plain(std::string& out, std::span<const std::uint8_t> cell, const Type& type);

// Rows of one table as JSON objects; the names are made ready once. A value; copies what it needs of the table.
class RowJson {
public:
    explicit RowJson(const TableInfo& table, JsonStyle style = JsonStyle::plain);
    // Appends {"id":7,...} with all columns, or with those of the key. Returns the column whose text is not UTF-8, if there is one.
    std::optional<std::uint32_t> append_row(std::string& out, const Batch& rows, std::size_t row) const;
    std::optional<std::uint32_t> append_key(std::string& out, const Batch& rows, std::size_t row) const;
    // The same members without the braces.
    std::optional<std::uint32_t> append_members(std::string& out, const Batch& rows, std::size_t row) const;

private:
    std::optional<std::uint32_t> append(std::string& out, const Batch& rows, std::size_t row, std::span<const std::uint32_t> columns) const;

    JsonStyle style_;
    std::vector<std::string> names_;       // "\"id\":"
    std::vector<std::uint32_t> all_, key_;
};

}  // namespace ysdb
