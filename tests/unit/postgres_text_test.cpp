// The text form of PostgreSQL's values read as the same canonical cells as the binary form (tests/live/sync_run_test.cpp compares the two
// on a real server; here are the edges).
#include <doctest/doctest.h>

#include <cstring>

#include "core/store/postgres/fields.h"
#include "core/value/show.h"

using namespace ysdb;

namespace {

Type type(TypeKind kind, int precision = 0, int scale = 0) {
    Type made;
    made.kind = kind;
    made.precision = static_cast<std::uint8_t>(precision);
    made.scale = static_cast<std::uint8_t>(scale);
    return made;
}

// The cell as people read it; "-" when the text was refused.
std::string read(std::string_view text, const Type& type) {
    TableInfo table;
    table.columns.resize(1);
    table.columns[0].type = type;
    Batch batch(&table);
    if (!postgres::text_field(type)(reinterpret_cast<const std::uint8_t*>(text.data()), static_cast<std::uint32_t>(text.size()), type, batch)) return "-";
    return show_cell(batch.value(0, 0), type);
}

Type array_of(Type element) {
    Type made;
    made.kind = TypeKind::array;
    made.element = std::make_shared<const Type>(std::move(element));
    return made;
}

}  // namespace

TEST_CASE("dates and times of any year, with zones, before Christ, infinite") {
    CHECK(read("2026-02-03", type(TypeKind::date)) == "2026-02-03");
    CHECK(read("0044-03-15 BC", type(TypeKind::date)) == "0044-03-15 BC");
    CHECK(read("5874897-12-31", type(TypeKind::date)) == "5874897-12-31");
    CHECK(read("infinity", type(TypeKind::date)) == "infinity");
    CHECK(read("2026-02-30x", type(TypeKind::date)) == "-");
    CHECK(read("2026-02-03 04:05:06.789", type(TypeKind::timestamp)) == "2026-02-03 04:05:06.789000");
    CHECK(read("2026-02-03 04:05:06+00", type(TypeKind::timestamptz)) == "2026-02-03 04:05:06");
    CHECK(read("2026-02-03 04:05:06-03:30", type(TypeKind::timestamptz)) == "2026-02-03 07:35:06");
    CHECK(read("1890-01-01 00:00:00+05:53:28", type(TypeKind::timestamptz)) == "1889-12-31 18:06:32");
    CHECK(read("0001-01-01 00:00:00 BC", type(TypeKind::timestamp)) == "0001-01-01 00:00:00 BC");
    CHECK(read("-infinity", type(TypeKind::timestamptz)) == "-infinity");
    CHECK(read("2026-02-03", type(TypeKind::timestamp)) == "-");
}

TEST_CASE("numbers are read exactly or not at all") {
    CHECK(read("-9223372036854775808", type(TypeKind::int64)) == "-9223372036854775808");
    CHECK(read("9223372036854775808", type(TypeKind::int64)) == "-");
    CHECK(read("12x", type(TypeKind::int64)) == "-");
    CHECK(read("-0.000000000000000001", type(TypeKind::decimal, 36, 18)) == "-0.000000000000000001");
    CHECK(read("NaN", type(TypeKind::decimal, 36, 18)) == "NaN");
    CHECK(read("-Infinity", type(TypeKind::decimal, 36, 18)) == "-Infinity");
    CHECK(read("1.234", type(TypeKind::decimal, 10, 2)) == "-");
    CHECK(read("123456789", type(TypeKind::decimal, 10, 2)) == "-");
    CHECK(read("NaN", type(TypeKind::float64)) != "-");
    CHECK(read("-Infinity", type(TypeKind::float32)) != "-");
}

TEST_CASE("arrays with quotes, NULLs, odd bounds; of more than one dimension not at all") {
    CHECK(read("{1,NULL,-3}", array_of(type(TypeKind::int32))) == "{1,NULL,-3}");
    CHECK(read("{}", array_of(type(TypeKind::int32))) == "{}");
    CHECK(read("[0:1]={5,6}", array_of(type(TypeKind::int32))) == "{5,6}");
    CHECK(read("{\"NULL\",NULL,\"a,b\",\"c\\\"d\",\"\",\"e\\\\f\"}", array_of(type(TypeKind::text))) == "{NULL,NULL,a,b,c\"d,,e\\f}");
    CHECK(read("{{1,2},{3,4}}", array_of(type(TypeKind::int32))) == "-");
    CHECK(read("{1,x}", array_of(type(TypeKind::int32))) == "-");
}

TEST_CASE("bytes, identifiers, truth") {
    CHECK(read("\\x00ff", type(TypeKind::bytes)) == "\\x00ff");
    CHECK(read("\\x0", type(TypeKind::bytes)) == "-");
    CHECK(read("0123abcd-0000-1111-2222-333344445555", type(TypeKind::uuid)) == "0123abcd-0000-1111-2222-333344445555");
    CHECK(read("0123abcd", type(TypeKind::uuid)) == "-");
    CHECK(read("t", type(TypeKind::boolean)) == "true");
    CHECK(read("f", type(TypeKind::boolean)) == "false");
}
