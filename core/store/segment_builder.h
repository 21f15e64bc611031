// A segment in the making: what a source has read is laid into it in order, a table's rows together as long as nothing else happens to the
// table in between. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/store/changes.h"

namespace ysdb {

class SegmentBuilder {
public:
    // Where a table's rows go on. The source keeps one a table; it is of one segment, and stale in the next.
    struct Open {
        std::size_t part = 0;
        std::uint64_t of = 0;
    };

    // What comes from here on goes into this one, which must live until end().
    void begin(Segment& segment) {
        segment_ = &segment;
        ++number_;
    }
    void end() { segment_ = nullptr; }
    // When what comes from here on was committed: microseconds since 1970.
    void committed(std::int64_t micros) { committed_ = micros; }
    Segment& segment() { return *segment_; }

    // Rows of the table, to add to: then say so with added().
    ChangeBatch& rows(Open& open, const std::shared_ptr<const TableInfo>& table);
    // One row was added to `changes`, which held `bytes` before.
    void added(ChangeBatch& changes, std::size_t bytes, Op op, const Version& version);
    // The first row of `old` went: its key is told.
    void remove(Open& open, const std::shared_ptr<const TableInfo>& table, const Batch& old, const Version& version);
    void reject(RejectedChange row);
    // A part that is no rows: rows behind it go into another.
    void add(Open& open, SegmentPart part);
    void truncate(Open& open, const std::shared_ptr<const TableInfo>& table, const Version& version);
    void halt(Open& open, const std::shared_ptr<const TableInfo>& table, const Version& version, std::string reason);

private:
    Segment* segment_ = nullptr;
    std::uint64_t number_ = 0;
    std::int64_t committed_ = 0;
};

}  // namespace ysdb
