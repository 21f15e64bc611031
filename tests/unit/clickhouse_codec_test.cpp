// Rows through Encoder and Decoder: what goes in comes out, or is named as left out.
#include <doctest/doctest.h>

#include <random>

#include "core/store/clickhouse/decode.h"
#include "core/store/clickhouse/encode.h"
#include "core/value/show.h"
#include "core/value/wide_int.h"

using namespace ysdb;
using namespace ysdb::clickhouse;

namespace {

Type type(TypeKind kind, int precision = 0, int scale = 0) {
    Type made;
    made.kind = kind;
    made.precision = static_cast<std::uint8_t>(precision);
    made.scale = static_cast<std::uint8_t>(scale);
    made.native = "source type";
    return made;
}

Type array_of(Type element) {
    Type made = type(TypeKind::array);
    made.element = std::make_shared<const Type>(std::move(element));
    return made;
}

template <class Value>
std::string bytes(Value value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}
std::string wide(std::int64_t value, std::size_t size) {
    std::string cell(size, value < 0 ? '\xff' : '\0');
    std::memcpy(cell.data(), &value, 8);
    return cell;
}
std::string array_cell(std::initializer_list<std::optional<std::string>> elements) {
    std::string cell = bytes(static_cast<std::uint32_t>(elements.size()));
    for (const auto& element : elements) {
        cell += bytes(element ? static_cast<std::uint32_t>(element->size()) : Cell::null_size);
        if (element) cell += *element;
    }
    return cell;
}

using Row = std::optional<std::string>;

// A table of one column beside its key.
struct Way {
    TableInfo table;
    std::vector<TargetColumn> targets;
    std::vector<RejectedRow> rejected;

    Way(const Type& source, const std::string& target) {
        table.ref = {"public", "t"};
        table.columns = {{"id", type(TypeKind::int64)}, {"value", source}};
        table.key = {0};
        targets = {{"id", parse_type("Int64")}, {"value", parse_type(target)}};
    }

    std::string encoded(const std::vector<Row>& values, std::vector<Op> ops = {Op::upsert}) {
        ChangeBatch changes;
        changes.rows = Batch(&table);
        changes.ops = std::move(ops);
        for (std::size_t i = 0; i < values.size(); ++i) {
            const std::string id = bytes(static_cast<std::int64_t>(i));
            changes.rows.add(id.data(), id.size());
            if (values[i]) changes.rows.add(values[i]->data(), values[i]->size());
            else changes.rows.add_null();
        }
        Encoder encoder(table, targets, false);
        std::string wire;
        for (const std::string_view piece : encoder.encode(changes, [&](RejectedRow row) { rejected.push_back(std::move(row)); })) wire += piece;
        return wire;
    }

    std::vector<Row> decoded(const std::string& wire, std::size_t step) {
        std::vector<Row> values;
        Decoder decoder(table, 100, [&](Batch& batch) {
            for (std::size_t row = 0; row < batch.rows(); ++row) values.push_back(batch.cell(row, 1).is_null() ? Row() : Row(batch.text(row, 1)));
        }, [&](RejectedRow row) { rejected.push_back(std::move(row)); });
        for (std::size_t at = 0; at < wire.size(); at += step) decoder.feed(std::string_view(wire).substr(at, step));
        decoder.finish();
        return values;
    }

    bool keeps(const std::vector<Row>& values) {
        const std::string wire = encoded(values);
        return rejected.empty() && decoded(wire, wire.size()) == values && decoded(wire, 1) == values && rejected.empty();
    }
    // How many of the values are left out, each with its key and reason.
    std::size_t leaves_out(const std::vector<Row>& values) {
        const std::string wire = encoded(values);
        const std::size_t left_out = rejected.size();
        CHECK((wire.empty() ? 0 : decoded(wire, wire.size()).size()) == values.size() - left_out);
        for (const RejectedRow& row : rejected) {
            CHECK(row.key.starts_with("id="));
            CHECK(row.column == "value");
            CHECK_FALSE(row.reason.empty());
        }
        return left_out;
    }
};

const std::string date_low = bytes(std::int32_t{-25'567}), date_high = bytes(std::int32_t{120'529});
const std::string time_low = bytes(std::int64_t{-2'208'988'800'000'000}), time_high = bytes(std::int64_t{10'413'791'999'999'999});

}  // namespace

