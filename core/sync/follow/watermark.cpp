#include "core/sync/follow/watermark.h"

#include <utility>

#include "core/base/fault.h"

namespace ysdb::sync {

void Watermark::begin(std::uint64_t confirmed, std::map<TableRef, std::vector<ColumnInfo>> known) {
    confirmed_ = confirmed;
    const std::lock_guard lock(mutex_);
    known_ = std::move(known);
}

std::map<TableRef, std::vector<ColumnInfo>> Watermark::known() const {
    const std::lock_guard lock(mutex_);
    return known_;
}

void Watermark::know(const TableInfo& table) {
    const std::lock_guard writing(writing_);
    state_.set_shape(table, context_.deadline());
    const std::lock_guard lock(mutex_);
    std::erase_if(shapes_, [&](const ToldShape& shape) { return shape.table->ref == table.ref; });
    known_[table.ref] = table.columns;
}

void Watermark::tell(const Segment& segment) {
    const std::lock_guard lock(mutex_);
    std::size_t open = 0;   // shapes of a transaction that is not whole with this segment
    for (std::size_t i = 0; i < segment.parts.size(); ++i) {
        const SegmentPart& part = segment.parts[i];
        if (part.kind == SegmentPart::Kind::shape) {
            shapes_.push_back({0, part.table});
            open += i >= segment.whole ? 1 : 0;
        }
        const bool rows = part.kind == SegmentPart::Kind::rows && !part.changes.versions.empty();
        highest_ = std::max(highest_.load(), rows ? part.changes.versions.back().position : part.version.position);
    }
    if (segment.complete == 0) return;
    told_ = segment.complete;
    for (std::size_t i = 0; i + open < shapes_.size(); ++i) {
        ToldShape& shape = shapes_[i];
        if (shape.complete != 0) continue;
        shape.complete = segment.complete;
        known_[shape.table->ref] = shape.table->columns;
    }
}

void Watermark::confirm(std::uint64_t durable) {
    if (durable <= confirmed_) return;
    const std::lock_guard writing(writing_);
    const auto covered = [&](const ToldShape& shape) { return shape.complete != 0 && shape.complete <= durable; };
    std::map<TableRef, std::vector<ColumnInfo>> columns;
    std::unique_lock lock(mutex_);
    for (auto shape = shapes_.begin(); shape != shapes_.end() && covered(*shape); ++shape) columns[shape->table->ref] = shape->table->columns;
    lock.unlock();
    fault::point("sync.confirm.before");
    state_.confirm(durable, columns, context_.deadline());
    fault::point("sync.confirm.after");
    lock.lock();
    while (!shapes_.empty() && covered(shapes_.front())) shapes_.pop_front();
    confirmed_ = durable;
}

}  // namespace ysdb::sync
