// Reads a whole table through a RowSource with several workers, each with a visitor of its own.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/context.h"

namespace ysdb::reconcile {

// One side of a comparison: a table as a store shows it, through one snapshot.
struct Side {
    Store* store = nullptr;
    TableInfo table;                            // the columns to read, with the types to read them as
    std::unique_ptr<SourceSnapshot> snapshot;
    std::vector<ReadRange> ranges;
    int workers = 1;
};

using Visitor = std::function<void(const Batch&)>;

// Calls `make` once a worker, then the visitors it made for every batch. Rows that no batch can hold go to `rejected` (from any thread).
// Throws the first worker's error; Error(interrupted) on a stop request.
void scan(Context& context, Side& side, const std::function<Visitor()>& make, const std::function<void(RejectedRow)>& rejected, ProgressTask& progress);

}  // namespace ysdb::reconcile