TEST_CASE("every type comes back as it went, extremes and NULL included") {
    const Row null;
    CHECK(Way(type(TypeKind::boolean), "Nullable(Bool)").keeps({"\1", std::string(1, '\0'), null}));
    CHECK(Way(type(TypeKind::int16), "Nullable(Int16)").keeps({bytes(std::int64_t{-32768}), bytes(std::int64_t{32767}), null}));
    CHECK(Way(type(TypeKind::int32), "Nullable(Int32)").keeps({bytes(std::int64_t{INT32_MIN}), bytes(std::int64_t{INT32_MAX}), null}));
    CHECK(Way(type(TypeKind::int64), "Nullable(Int64)").keeps({bytes(INT64_MIN), bytes(INT64_MAX), null}));
    CHECK(Way(type(TypeKind::uint64), "UInt64").keeps({bytes(UINT64_MAX), bytes(std::uint64_t{0})}));
    CHECK(Way(type(TypeKind::uint128), "UInt128").keeps({std::string(16, '\xff')}));
    CHECK(Way(type(TypeKind::float32), "Nullable(Float32)").keeps({bytes(1.5f), bytes(-0.0f), null}));
    CHECK(Way(type(TypeKind::float64), "Nullable(Float64)").keeps({bytes(1e308), bytes(5e-324), null}));
    CHECK(Way(type(TypeKind::decimal, 9, 2), "Nullable(Decimal(9, 2))").keeps({wide(-999'999'999, 16), wide(1, 16), null}));
    CHECK(Way(type(TypeKind::decimal, 18, 2), "Decimal(18, 2)").keeps({wide(-999'999'999'999'999'999, 16)}));
    CHECK(Way(type(TypeKind::decimal, 38, 18), "Decimal(38, 18)").keeps({wide(INT64_MIN, 16), wide(INT64_MAX, 16)}));
    CHECK(Way(type(TypeKind::decimal, 76, 38), "Decimal(76, 38)").keeps({wide(-5, 32), wide(5, 32)}));
    CHECK(Way(type(TypeKind::decimal, 10, 2), "String").keeps({wide(-1250, 16), "N", "+", "-"}));
    CHECK(Way(type(TypeKind::numeric), "Nullable(String)").keeps({"NaN", "1.5000", "-1e5", null}));
    CHECK(Way(type(TypeKind::text), "Nullable(String)").keeps({"", std::string("a\0b\n\\", 5), std::string(300, 'x'), "\xf0\x9f\x98\x80", null}));
    CHECK(Way(type(TypeKind::text), "FixedString(3)").keeps({"abc"}));
    CHECK(Way(type(TypeKind::bytes), "Nullable(String)").keeps({std::string("\0\xff", 2), "", null}));
    CHECK(Way(type(TypeKind::json), "String").keeps({R"({"a": [1, null]})"}));
    CHECK(Way(type(TypeKind::uuid), "Nullable(UUID)").keeps({std::string("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16), null}));
    CHECK(Way(type(TypeKind::date), "Nullable(Date32)").keeps({date_low, date_high, null}));
    CHECK(Way(type(TypeKind::date), "Date").keeps({bytes(std::int32_t{0}), bytes(std::int32_t{65535})}));
    CHECK(Way(type(TypeKind::timestamptz), "Nullable(DateTime64(6, 'UTC'))").keeps({time_low, time_high, null}));
    CHECK(Way(type(TypeKind::timestamp), "DateTime64(3)").keeps({bytes(std::int64_t{1'700'000'000'123'000}), bytes(std::int64_t{-1'000})}));
    CHECK(Way(type(TypeKind::timestamp), "DateTime64(9)").keeps({bytes(std::int64_t{1'700'000'000'123'456})}));
    CHECK(Way(type(TypeKind::timestamptz), "DateTime").keeps({bytes(std::int64_t{1'700'000'000'000'000})}));
    CHECK(Way(type(TypeKind::time), "Nullable(String)").keeps({bytes(std::int64_t{86'399'999'999}), null}));
    CHECK(Way(type(TypeKind::interval), "Nullable(String)").keeps({bytes(std::int64_t{-1}) + bytes(std::int32_t{3}) + bytes(std::int32_t{-14}), null}));
    CHECK(Way(type(TypeKind::enumeration), "Nullable(String)").keeps({"swap", null}));
    CHECK(Way(type(TypeKind::enumeration), "Enum8('swap' = -1, 'stake' = 7)").keeps({"swap", "stake"}));
}

TEST_CASE("arrays come back with their NULLs, empty ones empty") {
    CHECK(Way(array_of(type(TypeKind::text)), "Array(Nullable(String))").keeps({array_cell({}), array_cell({"a", std::nullopt, ""}), array_cell({"b"})}));
    CHECK(Way(array_of(type(TypeKind::int32)), "Array(Nullable(Int32))").keeps({array_cell({bytes(std::int64_t{-5}), std::nullopt}), array_cell({})}));
    CHECK(Way(array_of(type(TypeKind::decimal, 20, 4)), "Array(Nullable(Decimal(20, 4)))").keeps({array_cell({wide(-1, 16), wide(7, 16)})}));
    CHECK(Way(array_of(type(TypeKind::timestamptz)), "Array(Nullable(DateTime64(6, 'UTC')))").keeps({array_cell({time_low, time_high})}));
}

TEST_CASE("a value the target cannot hold leaves its row out and is told") {
    CHECK(Way(type(TypeKind::decimal, 36, 18), "Decimal(36, 18)").leaves_out({"N", wide(1, 16), "+", "-"}) == 3);
    CHECK(Way(type(TypeKind::decimal, 36, 18), "Decimal(20, 18)").leaves_out({wide(INT64_MAX, 16), std::string(16, '\x20')}) == 1);
    CHECK(Way(type(TypeKind::decimal, 10, 4), "Decimal(10, 2)").leaves_out({wide(12'345, 16), wide(12'300, 16)}) == 1);
    CHECK(Way(type(TypeKind::timestamptz), "DateTime64(6, 'UTC')").leaves_out({bytes(INT64_MAX), bytes(INT64_MIN), bytes(std::int64_t{-2'208'988'800'000'001}), bytes(std::int64_t{10'413'792'000'000'000}), time_low}) == 4);
    CHECK(Way(type(TypeKind::timestamptz), "DateTime64(3, 'UTC')").leaves_out({bytes(std::int64_t{1'001}), bytes(std::int64_t{1'000})}) == 1);
    CHECK(Way(type(TypeKind::timestamptz), "DateTime").leaves_out({bytes(std::int64_t{-1'000'000}), bytes(std::int64_t{1}), bytes(std::int64_t{0})}) == 2);
    CHECK(Way(type(TypeKind::date), "Date32").leaves_out({bytes(INT32_MAX), bytes(std::int32_t{-25'568}), bytes(std::int32_t{120'530}), date_low}) == 3);
    CHECK(Way(type(TypeKind::int64), "Int32").leaves_out({bytes(std::int64_t{1} << 31), bytes(std::int64_t{-1})}) == 1);
    CHECK(Way(type(TypeKind::int32), "UInt32").leaves_out({bytes(std::int64_t{-1}), bytes(std::int64_t{1})}) == 1);
    CHECK(Way(type(TypeKind::text), "String").leaves_out({std::nullopt, "a"}) == 1);
    CHECK(Way(type(TypeKind::text), "FixedString(3)").leaves_out({"ab", "abc", "abcd"}) == 2);
    CHECK(Way(type(TypeKind::enumeration), "Enum8('a' = 1)").leaves_out({"b", "a"}) == 1);
    CHECK(Way(array_of(type(TypeKind::text)), "Array(Nullable(String))").leaves_out({std::nullopt, array_cell({})}) == 1);
    CHECK(Way(array_of(type(TypeKind::date)), "Array(Nullable(Date32))").leaves_out({array_cell({date_low}), array_cell({}), array_cell({date_low, bytes(INT32_MAX)})}) == 1);
    CHECK(Way(type(TypeKind::decimal, 36, 18), "Decimal(36, 18)").leaves_out({"N"}) == 1);
}

TEST_CASE("the reason names the value and the target") {
    Way way(type(TypeKind::timestamptz), "DateTime64(6, 'UTC')");
    way.encoded({bytes(INT64_MAX)});
    REQUIRE(way.rejected.size() == 1);
    CHECK(way.rejected[0].key == "id=0");
    CHECK(way.rejected[0].reason == "the target type holds no NaN and no infinity: infinity for DateTime64(6, 'UTC')");
}

TEST_CASE("a removed row needs its key alone") {
    Way way(type(TypeKind::text), "String");
    const std::string wire = way.encoded({std::nullopt, "b"}, {Op::remove, Op::upsert});
    CHECK(way.rejected.empty());
    CHECK(way.decoded(wire, wire.size()) == std::vector<Row>{"", "b"});
}

TEST_CASE("types that cannot be converted exactly are refused by the column's name") {
    CHECK_THROWS_WITH_AS(Way(type(TypeKind::numeric), "Decimal(38, 10)").encoded({"1"}), doctest::Contains("public.t.value"), Error);
    CHECK_THROWS_AS(Way(type(TypeKind::text), "Map(String, String)").encoded({"1"}), Error);
    CHECK_THROWS_AS(Way(type(TypeKind::float64), "Float32").encoded({bytes(1.0)}), Error);
}

TEST_CASE("versions and removals follow the columns") {
    TableInfo table;
    table.ref = {"", "t"};
    table.columns = {{"id", type(TypeKind::int64)}};
    table.key = {0};
    const std::vector<TargetColumn> targets{{"id", parse_type("Int64")}};
    ChangeBatch changes;
    changes.rows = Batch(&table);
    for (std::int64_t id = 0; id < 3; ++id) changes.rows.add(&id, 8);
    changes.ops = {Op::upsert, Op::remove, Op::upsert};
    changes.versions = {Version{1, 5, 1}, Version{1, 5, 2}, Version{2, 1, 0}};
    Encoder encoder(table, targets, true);
    std::string wire;
    for (const std::string_view piece : encoder.encode(changes, [](RejectedRow) { FAIL("nothing is left out"); })) wire += piece;

    TableInfo wanted = table;
    wanted.columns.push_back({"_version", type(TypeKind::uint128)});
    wanted.columns.push_back({"_is_deleted", type(TypeKind::uint8)});
    std::vector<std::string> seen;
    Decoder decoder(wanted, 1 << 20, [&](Batch& batch) {
        for (std::size_t row = 0; row < batch.rows(); ++row) seen.push_back(show_cell(batch.value(row, 1), wanted.columns[1].type) + "/" + show_cell(batch.value(row, 2), wanted.columns[2].type));
    }, [](RejectedRow) {});
    decoder.feed(wire);
    decoder.finish();
    const auto shown = [](const Version& version) { return show_decimal({reinterpret_cast<const std::uint8_t*>(bytes(version.packed()).data()), 16}, 0); };
    CHECK(seen == std::vector<std::string>{shown({1, 5, 1}) + "/0", shown({1, 5, 2}) + "/1", shown({2, 1, 0}) + "/0"});
}

TEST_CASE("values read from wider or other columns are exact, or told") {
    TableInfo wide_table;
    wide_table.ref = {"", "t"};
    wide_table.columns = {{"id", type(TypeKind::int64)}, {"value", type(TypeKind::int64)}};
    wide_table.key = {0};
    Way way(type(TypeKind::int64), "Int64");
    const std::string wire = way.encoded({bytes(std::int64_t{7}), bytes(std::int64_t{1} << 40)});
    way.table.columns[1].type = type(TypeKind::int32);
    CHECK(way.decoded(wire, wire.size()) == std::vector<Row>{bytes(std::int64_t{7})});
    REQUIRE(way.rejected.size() == 1);
    CHECK(way.rejected[0].key == "id=1");
    way.table.columns[1].type = type(TypeKind::uuid);
    CHECK_THROWS_AS(way.decoded(wire, wire.size()), Error);
}

TEST_CASE("what is not Native is not taken for rows") {
    Way way(type(TypeKind::text), "String");
    CHECK_THROWS_AS(way.decoded("Code: 241. DB::Exception: memory limit", 100), Error);
    const std::string wire = way.encoded({"a", "b"});
    CHECK_THROWS_AS(way.decoded(wire.substr(0, wire.size() - 1), 100), Error);
}

TEST_CASE("random tables come back whole, in pieces of any size") {
    std::mt19937_64 random(20260101);
    for (int round = 0; round < 30; ++round) {
        Way way(type(TypeKind::text), "Nullable(String)");
        std::vector<Row> values(random() % 2000);
        for (Row& value : values) {
            if (random() % 5 != 0) value = std::string(random() % (random() % 20 == 0 ? 1000 : 30), static_cast<char>(random()));
        }
        const std::string wire = way.encoded(values);
        CHECK(way.decoded(wire, 1 + random() % 5000) == values);
        CHECK(way.rejected.empty());
    }
}
