// What surrounds a running sync: install it, look at it, begin it anew, take it away.
#pragma once

#include <optional>
#include <string>

#include "core/context.h"
#include "core/report/report.h"

namespace ysdb::sync {

// The publication and the slot, and the tables that remember. With context.dry_run only says what would be made.
Report install(Context& context, const std::string& set);

struct StatusOptions {
    std::string set;                 // empty: all
    bool dead_letters = false;       // list them
};
Report status(Context& context, const StatusOptions& options);

// The set's tables are copied anew by the next run; without `table`, all of them, and a slot that is lost is made again. Throws
// Error(locked) while the set runs.
Report reset(Context& context, const std::string& set, const std::optional<std::string>& table);

// Tells each row that has a dead letter to its sink again, as the source has it now; letters of rows that arrive, or are gone, are dropped.
// The report's code is partial when some are left. Throws Error(locked) while the set runs.
Report retry_dead_letters(Context& context, const std::string& set);

// Drops the publication, the slot and what is remembered; the sinks' tables stay. Throws Error(locked) while the set runs.
Report remove(Context& context, const std::string& set);

}  // namespace ysdb::sync
