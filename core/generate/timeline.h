// When generated rows happen. All times are microseconds since 1970-01-01 UTC.
#pragma once

#include <cstdint>
#include <vector>

namespace ysdb::generate {

struct CivilDate {
    int year = 1970;
    int month = 1;  // 1 .. 12
    int day = 1;
};
std::int32_t days_from_civil(CivilDate date);
CivilDate civil_from_days(std::int32_t days);

inline constexpr std::int64_t second = 1'000'000;
inline constexpr std::int64_t minute = 60 * second;
inline constexpr std::int64_t hour = 60 * minute;
inline constexpr std::int64_t day = 24 * hour;

// The first instants of the calendar months in (from, until].
std::vector<std::int64_t> month_starts(std::int64_t from, std::int64_t until);

// Rows spread evenly and in order over [from, until), each moved at random within its own slot. Where a month begins in a slot the row
// falls exactly there, and the row before it on the last microsecond of the month that ends.
class Spread {
public:
    Spread(std::int64_t from, std::int64_t until, std::uint64_t rows);
    std::int64_t at(std::uint64_t row, std::uint64_t random) const;
    std::uint64_t rows() const { return rows_; }

private:
    std::int64_t slot(std::uint64_t row) const;
    std::int64_t border_in(std::int64_t begin, std::int64_t end) const;  // 0: none

    std::int64_t from_;
    std::int64_t span_;
    std::uint64_t rows_;
    std::vector<std::int64_t> borders_;
};

// Many series read at the same moments: a thin history over the 90 days before (a quarter of the rows, at most one an hour) and a dense
// recent part (every 15 s, or wider when few rows have to cover the last 30 hours), the last of it at `until`.
class Grid {
public:
    Grid(std::int64_t until, std::uint64_t rows, std::uint64_t series);
    std::uint64_t series_of(std::uint64_t row) const { return row % series_; }
    std::int64_t at(std::uint64_t row) const;

private:
    std::int64_t until_;
    std::uint64_t series_;
    std::uint64_t history_steps_;
    std::uint64_t dense_steps_;
    std::int64_t history_width_;
    std::int64_t dense_width_;
};

}  // namespace ysdb::generate
