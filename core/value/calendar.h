// Days since 1970-01-01 as year, month and day.
#pragma once

#include <cstdint>

namespace ysdb {

struct CivilDate {
    std::int64_t year = 1970;   // 0 is 1 BC, -1 is 2 BC
    std::int64_t month = 1;
    std::int64_t day = 1;
};

// By Howard Hinnant's algorithm: std::chrono's year stops at 32767, PostgreSQL's at 5874897.
constexpr CivilDate civil_date(std::int64_t days) {
    const std::int64_t z = days + 719468;
    const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    const std::int64_t of_era = z - era * 146097;
    const std::int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const std::int64_t day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t month_index = (5 * day_of_year + 2) / 153;
    CivilDate date;
    date.day = day_of_year - (153 * month_index + 2) / 5 + 1;
    date.month = month_index < 10 ? month_index + 3 : month_index - 9;
    date.year = year_of_era + era * 400 + (date.month <= 2 ? 1 : 0);
    return date;
}

}  // namespace ysdb
