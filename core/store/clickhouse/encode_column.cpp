#include "core/store/clickhouse/encode_column.h"

#include <type_traits>
#include <utility>

#include "core/base/error.h"
#include "core/value/show.h"
#include "core/value/text_form.h"

namespace ysdb::clickhouse {

namespace {

using Bytes = const std::uint8_t*;

template <class Value>
Value load(Bytes from) {
    Value value;
    std::memcpy(&value, from, sizeof value);
    return value;
}
template <class Value>
const char* store(std::uint8_t* to, Value value) {
    std::memcpy(to, &value, sizeof value);
    return nullptr;
}

constexpr const char* out_of_range = "the value is out of the target type's range";
constexpr const char* too_precise = "the target type holds fewer digits behind the point";
constexpr const char* not_finite = "the target type holds no NaN and no infinity";
constexpr const char* null_refused = "the target column takes no NULL";

// A converter writes one value of `width` bytes and returns null, or says why it cannot be held.

template <class To, class From>
struct Integer {
    static constexpr std::size_t width = sizeof(To);
    static const char* put(Bytes cell, std::uint32_t, const ColumnPlan&, std::uint8_t* to) {
        const auto value = load<From>(cell);
        if constexpr (sizeof(To) < sizeof(From) || std::is_signed_v<To> != std::is_signed_v<From>) {
            if (!std::in_range<To>(value)) return out_of_range;
        }
        return store(to, static_cast<To>(value));
    }
};

template <std::size_t Width>
struct Raw {
    static constexpr std::size_t width = Width;
    static const char* put(Bytes cell, std::uint32_t, const ColumnPlan&, std::uint8_t* to) {
        std::memcpy(to, cell, Width);
        return nullptr;
    }
};

struct FloatToDouble {
    static constexpr std::size_t width = 8;
    static const char* put(Bytes cell, std::uint32_t, const ColumnPlan&, std::uint8_t* to) { return store(to, static_cast<double>(load<float>(cell))); }
};

struct Uuid {
    static constexpr std::size_t width = 16;
    static const char* put(Bytes cell, std::uint32_t, const ColumnPlan&, std::uint8_t* to) {
        swap_uuid_halves(cell, to);
        return nullptr;
    }
};

// The common case: same scale, the source's digits fit.
template <std::size_t Width>
struct SameDecimal {
    static constexpr std::size_t width = Width;
    static const char* put(Bytes cell, std::uint32_t size, const ColumnPlan&, std::uint8_t* to) {
        if (size < 16) return not_finite;
        std::memcpy(to, cell, Width < 16 ? Width : 16);
        if constexpr (Width == 32) {
            if (size == 32) std::memcpy(to + 16, cell + 16, 16);
            else std::memset(to + 16, (cell[15] & 0x80) != 0 ? 0xff : 0, 16);
        }
        return nullptr;
    }
};

template <std::size_t Width>
struct OtherDecimal {
    static constexpr std::size_t width = Width;
    static const char* put(Bytes cell, std::uint32_t size, const ColumnPlan& plan, std::uint8_t* to) {
        if (size < 16) return not_finite;
        const auto value = rescale(Int256::from_cell({cell, size}), plan.target.scale - plan.source.scale);
        if (!value) return plan.target.scale < plan.source.scale ? too_precise : out_of_range;
        if (!fits_precision(*value, plan.target.precision)) return out_of_range;
        std::memcpy(to, value->limbs.data(), Width);
        return nullptr;
    }
};

struct Date32 {
    static constexpr std::size_t width = 4;
    static const char* put(Bytes cell, std::uint32_t, const ColumnPlan&, std::uint8_t* to) {
        const auto days = load<std::int32_t>(cell);
        if (days < first_day || days > last_day) return days == INT32_MAX || days == INT32_MIN ? not_finite : out_of_range;
        return store(to, days);
    }
};

struct Date16 {
    static constexpr std::size_t width = 2;
    static const char* put(Bytes cell, std::uint32_t, const ColumnPlan&, std::uint8_t* to) {
        const auto days = load<std::int32_t>(cell);
        if (!std::in_range<std::uint16_t>(days)) return days == INT32_MAX || days == INT32_MIN ? not_finite : out_of_range;
        return store(to, static_cast<std::uint16_t>(days));
    }
};

const char* check_instant(std::int64_t micros) {
    if (micros >= first_micro && micros <= last_micro) return nullptr;
    return micros == INT64_MAX || micros == INT64_MIN ? not_finite : out_of_range;
}

struct MicroTime {
    static constexpr std::size_t width = 8;
    static const char* put(Bytes cell, std::uint32_t, const ColumnPlan&, std::uint8_t* to) {
        const auto micros = load<std::int64_t>(cell);
        if (const char* reason = check_instant(micros)) return reason;
        return store(to, micros);
    }
};

struct CoarseTime {  // fewer than six digits
    static constexpr std::size_t width = 8;
    static const char* put(Bytes cell, std::uint32_t, const ColumnPlan& plan, std::uint8_t* to) {
        const auto micros = load<std::int64_t>(cell);
        if (const char* reason = check_instant(micros)) return reason;
        if (micros % plan.factor != 0) return too_precise;
        return store(to, micros / plan.factor);
    }
};

struct FineTime {  // more than six digits
    static constexpr std::size_t width = 8;
    static const char* put(Bytes cell, std::uint32_t, const ColumnPlan& plan, std::uint8_t* to) {
        const auto micros = load<std::int64_t>(cell);
        std::int64_t units = 0;
        if (const char* reason = check_instant(micros)) return reason;
        if (__builtin_mul_overflow(micros, plan.factor, &units)) return out_of_range;
        return store(to, units);
    }
};

struct Seconds {
    static constexpr std::size_t width = 4;
    static const char* put(Bytes cell, std::uint32_t, const ColumnPlan&, std::uint8_t* to) {
        const auto micros = load<std::int64_t>(cell);
        if (micros == INT64_MAX || micros == INT64_MIN) return not_finite;
        if (micros % 1'000'000 != 0) return too_precise;
        if (!std::in_range<std::uint32_t>(micros / 1'000'000)) return out_of_range;
        return store(to, static_cast<std::uint32_t>(micros / 1'000'000));
    }
};

template <class Number>
struct Label {
    static constexpr std::size_t width = sizeof(Number);
    static const char* put(Bytes cell, std::uint32_t size, const ColumnPlan& plan, std::uint8_t* to) {
        const auto found = plan.labels.find(std::string_view(reinterpret_cast<const char*>(cell), size));
        if (found == plan.labels.end()) return "the target's Enum has no such label";
        return store(to, static_cast<Number>(found->second));
    }
};

bool null_allowed(const CellRun& run, const ColumnPlan& plan, std::size_t row) { return plan.target.nullable || (run.ops != nullptr && run.ops[row] == Op::remove); }

template <class Convert>
void write_fixed(const CellRun& run, const ColumnPlan& plan, ColumnOut& out, std::vector<BadCell>& bad) {
    std::uint8_t* nulls = plan.target.nullable ? out.nulls.extend(run.count) : nullptr;
    std::uint8_t* to = out.values.extend(run.count * Convert::width);
    const Cell* cell = run.cells;
    for (std::size_t row = 0; row < run.count; ++row, cell += run.stride, to += Convert::width) {
        const bool null = cell->is_null();
        if (nulls != nullptr) nulls[row] = null;
        const char* reason = nullptr;
        if (null) {
            std::memset(to, 0, Convert::width);
            if (nulls == nullptr && !null_allowed(run, plan, row)) reason = null_refused;
        } else {
            reason = Convert::put(run.data + cell->offset, cell->size, plan, to);
        }
        if (reason != nullptr) [[unlikely]] bad.push_back({row, reason});
    }
}

void put_string(Buffer& values, const void* bytes, std::size_t size) {
    std::uint8_t* to = values.reserve(size + longest_size);
    std::uint8_t* text = put_size(to, size);
    std::memcpy(text, bytes, size);
    values.add(static_cast<std::size_t>(text - to) + size);
}

// Strings, each by `append`: null when written, else why not.
template <class Append>
void write_strings(const CellRun& run, const ColumnPlan& plan, ColumnOut& out, std::vector<BadCell>& bad, Append append) {
    std::uint8_t* nulls = plan.target.nullable ? out.nulls.extend(run.count) : nullptr;
    const Cell* cell = run.cells;
    for (std::size_t row = 0; row < run.count; ++row, cell += run.stride) {
        const bool null = cell->is_null();
        if (nulls != nullptr) nulls[row] = null;
        if (!null) {
            append(run.data + cell->offset, cell->size);
            continue;
        }
        *out.values.extend(1) = 0;
        if (!null_allowed(run, plan, row)) bad.push_back({row, null_refused});
    }
}

void write_text(const CellRun& run, const ColumnPlan& plan, ColumnOut& out, std::vector<BadCell>& bad) {
    write_strings(run, plan, out, bad, [&](Bytes cell, std::uint32_t size) { put_string(out.values, cell, size); });
}
void write_interval(const CellRun& run, const ColumnPlan& plan, ColumnOut& out, std::vector<BadCell>& bad) {
    write_strings(run, plan, out, bad, [&](Bytes cell, std::uint32_t) {
        const std::string text = interval_text(load<std::int64_t>(cell), load<std::int32_t>(cell + 8), load<std::int32_t>(cell + 12));
        put_string(out.values, text.data(), text.size());
    });
}
void write_time(const CellRun& run, const ColumnPlan& plan, ColumnOut& out, std::vector<BadCell>& bad) {
    write_strings(run, plan, out, bad, [&](Bytes cell, std::uint32_t) {
        const std::string text = time_text(load<std::int64_t>(cell));
        put_string(out.values, text.data(), text.size());
    });
}
void write_decimal_text(const CellRun& run, const ColumnPlan& plan, ColumnOut& out, std::vector<BadCell>& bad) {
    write_strings(run, plan, out, bad, [&](Bytes cell, std::uint32_t size) {
        const std::string text = show_decimal({cell, size}, plan.source.scale);
        put_string(out.values, text.data(), text.size());
    });
}

void write_fixed_string(const CellRun& run, const ColumnPlan& plan, ColumnOut& out, std::vector<BadCell>& bad) {
    const std::size_t width = plan.target.size;
    std::uint8_t* nulls = plan.target.nullable ? out.nulls.extend(run.count) : nullptr;
    std::uint8_t* to = out.values.extend(run.count * width);
    const Cell* cell = run.cells;
    for (std::size_t row = 0; row < run.count; ++row, cell += run.stride, to += width) {
        const bool null = cell->is_null();
        if (nulls != nullptr) nulls[row] = null;
        if (!null && cell->size == width) {
            std::memcpy(to, run.data + cell->offset, width);
            continue;
        }
        std::memset(to, 0, width);
        if (!null) bad.push_back({row, "the target takes strings of exactly one length"});
        else if (!null_allowed(run, plan, row)) bad.push_back({row, null_refused});
    }
}

// The elements of all arrays lie in the batch like cells of a column: they are written by their own type's loop.
void write_array(const CellRun& run, const ColumnPlan& plan, ColumnOut& out, std::vector<BadCell>& bad) {
    if (out.element.empty()) out.element.resize(1);
    out.element_cells.clear();
    out.bad_elements.clear();
    std::vector<std::size_t> ends(run.count);
    std::uint8_t* counts = out.values.extend(run.count * 8);
    const Cell* cell = run.cells;
    for (std::size_t row = 0; row < run.count; ++row, cell += run.stride) {
        if (cell->is_null()) {
            if (!null_allowed(run, plan, row)) bad.push_back({row, "ClickHouse has no NULL arrays"});
        } else {
            const auto count = load<std::uint32_t>(run.data + cell->offset);
            std::uint32_t at = cell->offset + 4;
            for (std::uint32_t i = 0; i < count; ++i) {
                const auto size = load<std::uint32_t>(run.data + at);
                at += 4;
                out.element_cells.push_back({at, size});
                if (size != Cell::null_size) at += size;
            }
            out.elements += count;
        }
        ends[row] = out.element_cells.size();
        std::memcpy(counts + row * 8, &out.elements, 8);
    }
    plan.element[0].write({out.element_cells.data(), run.data, 1, out.element_cells.size(), nullptr}, plan.element[0], out.element[0], out.bad_elements);
    std::size_t row = 0;
    for (const BadCell& element : out.bad_elements) {
        while (ends[row] <= element.row) ++row;
        bad.push_back({row, element.reason});
    }
}

template <class From>
WriteColumn integer_writer(WireKind target) {
    switch (target) {
        case WireKind::int8: return write_fixed<Integer<std::int8_t, From>>;
        case WireKind::int16: return write_fixed<Integer<std::int16_t, From>>;
        case WireKind::int32: return write_fixed<Integer<std::int32_t, From>>;
        case WireKind::int64: return write_fixed<Integer<std::int64_t, From>>;
        case WireKind::uint8: return write_fixed<Integer<std::uint8_t, From>>;
        case WireKind::uint16: return write_fixed<Integer<std::uint16_t, From>>;
        case WireKind::uint32: return write_fixed<Integer<std::uint32_t, From>>;
        case WireKind::uint64: return write_fixed<Integer<std::uint64_t, From>>;
        default: return nullptr;
    }
}

WriteColumn decimal_writer(const Type& source, const WireType& target) {
    if (target.kind == WireKind::string) return write_decimal_text;
    if (target.kind != WireKind::decimal) return nullptr;
    const bool same = source.scale == target.scale && source.precision <= target.precision;
    switch (target.size) {
        case 4: return same ? write_fixed<SameDecimal<4>> : write_fixed<OtherDecimal<4>>;
        case 8: return same ? write_fixed<SameDecimal<8>> : write_fixed<OtherDecimal<8>>;
        case 16: return same ? write_fixed<SameDecimal<16>> : write_fixed<OtherDecimal<16>>;
        default: return same ? write_fixed<SameDecimal<32>> : write_fixed<OtherDecimal<32>>;
    }
}

WriteColumn timestamp_writer(ColumnPlan& plan) {
    if (plan.target.kind == WireKind::datetime) return write_fixed<Seconds>;
    if (plan.target.kind != WireKind::datetime64) return nullptr;
    const int scale = plan.target.scale;
    plan.factor = power_of_ten(scale < 6 ? 6 - scale : scale - 6);
    return scale == 6 ? write_fixed<MicroTime> : scale < 6 ? write_fixed<CoarseTime> : write_fixed<FineTime>;
}

WriteColumn text_writer(ColumnPlan& plan) {
    switch (plan.target.kind) {
        case WireKind::string: return write_text;
        case WireKind::fixed_string: return write_fixed_string;
        case WireKind::enumeration:
            for (const auto& [label, number] : plan.target.labels) plan.labels.emplace(label, number);
            return plan.target.size == 1 ? write_fixed<Label<std::int8_t>> : write_fixed<Label<std::int16_t>>;
        default: return nullptr;
    }
}

WriteColumn writer_for(ColumnPlan& plan) {
    const WireKind target = plan.target.kind;
    switch (plan.source.kind) {
        case TypeKind::boolean: return target == WireKind::boolean || target == WireKind::uint8 ? write_fixed<Raw<1>> : nullptr;
        case TypeKind::int16:
        case TypeKind::int32:
        case TypeKind::int64: return integer_writer<std::int64_t>(target);
        case TypeKind::uint8:
        case TypeKind::uint16:
        case TypeKind::uint32:
        case TypeKind::uint64: return integer_writer<std::uint64_t>(target);
        case TypeKind::uint128: return target == WireKind::uint128 ? write_fixed<Raw<16>> : nullptr;
        case TypeKind::float32: return target == WireKind::float32 ? write_fixed<Raw<4>> : target == WireKind::float64 ? write_fixed<FloatToDouble> : nullptr;
        case TypeKind::float64: return target == WireKind::float64 ? write_fixed<Raw<8>> : nullptr;
        case TypeKind::decimal: return decimal_writer(plan.source, plan.target);
        case TypeKind::uuid: return target == WireKind::uuid ? write_fixed<Uuid> : nullptr;
        case TypeKind::date: return target == WireKind::date32 ? write_fixed<Date32> : target == WireKind::date ? write_fixed<Date16> : nullptr;
        case TypeKind::timestamp:
        case TypeKind::timestamptz: return timestamp_writer(plan);
        case TypeKind::time: return target == WireKind::string ? write_time : nullptr;
        case TypeKind::interval: return target == WireKind::string ? write_interval : nullptr;
        case TypeKind::array:
            if (target != WireKind::array) return nullptr;
            plan.element.push_back(plan_column(*plan.source.element, *plan.target.element));
            return write_array;
        case TypeKind::numeric:  // as text only: a Decimal would forget how many zeros were behind the point
        case TypeKind::json:
        case TypeKind::other: return target == WireKind::string ? write_text : nullptr;
        case TypeKind::bytes: return target == WireKind::string ? write_text : target == WireKind::fixed_string ? write_fixed_string : nullptr;
        case TypeKind::text:
        case TypeKind::enumeration: return text_writer(plan);
    }
    return nullptr;
}

}  // namespace

ColumnPlan plan_column(const Type& source, const WireType& target) {
    ColumnPlan plan;
    plan.source = source;
    plan.target = target;
    plan.write = writer_for(plan);
    if (plan.write == nullptr) throw Error(Code::refused, "a value of type " + (source.native.empty() ? "this kind" : source.native) + " cannot be kept exactly as " + target.name);
    return plan;
}

}  // namespace ysdb::clickhouse
