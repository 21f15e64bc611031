// `sync snapshot`: a whole copy of the configured tables into the stores that take copies.
//
// Each table is read in ranges, by several workers, through one exported snapshot, into a staging table beside the live one; when all
// of it is there the two are swapped in one step. A run that died is taken up again: tables that were swapped stay, the one in the
// middle starts over from a new snapshot (law 3: the old one died with its session).
#pragma once

#include <cstdint>
#include <vector>

#include "core/context.h"
#include "core/report/report.h"
#include "core/sync/routes.h"

namespace ysdb::sync {

struct SnapshotOptions {
    RouteFilter filter;
    int workers = 3;                                  // readers, and writers: each takes turns
    std::size_t batch_bytes = 8u << 20;               // canonical bytes of one insert
    std::uint64_t rows_per_range = 200'000;
    Millis lock_wait{0};                              // how long to wait for another run of the same set
    bool restart = false;                             // forget an unfinished run: copy every table again
};

// What would be copied, from where to where, how big. Reads only.
Report plan_snapshot(Context& context, const SnapshotOptions& options);
// Copies. The report's code is partial when a table could not be finished or rows were left out.
Report run_snapshot(Context& context, const SnapshotOptions& options);

}  // namespace ysdb::sync
