// Groups of kinds of types that several rooms ask for.
#pragma once

#include "core/value/type.h"

namespace ysdb {

// Whole numbers whose cells are 8 bytes: every one but ClickHouse's of 128 bits.
constexpr bool is_integer(TypeKind kind) {
    switch (kind) {
        case TypeKind::int16:
        case TypeKind::int32:
        case TypeKind::int64:
        case TypeKind::uint8:
        case TypeKind::uint16:
        case TypeKind::uint32:
        case TypeKind::uint64: return true;
        default: return false;
    }
}

}  // namespace ysdb
