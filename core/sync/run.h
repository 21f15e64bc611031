// `sync run`: follows the source's changes into every sink of a set, first copying tables that are new.
//
// One thread reads the stream in segments; each sink takes them on a thread of its own; what is durable in all of them is written down in the
// source and then told to it, so that it may forget its log. After a kill everything above that is told again: versions keep it from
// doing harm. A table that is new is copied from a snapshot that fits a known position of the stream, while the stream goes on.
#pragma once

#include <cstdint>
#include <string>

#include "core/context.h"
#include "core/report/report.h"
#include "core/sync/copy/copies.h"
#include "core/sync/follow/follower.h"
#include "core/sync/follow/vitals.h"

namespace ysdb::sync {

struct RunOptions {
    std::string set;                           // empty: the only one
    std::string to;                            // only into the bus of this store, for members; empty: into every sink
    int partitions = 0;                        // of a bus's topic that is made; 0: its default
    bool until_caught_up = false;              // end when everything that was committed before is everywhere
    CopyOptions copy;                          // of tables that are new
    FollowPolicy policy;
    Millis lock_wait{0};
    std::string spool_directory = "/var/tmp";  // of large transactions, and of what waits for a sink
    VitalOptions vitals;
};

// What run would install and copy. Reads only.
Report plan_run(Context& context, const RunOptions& options);
// Runs until `context.stop`, then drains. Whoever cannot be reached is tried again until it can; when the source is promoted elsewhere, or restored,
// a new epoch begins there with new copies. The report's code is partial when a table is halted, rows were left out, or not all was
// written when it ended.
Report run(Context& context, const RunOptions& options);

}  // namespace ysdb::sync
