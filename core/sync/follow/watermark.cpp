#include "core/sync/follow/watermark.h"

#include <map>
#include <vector>

#include "core/base/fault.h"

namespace ysdb::sync {

void Watermark::tell(const Segment& segment) {
    const std::lock_guard lock(mutex_);
    for (const SegmentPart& part : segment.parts) {
        if (part.kind == SegmentPart::Kind::shape) shapes_.push_back({0, part.table});
        const bool rows = part.kind == SegmentPart::Kind::rows && !part.changes.versions.empty();
        highest_ = std::max(highest_.load(), rows ? part.changes.versions.back().position : part.version.position);
    }
    if (segment.complete == 0) return;
    told_ = segment.complete;
    for (auto shape = shapes_.rbegin(); shape != shapes_.rend() && shape->complete == 0; ++shape) shape->complete = segment.complete;
}

void Watermark::confirm(std::uint64_t durable) {
    if (durable <= confirmed_) return;
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
