// One column of a Native block: finding where its values lie, and taking them one by one. The inner loops of decode.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/store/clickhouse/native.h"
#include "core/store/clickhouse/type.h"
#include "core/value/batch.h"

namespace ysdb::clickhouse {

// Where a column's values lie in its block. Offsets from the block's first byte until the block is whole, then pointers.
class ColumnSlice {
public:
    // Looks through as much as has come; false when more is needed. Called again it goes on where it stopped.
    bool scan(const WireType& type, std::size_t rows, std::string_view block, std::size_t& at);
    void resolve(const WireType& type, const std::uint8_t* block);
    void reset();

    bool null(std::size_t row) const { return nulls_ != nullptr && nulls_[row] != 0; }
    const std::uint8_t* fixed(std::size_t row, std::size_t width) const { return values_ + row * width; }
    std::string_view text(std::size_t row) const { return {reinterpret_cast<const char*>(block_) + strings_[row].offset, strings_[row].size}; }
    // Elements of the array in `row`: [first, last) of element().
    std::pair<std::size_t, std::size_t> elements(std::size_t row) const;
    const ColumnSlice& element() const { return element_[0]; }

private:
    enum class Stage { start, values, elements, done };
    struct Text {
        std::size_t offset;
        std::size_t size;
    };
    bool scan_strings(std::size_t rows, std::string_view block, std::size_t& at);
    bool skip(std::size_t bytes, std::string_view block, std::size_t& at, std::size_t& start);

    Stage stage_ = Stage::start;
    std::size_t nulls_at_ = 0, values_at_ = 0, element_count_ = 0;
    const std::uint8_t* block_ = nullptr;
    const std::uint8_t* nulls_ = nullptr;
    const std::uint8_t* values_ = nullptr;
    std::vector<Text> strings_;
    std::vector<ColumnSlice> element_;
};

struct TakePlan;
// Adds the cell of one row, not NULL, to the batch; false (with nothing added) when it has no canonical form.
using TakeCell = bool (*)(const ColumnSlice& slice, const TakePlan& plan, std::size_t row, Batch& batch);

struct TakePlan {
    TakeCell take = nullptr;
    WireType wire;
    Type wanted;
    std::int64_t factor = 1;                                        // timestamps: units a microsecond, or microseconds a unit
    std::unordered_map<std::int16_t, std::string> labels;           // enumerations
    std::vector<TakePlan> element;                                  // one for arrays
};

// Throws Error(refused) with the reason alone when values of `wire` cannot be read as `wanted`.
TakePlan plan_take(const WireType& wire, const Type& wanted);

}  // namespace ysdb::clickhouse
