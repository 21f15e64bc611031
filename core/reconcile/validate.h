// `validate`: does the sink hold what the source holds? Every row of both sides, or counts only.
#pragma once

#include "core/context.h"
#include "core/report/report.h"
#include "core/sync/routes.h"

namespace ysdb::reconcile {

enum class ValidateMode {
    exact,       // every column of every row
    count,       // row counts are the same
    tolerance,   // row counts differ by no more than the tolerance
};

struct ValidateOptions {
    RouteFilter filter;
    ValidateMode mode = ValidateMode::exact;
    double tolerance = 0.01;        // a share: 0.01 = 1 %
    int source_workers = 1;
    int sink_workers = 1;
    std::uint64_t limit = 100;      // differences listed a table
    // Beside the stream: the source as it is, the sink once it has all of that. Exact only; each set must be followed by a `sync run` meanwhile.
    bool at_watermark = false;
    Millis wait{60'000};            // for a sink to get there
};

// The report's code is `differences` when a table is not equal.
Report validate(Context& context, const ValidateOptions& options);

}  // namespace ysdb::reconcile
