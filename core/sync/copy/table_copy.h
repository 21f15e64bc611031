// One table's rows from a snapshot of its source into a writer, by several workers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>

#include "core/context.h"

namespace ysdb::sync {

struct TableCopy {
    RowSource& rows;
    const TableInfo& table;
    std::span<const ReadRange> ranges;
    SourceSnapshot& snapshot;
    RowWriter& writer;
    std::string run;                   // begins each batch's token
    Version version;                   // of every row
    int workers = 3;
    std::size_t batch_bytes = 8u << 20;
    std::function<void(RejectedRow)> rejected;   // from any worker
    ProgressTask& progress;
    SteadyClock::time_point until = SteadyClock::time_point::max();   // no range is begun after this but a worker's first, nor once somebody waits for the view
    std::function<void(std::size_t range, std::uint64_t rows, std::uint64_t rejected)> range_done = {};   // its rows were applied; from any worker
};

struct CopyCount {
    std::atomic<std::uint64_t> rows{0}, bytes{0}, rejected{0};
};

// Workers take the next range until none is left, or it is late; a refused batch is sent again under its token while that can help. An error in one
// worker stops the others and is thrown; `count` says how far it came. Throws Error(interrupted) on `stop`.
void copy_rows(Context& context, const TableCopy& copy, CopyCount& count, std::stop_token stop);

}  // namespace ysdb::sync
