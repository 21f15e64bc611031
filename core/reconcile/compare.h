// Compares one table of two stores, every row of both.
#pragma once

#include <functional>
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

struct CompareOptions {
    std::uint64_t limit = 100;            // differences listed
    // Rows of the sink beyond this version are unsettled, not different.
    UInt128 beyond = 0;
    // Opens both sides anew, the sink with everything that the source's view has. With it no row is judged at once: it differs when it differs in
    // the same way after that, neither side having touched it; what never stands still through a few looks is unsettled (law 13). Without it,
    // `beyond` decides.
    std::function<void(Side& source, Side& sink)> look_again = {};
};

// One pass over both sides when they are equal; further ones over the rows of unequal buckets when they are not.
Comparison compare(Context& context, Side& source, Side& sink, const CompareOptions& options);

}  // namespace ysdb::reconcile
