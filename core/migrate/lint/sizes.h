// What the stores say of the tables that findings are about.
#pragma once

#include <vector>

#include "core/context.h"
#include "core/migrate/lint/judge.h"

namespace ysdb::migrate::lint {

// Below either of the first two a table is small: its sized findings count one step less. Above the third it is large: one step more.
constexpr std::uint64_t small_bytes = 10'000'000;
constexpr std::int64_t small_rows = 10'000;
constexpr std::uint64_t large_bytes = 1'000'000'000;
Severity severity_at(Severity severity, std::uint64_t bytes, std::int64_t rows);

// Fills in sizes and what follows from them, and settles changes of types that only the catalog can tell about. One read a store, and one for each
// such change. Throws Error(connect).
void weigh(std::vector<Finding>& findings, Context& context);

}  // namespace ysdb::migrate::lint
