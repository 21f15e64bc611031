#include "core/store/segment_builder.h"

#include <algorithm>
#include <utility>

namespace ysdb {

ChangeBatch& SegmentBuilder::rows(Open& open, const std::shared_ptr<const TableInfo>& table) {
    if (open.of != number_) {
        open = {segment_->parts.size(), number_};
        SegmentPart part;
        part.table = table;
        part.changes.rows = Batch(table.get());
        part.changes.ops.clear();
        part.changes.versions.clear();
        part.changes.committed.clear();
        segment_->parts.push_back(std::move(part));
    }
    return segment_->parts[open.part].changes;
}

void SegmentBuilder::added(ChangeBatch& changes, std::size_t bytes, Op op, const Version& version) {
    changes.ops.push_back(op);
    changes.versions.push_back(version);
    changes.committed.push_back(committed_);
    ++segment_->rows;
    segment_->bytes += changes.rows.byte_size() - bytes + sizeof(Cell) * changes.rows.columns() + sizeof(Version);
}

void SegmentBuilder::remove(Open& open, const std::shared_ptr<const TableInfo>& table, const Batch& old, const Version& version) {
    ChangeBatch& changes = rows(open, table);
    const std::size_t before = changes.rows.byte_size();
    for (std::uint32_t c = 0; c < table->columns.size(); ++c) {
        const bool in_key = std::find(table->key.begin(), table->key.end(), c) != table->key.end();
        if (in_key) changes.rows.append_cell(old, old.cell(0, c));
        else changes.rows.add_null();
    }
    added(changes, before, Op::remove, version);
}

void SegmentBuilder::reject(RejectedChange row) {
    segment_->rejected.push_back(std::move(row));
    segment_->bytes += 200;
}

void SegmentBuilder::add(Open& open, SegmentPart part) {
    segment_->parts.push_back(std::move(part));
    segment_->bytes += 200;
    open.of = 0;
}

void SegmentBuilder::truncate(Open& open, const std::shared_ptr<const TableInfo>& table, const Version& version) {
    SegmentPart part;
    part.kind = SegmentPart::Kind::truncate;
    part.table = table;
    part.version = version;
    add(open, std::move(part));
}

void SegmentBuilder::halt(Open& open, const std::shared_ptr<const TableInfo>& table, const Version& version, std::string reason) {
    SegmentPart part;
    part.kind = SegmentPart::Kind::halt;
    part.table = table;
    part.version = version;
    part.reason = std::move(reason);
    add(open, std::move(part));
}

}  // namespace ysdb
