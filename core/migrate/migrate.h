// ysdb migrate: one ordered history of schema changes over all stores. Each function is a verb and returns what it found or did.
// Errors of a server's refusal are Error(rejected) with file:line:column and the line itself.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/migrate/planner.h"
#include "core/migrate/recipe.h"
#include "core/migrate/scratch.h"
#include "core/report/report.h"

namespace ysdb::migrate {

// Applies what is pending, under the runner lock. With context.dry_run: the plan, without lock or change.
Report up(Context& context, const UpOptions& options);
// Asks before something is destroyed; shows the preview. False: no.
using Confirm = std::function<bool(const Report& preview, const std::string& question)>;
// Takes back what was applied last, by its migrate:down, and its row of the history. With context.dry_run: the plan.
Report down(Context& context, const DownOptions& options, const Confirm& confirm);
// down, then up, of the same migrations; killed in between, the same command goes on where it was.
Report redo(Context& context, const DownOptions& options, const Confirm& confirm);
// What `up` would do: statements, stores, locks, sizes.
Report plan_report(Context& context, const UpOptions& options);
// {"applied":n,"pending":n,"migrations":[{version,name,store,state,checksum,applied_at}]}.
Report status(Context& context, const std::optional<std::string>& environment = {});
// Files against history, then the verify sections of what is applied, each in a transaction that is rolled back. Code::differences when a check fails.
Report verify(Context& context);
// Writes a migration file, empty or by a recipe, and says where. `store`: empty for the default one.
Report create(Context& context, const std::string& name, const std::string& store, const std::optional<Recipe>& recipe = {});

struct Repair {
    std::string version;
    std::int64_t step = 0;
    bool applied = false;          // it took effect; otherwise it did not, and `up` runs it again
    bool kill_mutation = false;    // ends the mutation that it left at work before (ClickHouse); what that has changed stays changed
};
// Says of a statement that nothing can tell about whether it took effect.
Report repair(Context& context, const Repair& repair, Millis lock_wait);
// Takes every pending migration up to this version for applied, running nothing: for a database that had the schema before.
Report baseline(Context& context, const std::string& version, Millis lock_wait);

struct DriftOptions {
    ScratchOptions scratch;
    std::optional<std::string> environment;  // instead of the configuration's
    Millis lock_wait{60'000};
};
// Applies the migrations that are recorded as applied to a scratch server, never the live one (law 19), and compares what came of it with the
// live schemas. Code::differences when they differ.
Report drift(Context& context, const DriftOptions& options);
struct RehearseOptions {
    ScratchOptions scratch;
    std::vector<std::string> copies;         // databases with the live one's history and rows, to run it on instead: names of stores, or URLs
    bool back = false;                       // then take it back, and compare the schema with what it was
};
// Runs what `up` would run, on a scratch server that has the schema of what is applied, or on a copy, and says what each statement did there: time, locks that were
// really taken and how long they were held, tables that were really rewritten or read, rows. Throws what `up` would throw for a statement that fails.
// Code::differences when the way back does not lead to where it began.
Report rehearse(Context& context, const UpOptions& options, const RehearseOptions& rehearsal);

struct AdoptOptions {
    bool convert = false;                    // also write the files in our layout; the originals are kept below adopted/
    std::string table;                       // where the other tool keeps its history, as SQL names it; empty: where it does by default
    Millis lock_wait{60'000};                // for a run of ours and for one of theirs
    std::function<bool(const Report& preview, const std::string& question)> confirm;
};
// Takes over the history of dbmate, goose, golang-migrate, Flyway or sqitch: what they applied counts as applied, and nothing is run.
Report adopt(Context& context, const AdoptOptions& options);

}  // namespace ysdb::migrate
