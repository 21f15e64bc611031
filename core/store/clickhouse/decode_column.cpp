#include "core/store/clickhouse/decode_column.h"

#include <type_traits>
#include <utility>

#include "core/base/error.h"
#include "core/value/text_form.h"

namespace ysdb::clickhouse {

namespace {

template <class Value>
Value load(const std::uint8_t* from) {
    Value value;
    std::memcpy(&value, from, sizeof value);
    return value;
}
template <class Value>
bool add(Batch& batch, Value value) {
    std::memcpy(batch.grow(sizeof value), &value, sizeof value);
    return true;
}

// False when the number is not whole yet.
bool read_size(std::string_view bytes, std::size_t& at, std::uint64_t& size) {
    size = 0;
    std::size_t from = at;
    for (int shift = 0; from < bytes.size() && shift < 64; shift += 7) {
        const auto byte = static_cast<std::uint8_t>(bytes[from++]);
        size |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            at = from;
            return true;
        }
    }
    return false;
}

template <class From, class Canonical>
bool take_integer(const ColumnSlice& slice, const TakePlan&, std::size_t row, Batch& batch) {
    const auto value = load<From>(slice.fixed(row, sizeof(From)));
    return std::in_range<Canonical>(value) && add(batch, static_cast<Canonical>(value));
}
// A column of a type that holds more than the one wanted: int4 read from Int64.
template <class From, class Canonical, class Wanted>
bool take_narrow(const ColumnSlice& slice, const TakePlan&, std::size_t row, Batch& batch) {
    const auto value = load<From>(slice.fixed(row, sizeof(From)));
    return std::in_range<Wanted>(value) && add(batch, static_cast<Canonical>(value));
}

template <std::size_t Width>
bool take_raw(const ColumnSlice& slice, const TakePlan&, std::size_t row, Batch& batch) {
    std::memcpy(batch.grow(Width), slice.fixed(row, Width), Width);
    return true;
}

bool take_double_of_float(const ColumnSlice& slice, const TakePlan&, std::size_t row, Batch& batch) {
    return add(batch, static_cast<double>(load<float>(slice.fixed(row, 4))));
}

bool take_uuid(const ColumnSlice& slice, const TakePlan&, std::size_t row, Batch& batch) {
    swap_uuid_halves(slice.fixed(row, 16), batch.grow(16));
    return true;
}

std::size_t canonical_decimal_size(const Type& type) { return type.precision <= 38 ? 16 : 32; }

template <std::size_t Width>
bool take_decimal(const ColumnSlice& slice, const TakePlan& plan, std::size_t row, Batch& batch) {
    const std::uint8_t* from = slice.fixed(row, Width);
    const std::size_t size = canonical_decimal_size(plan.wanted);
    std::uint8_t* to = batch.grow(size);
    std::memcpy(to, from, Width);
    if (Width < size) std::memset(to + Width, (from[Width - 1] & 0x80) != 0 ? 0xff : 0, size - Width);
    return true;
}

bool add_decimal(const std::optional<Int256>& value, const Type& wanted, Batch& batch) {
    if (!value || !fits_precision(*value, wanted.precision)) return false;
    const std::size_t size = canonical_decimal_size(wanted);
    std::memcpy(batch.grow(size), value->limbs.data(), size);
    return true;
}

bool take_other_decimal(const ColumnSlice& slice, const TakePlan& plan, std::size_t row, Batch& batch) {
    const std::uint8_t* from = slice.fixed(row, plan.wire.size);
    Int256 value;
    std::memset(value.limbs.data(), (from[plan.wire.size - 1] & 0x80) != 0 ? 0xff : 0, 32);
    std::memcpy(value.limbs.data(), from, plan.wire.size);
    return add_decimal(rescale(value, plan.wanted.scale - plan.wire.scale), plan.wanted, batch);
}

bool take_decimal_text(const ColumnSlice& slice, const TakePlan& plan, std::size_t row, Batch& batch) {
    const std::string_view text = slice.text(row);
    const char special = text == "NaN" ? 'N' : text == "Infinity" ? '+' : text == "-Infinity" ? '-' : '\0';
    if (special != '\0') return add(batch, special);
    return add_decimal(parse_decimal(text, plan.wanted.scale), plan.wanted, batch);
}

template <class Days>
bool take_date(const ColumnSlice& slice, const TakePlan&, std::size_t row, Batch& batch) {
    return add(batch, static_cast<std::int32_t>(load<Days>(slice.fixed(row, sizeof(Days)))));
}

bool take_coarse_time(const ColumnSlice& slice, const TakePlan& plan, std::size_t row, Batch& batch) {
    std::int64_t micros = 0;
    return !__builtin_mul_overflow(load<std::int64_t>(slice.fixed(row, 8)), plan.factor, &micros) && add(batch, micros);
}
bool take_fine_time(const ColumnSlice& slice, const TakePlan& plan, std::size_t row, Batch& batch) {
    const auto units = load<std::int64_t>(slice.fixed(row, 8));
    return units % plan.factor == 0 && add(batch, units / plan.factor);
}
bool take_seconds(const ColumnSlice& slice, const TakePlan&, std::size_t row, Batch& batch) {
    return add(batch, std::int64_t{load<std::uint32_t>(slice.fixed(row, 4))} * 1'000'000);
}

bool take_text(const ColumnSlice& slice, const TakePlan&, std::size_t row, Batch& batch) {
    const std::string_view text = slice.text(row);
    batch.add(text.data(), text.size());
    return true;
}
bool take_fixed_string(const ColumnSlice& slice, const TakePlan& plan, std::size_t row, Batch& batch) {
    batch.add(slice.fixed(row, plan.wire.size), plan.wire.size);
    return true;
}
template <class Number>
bool take_label(const ColumnSlice& slice, const TakePlan& plan, std::size_t row, Batch& batch) {
    const auto found = plan.labels.find(load<Number>(slice.fixed(row, sizeof(Number))));
    if (found == plan.labels.end()) return false;
    batch.add(found->second.data(), found->second.size());
    return true;
}

bool take_time(const ColumnSlice& slice, const TakePlan&, std::size_t row, Batch& batch) {
    const auto micros = parse_time(slice.text(row));
    return micros && add(batch, *micros);
}
bool take_interval(const ColumnSlice& slice, const TakePlan&, std::size_t row, Batch& batch) {
    const auto interval = parse_interval(slice.text(row));
    if (!interval) return false;
    std::uint8_t* to = batch.grow(16);
    std::memcpy(to, &interval->micros, 8);
    std::memcpy(to + 8, &interval->days, 4);
    std::memcpy(to + 12, &interval->months, 4);
    return true;
}

bool take_array(const ColumnSlice& slice, const TakePlan& plan, std::size_t row, Batch& batch) {
    static const TableInfo one_column = [] {
        TableInfo table;
        table.columns.resize(1);
        return table;
    }();
    static thread_local Batch elements(&one_column);
    elements.clear();
    const auto [first, last] = slice.elements(row);
    const TakePlan& element = plan.element[0];
    for (std::size_t i = first; i < last; ++i) {
        if (slice.element().null(i)) elements.add_null();
        else if (!element.take(slice.element(), element, i, elements)) return false;
    }
    batch.add_array(elements);
    return true;
}

template <class From>
TakeCell integer_taker(TypeKind wanted) {
    switch (wanted) {
        case TypeKind::int16: return take_narrow<From, std::int64_t, std::int16_t>;
        case TypeKind::int32: return take_narrow<From, std::int64_t, std::int32_t>;
        case TypeKind::int64: return take_integer<From, std::int64_t>;
        case TypeKind::uint8: return take_narrow<From, std::uint64_t, std::uint8_t>;
        case TypeKind::uint16: return take_narrow<From, std::uint64_t, std::uint16_t>;
        case TypeKind::uint32: return take_narrow<From, std::uint64_t, std::uint32_t>;
        case TypeKind::uint64: return take_integer<From, std::uint64_t>;
        default: return nullptr;
    }
}

bool is_text(TypeKind kind) {
    return kind == TypeKind::text || kind == TypeKind::enumeration || kind == TypeKind::json || kind == TypeKind::numeric || kind == TypeKind::other || kind == TypeKind::bytes;
}

TakeCell string_taker(TypeKind wanted) {
    if (wanted == TypeKind::decimal) return take_decimal_text;
    if (wanted == TypeKind::time) return take_time;
    if (wanted == TypeKind::interval) return take_interval;
    return is_text(wanted) ? take_text : nullptr;
}

TakeCell decimal_taker(const WireType& wire, const Type& wanted) {
    if (wanted.kind != TypeKind::decimal) return nullptr;
    if (wire.scale != wanted.scale || wire.precision > wanted.precision) return take_other_decimal;
    switch (wire.size) {
        case 4: return take_decimal<4>;
        case 8: return take_decimal<8>;
        case 16: return take_decimal<16>;
        default: return take_decimal<32>;
    }
}

TakeCell time_taker(TakePlan& plan) {
    if (plan.wanted.kind != TypeKind::timestamp && plan.wanted.kind != TypeKind::timestamptz) return nullptr;
    if (plan.wire.kind == WireKind::datetime) return take_seconds;
    const int scale = plan.wire.scale;
    plan.factor = power_of_ten(scale < 6 ? 6 - scale : scale - 6);
    return scale == 6 ? take_raw<8> : scale < 6 ? take_coarse_time : take_fine_time;
}

TakeCell label_taker(TakePlan& plan) {
    if (plan.wanted.kind != TypeKind::enumeration && plan.wanted.kind != TypeKind::text) return nullptr;
    for (const auto& [label, number] : plan.wire.labels) plan.labels.emplace(number, label);
    return plan.wire.size == 1 ? take_label<std::int8_t> : take_label<std::int16_t>;
}

TakeCell taker_for(TakePlan& plan) {
    const TypeKind wanted = plan.wanted.kind;
    switch (plan.wire.kind) {
        case WireKind::boolean: return wanted == TypeKind::boolean ? take_raw<1> : nullptr;
        case WireKind::int8: return integer_taker<std::int8_t>(wanted);
        case WireKind::int16: return integer_taker<std::int16_t>(wanted);
        case WireKind::int32: return integer_taker<std::int32_t>(wanted);
        case WireKind::int64: return integer_taker<std::int64_t>(wanted);
        case WireKind::uint8: return wanted == TypeKind::boolean ? take_raw<1> : integer_taker<std::uint8_t>(wanted);
        case WireKind::uint16: return integer_taker<std::uint16_t>(wanted);
        case WireKind::uint32: return integer_taker<std::uint32_t>(wanted);
        case WireKind::uint64: return integer_taker<std::uint64_t>(wanted);
        case WireKind::uint128: return wanted == TypeKind::uint128 ? take_raw<16> : nullptr;
        case WireKind::float32: return wanted == TypeKind::float32 ? take_raw<4> : wanted == TypeKind::float64 ? take_double_of_float : nullptr;
        case WireKind::float64: return wanted == TypeKind::float64 ? take_raw<8> : nullptr;
        case WireKind::string: return string_taker(wanted);
        case WireKind::fixed_string: return is_text(wanted) ? take_fixed_string : nullptr;
        case WireKind::uuid: return wanted == TypeKind::uuid ? take_uuid : nullptr;
        case WireKind::date: return wanted == TypeKind::date ? take_date<std::uint16_t> : nullptr;
        case WireKind::date32: return wanted == TypeKind::date ? take_date<std::int32_t> : nullptr;
        case WireKind::datetime:
        case WireKind::datetime64: return time_taker(plan);
        case WireKind::decimal: return decimal_taker(plan.wire, plan.wanted);
        case WireKind::enumeration: return label_taker(plan);
        case WireKind::array:
            if (wanted != TypeKind::array) return nullptr;
            plan.element.push_back(plan_take(*plan.wire.element, *plan.wanted.element));
            return take_array;
        case WireKind::other: return nullptr;
    }
    return nullptr;
}

}  // namespace

