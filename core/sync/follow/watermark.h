// How far a set is: up to where changes were told to its sinks, and up to where that is written down as durable in all of them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/context.h"
#include "core/store/changes.h"
#include "core/sync/state.h"

namespace ysdb::sync {

// Thread-safe: one thread tells, another writes down.
class Watermark {
public:
    Watermark(Context& context, SyncState& state) : context_(context), state_(state) {}

    // `known`: the columns that tables have up to there.
    void begin(std::uint64_t confirmed, std::map<TableRef, std::vector<ColumnInfo>> known);
    // A segment that is about to be handed to the sinks.
    void tell(const Segment& segment);
    // Everything below `durable` is in every sink: written down in the source, with the columns that tables were told with up to there, so
    // that the source may be told to forget it. Throws what the source's store throws.
    void confirm(std::uint64_t durable);

    std::uint64_t told() const { return told_; }             // whole transactions up to here were handed out
    std::uint64_t confirmed() const { return confirmed_; }   // and up to here they are durable, and that is written down
    std::uint64_t highest() const { return highest_; }       // position of the last change that was handed out, also of a transaction that is not whole
    // The columns that tables have at start(), as told: what of a transaction that is not whole would be told again.
    std::map<TableRef, std::vector<ColumnInfo>> known() const;
    // Another shape holds from start() on, which is written down: the table is copied anew, and what was told of it is forgotten. By the thread that tells,
    // between two transactions. Throws what the source's store throws, having done nothing.
    void know(const TableInfo& table);
    std::uint64_t start() const { return std::max(confirmed_.load(), told_.load()); }  // where reading goes on

private:
    // What was told in what shape, until it is durable everywhere.
    struct ToldShape {
        std::uint64_t complete = 0;        // 0: its transaction is still open
        std::shared_ptr<const TableInfo> table;
    };

    Context& context_;
    SyncState& state_;
    std::mutex writing_;               // held while shapes are written down; comes before mutex_
    mutable std::mutex mutex_;
    std::deque<ToldShape> shapes_;
    std::map<TableRef, std::vector<ColumnInfo>> known_;
    std::atomic<std::uint64_t> told_{0}, confirmed_{0}, highest_{0};
};

}  // namespace ysdb::sync
