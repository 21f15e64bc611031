#include "core/generate/timeline.h"

#include <algorithm>
#include <chrono>

#include "core/value/int128.h"

namespace ysdb::generate {

std::int32_t days_from_civil(CivilDate date) {
    const std::chrono::year_month_day ymd{std::chrono::year(date.year), std::chrono::month(static_cast<unsigned>(date.month)),
                                          std::chrono::day(static_cast<unsigned>(date.day))};
    return static_cast<std::int32_t>(std::chrono::sys_days(ymd).time_since_epoch().count());
}

CivilDate civil_from_days(std::int32_t days) {
    const std::chrono::year_month_day ymd{std::chrono::sys_days(std::chrono::days(days))};
    return {static_cast<int>(ymd.year()), static_cast<int>(static_cast<unsigned>(ymd.month())), static_cast<int>(static_cast<unsigned>(ymd.day()))};
}

std::vector<std::int64_t> month_starts(std::int64_t from, std::int64_t until) {
    std::vector<std::int64_t> starts;
    CivilDate date = civil_from_days(static_cast<std::int32_t>(from / day));
    date.day = 1;
    for (;;) {
        if (++date.month > 12) {
            date.month = 1;
            ++date.year;
        }
        const std::int64_t start = days_from_civil(date) * day;
        if (start > until) return starts;
        starts.push_back(start);
    }
}

Spread::Spread(std::int64_t from, std::int64_t until, std::uint64_t rows)
    : from_(from), span_(until - from), rows_(std::max<std::uint64_t>(rows, 1)), borders_(month_starts(from, until - 1)) {}

std::int64_t Spread::slot(std::uint64_t row) const {
    return from_ + static_cast<std::int64_t>(static_cast<UInt128>(span_) * row / rows_);
}

std::int64_t Spread::border_in(std::int64_t begin, std::int64_t end) const {
    for (const std::int64_t border : borders_) {
        if (border >= begin && border < end) return border;
    }
    return 0;
}

std::int64_t Spread::at(std::uint64_t row, std::uint64_t random) const {
    const std::int64_t begin = slot(row);
    const std::int64_t end = slot(row + 1);
    const std::int64_t next_end = slot(row + 2);
    if (const auto border = border_in(begin, end)) return border;
    if (const auto border = border_in(end, next_end)) return border - 1;
    return begin + static_cast<std::int64_t>((static_cast<UInt128>(random) * static_cast<std::uint64_t>(std::max<std::int64_t>(end - begin, 1))) >> 64);
}

Grid::Grid(std::int64_t until, std::uint64_t rows, std::uint64_t series) : until_(until / second * second), series_(series) {
    const std::uint64_t steps = (rows + series - 1) / series;
    history_steps_ = std::min<std::uint64_t>(steps / 4, 90 * 24);
    dense_steps_ = std::max<std::uint64_t>(steps - history_steps_, 1);
    dense_width_ = std::max(15 * second, 30 * hour / static_cast<std::int64_t>(dense_steps_) / second * second);
    const std::int64_t dense_span = dense_width_ * static_cast<std::int64_t>(dense_steps_);
    history_width_ = history_steps_ == 0 ? 0 : std::max<std::int64_t>(90 * day - dense_span, day) / static_cast<std::int64_t>(history_steps_) / second * second;
}

std::int64_t Grid::at(std::uint64_t row) const {
    const std::uint64_t step = row / series_;
    const std::int64_t dense_begin = until_ - dense_width_ * static_cast<std::int64_t>(dense_steps_ - 1);
    if (step >= history_steps_) return dense_begin + dense_width_ * static_cast<std::int64_t>(step - history_steps_);
    return dense_begin - history_width_ * static_cast<std::int64_t>(history_steps_ - step);
}

}  // namespace ysdb::generate
