// What travels over a bus: rows and descriptions come back as they were, and nothing else is taken for one.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "core/base/error.h"
#include "core/store/kafka/bus_message.h"

using namespace ysdb;
using namespace ysdb::kafka;

namespace {

TableInfo odd_table() {
    TableInfo table;
    table.ref = {"odd \"schema\"", "tab\nle"};
    const auto element = std::make_shared<const Type>(Type{TypeKind::decimal, true, 10, 2, nullptr, "numeric(10,2)"});
    table.columns = {{"id", {TypeKind::int64, false, 0, 0, nullptr, "bigint"}, false, "", 1},
                     {"a", {TypeKind::array, true, 0, 0, element, "numeric(10,2)[]"}, false, "says \"why\"", 4},
                     {"t", {TypeKind::text, true, 0, 0, nullptr, "text"}, false, "", 7},
                     {"n", {TypeKind::decimal, true, 38, 18, nullptr, "numeric(38,18)"}, false, "", 9}};
    table.key = {0};
    return table;
}

void add_int(Batch& rows, std::int64_t value) { rows.add(&value, sizeof value); }

const BusHead head{BusKind::row, Op::insert, 0x0123456789abcdef, {7, 0x1122334455667788, 9}, 1'700'000'000'123'456};

std::string row_bytes(const TableInfo& table) {
    Batch rows(&table);
    add_int(rows, -5);
    Batch elements;
    const TableInfo one{{"", ""}, {{"e", *table.columns[1].type.element}}, {}};
    elements = Batch(&one);
    const char cell[16] = {1};
    elements.add(cell, sizeof cell);
    elements.add_null();
    rows.add_array(elements);
    const std::string text(300, 'x');   // a size of two bytes
    rows.add(text.data(), text.size());
    rows.add_null();
    std::string bytes;
    append_row(bytes, head, rows, 0);
    return bytes;
}

}  // namespace

TEST_CASE("a row comes back cell by cell, with its version, what happened and when") {
    const TableInfo table = odd_table();
    const std::string bytes = row_bytes(table);
    std::string_view left = bytes;
    const auto told = take_head(left);
    REQUIRE(told);
    CHECK(told->kind == BusKind::row);
    CHECK(told->op == Op::insert);
    CHECK(told->shape == head.shape);
    CHECK(told->version == head.version);
    CHECK(told->committed == head.committed);
    Batch rows(&table);
    REQUIRE(take_row(left, rows));
    REQUIRE(rows.rows() == 1);
    std::string again;
    append_row(again, *told, rows, 0);
    CHECK(again == bytes);
    CHECK(rows.text(0, 2) == std::string(300, 'x'));
    CHECK(rows.cell(0, 3).is_null());
}

TEST_CASE("bytes that are cut, longer, or of another table are no row, and leave nothing behind") {
    const TableInfo table = odd_table();
    const std::string bytes = row_bytes(table);
    std::string_view whole = bytes;
    REQUIRE(take_head(whole));
    Batch rows(&table);
    for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(take_row(whole.substr(0, size), rows));
    CHECK_FALSE(take_row(std::string(whole) + "x", rows));
    CHECK(rows.empty());
    TableInfo other = table;
    other.columns[0].type.kind = TypeKind::uuid;   // 16 bytes, not 8
    Batch wrong(&other);
    CHECK_FALSE(take_row(whole, wrong));
    for (std::size_t size = 0; size < bytes.size() - whole.size(); ++size) {
        std::string_view cut = std::string_view(bytes).substr(0, size);
        CHECK_FALSE(take_head(cut));
    }
    for (const std::string foreign : {"", "{\"op\":\"upsert\"}", "ysb\2xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}) {
        std::string_view view = foreign;
        CHECK_FALSE(take_head(view));
    }
}

TEST_CASE("an array whose sizes point beyond it is no row") {
    const TableInfo table = odd_table();
    std::string bytes = row_bytes(table);
    std::string_view left = bytes;
    REQUIRE(take_head(left));
    const std::size_t array = bytes.size() - left.size() + 9 + 1;   // behind id and the array's size
    const std::uint32_t count = 1'000'000;
    std::memcpy(bytes.data() + array, &count, sizeof count);
    left = std::string_view(bytes).substr(bytes.size() - left.size());
    Batch rows(&table);
    CHECK_FALSE(take_row(left, rows));
}

TEST_CASE("a mark comes back with its number, the columns that changed and the reason") {
    BusMark mark;
    mark.number = 42;
    mark.reason = "because";
    mark.changes = {{ColumnChange::Kind::added, "extra", "", {TypeKind::int32, true, 0, 0, nullptr, "integer"}, "7"}, {ColumnChange::Kind::renamed, "new", "old"}};
    const std::string bytes = mark_bytes({BusKind::shape, Op::upsert, 3, {1, 2, 3}, 0}, mark);
    std::string_view left = bytes;
    const auto told = take_head(left);
    REQUIRE(told);
    CHECK(told->kind == BusKind::shape);
    const auto back = take_mark(left);
    REQUIRE(back);
    CHECK(back->number == 42);
    CHECK(back->reason == "because");
    REQUIRE(back->changes.size() == 2);
    CHECK(back->changes[0].kind == ColumnChange::Kind::added);
    CHECK(back->changes[0].fill == "7");
    CHECK(back->changes[0].type.native == "integer");
    CHECK(back->changes[1].before == "old");
    CHECK_FALSE(back->changes[1].fill);
    CHECK_FALSE(take_mark(left.substr(0, left.size() - 1)));
}

TEST_CASE("a table's description comes back whole, and its hash tells any difference") {
    const TableInfo table = odd_table();
    const std::string text = shape_json(table);
    const TableInfo back = parse_shape(text);
    CHECK(shape_json(back) == text);
    CHECK(back.ref == table.ref);
    CHECK(back.columns[1].type.element->scale == 2);
    CHECK(back.columns[1].comment == "says \"why\"");
    CHECK(back.columns[2].number == 7);
    TableInfo other = table;
    other.columns[2].type.nullable = false;
    CHECK(shape_hash(shape_json(other)) != shape_hash(text));
    CHECK_THROWS_AS(parse_shape("{}"), Error);
    CHECK_THROWS_AS(parse_shape("nonsense"), Error);
}
