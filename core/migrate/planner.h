// From standings to a Plan, by reading only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/migrate/standing.h"
#include "core/plan/plan.h"

namespace ysdb::migrate {

struct UpOptions {
    std::optional<std::string> to;       // the last version to apply
    std::optional<std::int64_t> steps;   // at most so many migrations
    bool out_of_order = false;           // also apply versions below one that is applied
    Millis lock_wait{60'000};            // for another run
    Millis lock_timeout{5'000};          // PostgreSQL's, for a statement; a file may say its own
};

// The migrations to apply, in order. Throws Error(refused) when an applied file was edited, a version comes late without out_of_order,
// or `to` names no version.
std::vector<const Standing*> select_pending(const std::vector<Standing>& standings, const UpOptions& options);

// Throws Error(refused) with the place for a file that cannot be applied as it says (a statement that no transaction can hold, BEGIN in a file,
// a statement that was applied by an unfinished run and edited since).
plan::Plan make_plan(const std::vector<const Standing*>& pending, const std::string& home, Dialect home_dialect, const std::string& run);

// Fills in how large the tables are that the steps work on. One read a store.
void measure(plan::Plan& plan, Context& context);

}  // namespace ysdb::migrate
