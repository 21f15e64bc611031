// ClickHouse's types as the server spells them, and their counterparts among ours.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/value/type.h"

namespace ysdb::clickhouse {

enum class WireKind : std::uint8_t {
    boolean,
    int8, int16, int32, int64,
    uint8, uint16, uint32, uint64, uint128,
    float32, float64,
    string, fixed_string,
    uuid,
    date, date32, datetime, datetime64,
    decimal,          // 4, 8, 16 or 32 bytes by its precision
    enumeration,      // Enum8 or Enum16
    array,
    other,            // read as toString() of it, not written
};

// A type as its values travel in format Native. LowCardinality is left out: the server converts.
struct WireType {
    WireKind kind = WireKind::other;
    bool nullable = false;
    std::uint8_t precision = 0;                                   // decimal
    std::uint8_t scale = 0;                                       // decimal; datetime64: digits below the second
    std::uint32_t size = 0;                                       // bytes of a value; 0: strings and arrays
    std::shared_ptr<const WireType> element;                      // array
    std::vector<std::pair<std::string, std::int16_t>> labels;     // enumeration
    std::string name;                                             // as the server spells it, without LowCardinality
};

// "Nullable(Decimal(36, 18))". What is not known becomes `other`; nothing is refused.
WireType parse_type(std::string_view text);

// Whether a column of the type `to` holds every value of one of the type `from` as the same value, when the server converts them.
bool holds(const WireType& to, const WireType& from);

// A column of ClickHouse in our terms. `native` is the text as given.
Type to_type(std::string_view text);

// The type of a ClickHouse column that holds every ordinary value of `type`: "Nullable(Decimal(36, 18))". A NULL array has no place
// in ClickHouse; everything else that is nullable is Nullable.
std::string column_type(const Type& type);

}  // namespace ysdb::clickhouse
