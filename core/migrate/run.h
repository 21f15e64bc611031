// Carries plans of migrations out, for the verbs that do.
#pragma once

#include <string>
#include <vector>

#include "core/migrate/planner.h"
#include "core/migrate/workspace.h"
#include "core/plan/executor.h"
#include "core/plan/runner_lock.h"

namespace ysdb::migrate {

struct RunOptions {
    Millis lock_timeout{5'000};
    Millis lock_wait{60'000};
    plan::Observer* observer = nullptr;
    std::string command;                 // that goes on after a failure: "ysdb migrate up"
};

// What each verb's table of migrations has.
Table& add_migration_table(Report& report);

// The whole plan of these migrations, made a few of them at a time and not kept: for what make_plan() refuses, before anything is run.
struct Survey {
    std::size_t units = 0;
    // Of the steps those that work on tables which are there now, without their texts: what measure() and the guard look at.
    plan::Plan plan;
};
Survey survey(Workspace& work, const std::vector<const Standing*>& selected, Direction direction);

// One for all plans of a run: statements are named by its executor. Not thread-safe.
class Runner {
public:
    Runner(Workspace& work, const plan::RunnerLock& lock, RunOptions options);
    // Plans and runs these migrations in this order, a few of them at a time. `units`: as the survey counted them. One row of `table` for each migration that
    // was done. Throws the failure of a statement as an Error at its place in the file.
    void apply(const std::vector<const Standing*>& selected, Direction direction, const RecordOf& record_of, std::size_t units, Table& table);

private:
    Workspace& work_;
    RunOptions options_;
    plan::Executor executor_;
};

// What is recorded with the last unit of a migration.
RecordOf record_of_up(Workspace& work);
RecordOf record_of_down(Workspace& work, bool redo);
// Lines of the journal that a run left open although their migration was recorded (killed between the two, only where they are no transaction).
void close_recorded(Workspace& work);
void warn_of_missing(const Workspace& work, Report& report);

}  // namespace ysdb::migrate
