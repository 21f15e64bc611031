// Compares one table of two stores, every row of both.
#pragma once

#include <string>
#include <vector>

#include "core/reconcile/scan.h"

namespace ysdb::reconcile {

enum class Verdict { missing, extra, different, unsettled };
std::string verdict_text(Verdict verdict);   // "missing in the sink", ...

struct Difference {
    std::string key;
    Verdict verdict = Verdict::different;
    std::string columns;     // names of the columns that differ
};

struct Comparison {
    std::uint64_t source_rows = 0;
    std::uint64_t sink_rows = 0;
    // Exact, unless `at_least`: then the search ended when `limit` differences were found.
    std::uint64_t missing = 0, extra = 0, different = 0, unsettled = 0;
    bool at_least = false;
    std::vector<Difference> differences;     // at most `limit`
    std::vector<RejectedRow> unreadable;     // rows that could not be compared, from either side (at most `limit`)
    bool equal() const { return missing + extra + different + unsettled == 0 && unreadable.empty(); }
};

// One pass over both sides when they are equal; a second one over the rows of unequal buckets when they are not.
// Rows of the sink whose version lies beyond the source's snapshot are unsettled, not different (law 13).
Comparison compare(Context& context, Side& source, Side& sink, std::uint64_t limit);

}  // namespace ysdb::reconcile
