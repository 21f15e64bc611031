// From standings to a Plan, by reading only.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/migrate/standing.h"
#include "core/migrate/variables.h"
#include "core/plan/plan.h"

namespace ysdb::plan {
class Observer;
}

namespace ysdb::migrate {

struct UpOptions {
    plan::Observer* observer = nullptr;  // sees each step
    std::optional<std::string> to;       // the last version to apply
    std::optional<std::int64_t> steps;   // at most so many migrations
    bool out_of_order = false;           // also apply versions below one that is applied
    std::optional<std::string> environment;  // instead of the configuration's
    std::optional<std::string> guard;    // off, warn, refuse; instead of the configuration's
    std::uint64_t guard_above = std::uint64_t{1} << 30;  // bytes of a table from which on its statements are heavy
    std::optional<std::set<std::string>> only;   // of these versions
    Millis lock_wait{60'000};            // for another run
    Millis lock_timeout{5'000};          // PostgreSQL's, for a statement; a file may say its own
};

// The migrations to apply, in order; repeatable ones last, unless versions are held back. Throws Error(refused) when an applied file was edited, a version comes late without out_of_order,
// or `to` names no version.
std::vector<const Standing*> select_pending(const std::vector<Standing>& standings, const UpOptions& options);

struct DownOptions {
    plan::Observer* observer = nullptr;
    std::int64_t count = 1;              // at most so many migrations
    std::optional<std::string> to;       // every version above this one; "0": all
    Millis lock_wait{60'000};
    Millis lock_timeout{5'000};
};

// The migrations to take back: last applied, first. What an unfinished `down` began comes before all. Throws Error(refused) for one whose file
// is gone, was edited, or knows no way back, and while an unfinished `up` is open.
std::vector<const Standing*> select_applied(const std::vector<Standing>& standings, const DownOptions& options);

// What a job records of a migration, with its last unit. `whole`: in the one transaction that applied it.
using RecordOf = std::function<std::vector<plan::SqlText>(const Standing&, bool whole)>;

// The units of these migrations' sections, in this order. Throws Error(refused) with the place for a file that cannot be applied as it says (a
// statement that no transaction can hold, BEGIN in a file, a statement that was applied by an unfinished run and edited since, a variable without a value).
// `created`: the tables that plans before this one make, to which it adds its own, so that no locks are told of a table that nobody sees yet.
plan::Plan make_plan(const std::vector<const Standing*>& selected, Direction direction, const std::string& home, const Variables& variables, const RecordOf& record_of, std::set<std::string>* created = nullptr);

// One statement as a plan has it. `index` from 0.
plan::Step step_of(const Migration& file, Direction direction, std::size_t index, const Variables& variables);

// Fills in how large the tables are that the steps work on. One read a store.
void measure(plan::Plan& plan, Context& context);

}  // namespace ysdb::migrate
