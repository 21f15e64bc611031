// Changes that wait on disk for a slow sink: as they were, in order, within the limit.
#include <doctest/doctest.h>

#include "core/sync/follow/spill.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using sync::Spill;
using test::TempDir;

namespace {

std::shared_ptr<const TableInfo> table_of(const std::string& name) {
    auto table = std::make_shared<TableInfo>();
    table->ref = {"public", name};
    for (const char* column : {"id", "note"}) {
        ColumnInfo info;
        info.name = column;
        table->columns.push_back(info);
    }
    return table;
}

SegmentPart rows_of(const std::shared_ptr<const TableInfo>& table, std::uint64_t position, const std::string& text, std::size_t rows = 2) {
    SegmentPart part;
    part.table = table;
    part.changes.rows = Batch(table.get());
    part.changes.ops.clear();
    part.changes.versions.clear();
    for (std::uint32_t row = 0; row < rows; ++row) {
        part.changes.rows.add(text.data(), text.size());
        part.changes.rows.add_null();
        part.changes.ops.push_back(row % 2 == 0 ? Op::upsert : Op::remove);
        part.changes.versions.push_back({1, position, row + 1});
    }
    return part;
}

template <class... Parts>
Segment segment_of(std::uint64_t complete, Parts... parts) {
    Segment segment;
    (segment.parts.push_back(std::move(parts)), ...);
    segment.complete = complete;
    segment.commit_micros = 1'000'000 + static_cast<std::int64_t>(complete);
    segment.first_commit_micros = 500'000;
    segment.rows = 2;
    segment.bytes = 100;
    return segment;
}

}  // namespace

TEST_CASE("what was kept comes back as it was, in order, with what happened between the rows") {
    const TempDir directory;
    Spill spill(directory.path().string(), 1u << 20);
    const auto a = table_of("a"), b = table_of("b");
    SegmentPart truncated;
    truncated.kind = SegmentPart::Kind::truncate;
    truncated.table = a;
    truncated.version = {1, 7, 3};
    SegmentPart shape;
    shape.kind = SegmentPart::Kind::shape;
    shape.table = b;
    shape.columns.push_back({});
    shape.columns.back().column = "note";
    REQUIRE(spill.push(segment_of(9, rows_of(a, 5, "one"), std::move(truncated), rows_of(a, 8, "two"))));
    REQUIRE(spill.push(segment_of(10)));
    REQUIRE(spill.push(segment_of(0, std::move(shape), rows_of(b, 11, std::string("\0\xff", 2)))));

    const auto first = spill.pop();
    CHECK(first->complete == 9);
    CHECK(first->commit_micros == 1'000'009);
    CHECK(first->first_commit_micros == 500'000);
    CHECK(first->rows == 2);
    CHECK(first->bytes == 100);
    REQUIRE(first->parts.size() == 3);
    CHECK(first->parts[0].table == a);
    const ChangeBatch& rows = first->parts[0].changes;
    CHECK(&rows.rows.table() == a.get());
    REQUIRE(rows.rows.rows() == 2);
    CHECK(rows.rows.text(1, 0) == "one");
    CHECK(rows.rows.cell(1, 1).is_null());
    CHECK(rows.op(0) == Op::upsert);
    CHECK(rows.op(1) == Op::remove);
    CHECK(rows.version(1) == Version{1, 5, 2});
    CHECK(first->parts[1].kind == SegmentPart::Kind::truncate);
    CHECK(first->parts[1].version == Version{1, 7, 3});
    CHECK(first->parts[2].changes.rows.text(0, 0) == "two");
    CHECK(spill.pop()->parts.empty());
    const auto third = spill.pop();
    CHECK(third->complete == 0);
    REQUIRE(third->parts.size() == 2);
    CHECK(third->parts[0].columns.at(0).column == "note");
    CHECK(third->parts[1].table == b);
    CHECK(third->parts[1].changes.rows.text(0, 0) == std::string("\0\xff", 2));
    CHECK(spill.bytes() == 0);
}

TEST_CASE("it takes no more than its limit, and more again once something was taken") {
    const TempDir directory;
    Spill spill(directory.path().string(), 4'000);
    const auto a = table_of("a");
    std::uint64_t kept = 0;
    while (spill.push(segment_of(kept + 1, rows_of(a, kept, std::string(500, 'x'))))) ++kept;
    CHECK(kept == 3);
    CHECK(spill.bytes() <= 4'000);
    CHECK(spill.pop()->complete == 1);
    CHECK(spill.push(segment_of(kept + 1, rows_of(a, kept, std::string(500, 'x')))));
    for (std::uint64_t complete = 2; complete <= 4; ++complete) CHECK(spill.pop()->complete == complete);
    CHECK(spill.bytes() == 0);
}

TEST_CASE("much more than one file holds goes through in order, while it is read as well") {
    const TempDir directory;
    Spill spill(directory.path().string(), 1ull << 30);
    const auto a = table_of("a");
    const std::string text(1u << 20, 'x');
    std::uint64_t pushed = 0, popped = 0;
    const auto pop = [&] { CHECK(spill.pop()->complete == ++popped); };
    for (int round = 0; round < 40; ++round) {
        for (int i = 0; i < 4; ++i) REQUIRE(spill.push(segment_of(++pushed, rows_of(a, 1, text, 1))));
        for (int i = 0; i < 3; ++i) pop();
    }
    while (popped < pushed) pop();
    CHECK(spill.bytes() == 0);
    CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("a disk that takes nothing is told, and nothing of it counts") {
    Spill spill("/nonexistent", 1u << 20);
    CHECK(!spill.push(segment_of(1, rows_of(table_of("a"), 1, "x"))));
    CHECK(spill.trouble().find("/nonexistent") != std::string::npos);
    CHECK(spill.bytes() == 0);
}