TakePlan plan_take(const WireType& wire, const Type& wanted) {
    TakePlan plan;
    plan.wire = wire;
    plan.wanted = wanted;
    plan.take = taker_for(plan);
    if (plan.take == nullptr) throw Error(Code::refused, "a column of type " + wire.name + " cannot be read as " + (wanted.native.empty() ? "the type wanted" : wanted.native));
    return plan;
}

bool ColumnSlice::skip(std::size_t bytes, std::string_view block, std::size_t& at, std::size_t& start) {
    if (block.size() - at < bytes) return false;
    start = at;
    at += bytes;
    return true;
}

bool ColumnSlice::scan_strings(std::size_t rows, std::string_view block, std::size_t& at) {
    if (strings_.capacity() < rows) strings_.reserve(rows);
    while (strings_.size() < rows) {
        std::size_t from = at;
        std::uint64_t size = 0;
        if (!read_size(block, from, size) || block.size() - from < size) return false;
        strings_.push_back({from, size});
        at = from + size;
    }
    return true;
}

bool ColumnSlice::scan(const WireType& type, std::size_t rows, std::string_view block, std::size_t& at) {
    if (stage_ == Stage::start) {
        if (type.nullable && !skip(rows, block, at, nulls_at_)) return false;
        stage_ = Stage::values;
    }
    if (stage_ == Stage::values) {
        if (type.kind == WireKind::string) {
            if (!scan_strings(rows, block, at)) return false;
        } else {
            const std::size_t width = type.kind == WireKind::array ? 8 : type.size;
            if (!skip(rows * width, block, at, values_at_)) return false;
        }
        stage_ = Stage::elements;
    }
    if (stage_ == Stage::elements) {
        if (type.kind == WireKind::array) {
            if (element_.empty()) element_.resize(1);
            element_count_ = rows == 0 ? 0 : load<std::uint64_t>(reinterpret_cast<const std::uint8_t*>(block.data()) + values_at_ + (rows - 1) * 8);
            if (!element_[0].scan(*type.element, element_count_, block, at)) return false;
        }
        stage_ = Stage::done;
    }
    return true;
}

void ColumnSlice::resolve(const WireType& type, const std::uint8_t* block) {
    block_ = block;
    nulls_ = type.nullable ? block + nulls_at_ : nullptr;
    values_ = block + values_at_;
    if (type.kind == WireKind::array) element_[0].resolve(*type.element, block);
}

void ColumnSlice::reset() {
    stage_ = Stage::start;
    strings_.clear();
    for (ColumnSlice& each : element_) each.reset();
}

std::pair<std::size_t, std::size_t> ColumnSlice::elements(std::size_t row) const {
    const std::size_t first = row == 0 ? 0 : load<std::uint64_t>(values_ + (row - 1) * 8);
    return {first, load<std::uint64_t>(values_ + row * 8)};
}

}  // namespace ysdb::clickhouse
