// The tables of one sink as its follower writes them: which are followed, in what shape, what of them is not durable yet.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/store/changes.h"
#include "core/sync/routes.h"
#include "core/sync/state.h"

namespace ysdb::sync {

using Segments = std::span<const std::shared_ptr<const Segment>>;

// Used by the sink's thread alone, but for reject_copied(). Errors are the sink's, or those of the store that keeps the state; after one discard(),
// and tell everything again since the last flush() that returned.
class SinkTables {
public:
    // `ours`: FollowPolicy::ours.
    SinkTables(Context& context, SyncState& state, Store& sink, const std::vector<Route>& routes, std::function<bool()> ours);

    // --- Changes ---
    void apply(const SegmentPart& part);
    void flush();
    void discard();
    // Whether anything was applied that is not flushed.
    bool touched() const;
    // Whose writer threw last, once; a store that cannot be reached has none to blame.
    std::optional<TableRef> blamed();
    // The table's changes in ever smaller parts: what the sink refuses alone becomes a dead letter, and a table that it refuses altogether is halted.
    // Until settled() apply() leaves the table out: all of it has been told.
    void isolate(const TableRef& table, Segments segments);
    void settled();
    bool has(const TableRef& table) const { return tables_.contains(table); }

    // --- What is followed ---
    // Rows up to `reshaped` are in the sink, in older columns.
    void activate(const TableRef& table, const Version& reshaped);
    void halt(const TableRef& table, const std::string& reason);
    // As its source did at this position, where the table was not followed then.
    void halt_by_source(const TableRef& table, const std::string& reason, std::uint64_t position);

    // --- New copies (ChangeWriter) ---
    bool takes_copies(const TableRef& table);
    std::unique_ptr<RowWriter> begin_copy(const TableInfo& table, const std::string& run);
    // `fed`: changes were told to it all the time. Null where the sink has none, or they were not.
    std::unique_ptr<RowWriter> resume_copy(const TableInfo& table, const std::string& run, bool fed);
    // The copy is in its place, and `followed` is written down: between two changes, so that no halt is overwritten. Throws Error(refused, retryable)
    // when the table was halted since the copy was begun.
    void finish_copy(const TableRef& table, const std::string& run, const TableState& followed);
    // Thread-safe.
    void reject_copied(const TableRef& table, const RejectedRow& row, const Version& version) const;

private:
    struct Table {
        Route route;
        std::unique_ptr<ChangeWriter> writer;
        bool active = false;
        bool anew = false;                           // its source halted it: what its writer knows holds no more
        bool touched = false;                        // has changes that are not flushed
        std::shared_ptr<const TableInfo> shape;      // as told last
        Version reshaped;                            // rows up to here are in the sink, in older columns
        bool isolated = false;                       // what is not flushed was told row by row
    };

    void apply_rows(Table& table, const ChangeBatch& changes);
    void reshape(Table& table, const SegmentPart& part);
    void truncate(Table& table, const SegmentPart& part);
    void halt_by_source(Table& table, const SegmentPart& part);
    void follow_again(Table& table, const SegmentPart& part);
    std::uint64_t isolate_rows(Table& table, const ChangeBatch& changes, std::size_t from, std::size_t to);
    void halt(Table& table, const std::string& reason, std::optional<std::uint64_t> by_source = {});
    void dead_letter(const TableRef& table, const RejectedRow& rejected, const Version& version) const;
    void check_ours() const;
    ChangeWriter& writer_of(Table& table);

    Context& context_;
    SyncState& state_;
    Store& sink_;
    std::function<bool()> ours_;
    std::map<TableRef, Table> tables_;
    Table* current_ = nullptr;                       // whose writer is at work
    std::string refused_;                            // the last reason a row was refused for
};

}  // namespace ysdb::sync
