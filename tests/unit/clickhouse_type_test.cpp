#include "core/store/clickhouse/type.h"

#include <doctest/doctest.h>

using namespace ysdb;
using namespace ysdb::clickhouse;

namespace {

Type postgres(TypeKind kind, bool nullable, int precision = 0, int scale = 0) {
    Type type;
    type.kind = kind;
    type.nullable = nullable;
    type.precision = static_cast<std::uint8_t>(precision);
    type.scale = static_cast<std::uint8_t>(scale);
    return type;
}

Type array_of(Type element) {
    Type type = postgres(TypeKind::array, false);
    element.nullable = false;
    type.element = std::make_shared<const Type>(std::move(element));
    return type;
}

}  // namespace

TEST_CASE("ClickHouse's spellings are read as types") {
    SUBCASE("wrappers are looked through") {
        CHECK(to_type("LowCardinality(Nullable(String))").kind == TypeKind::text);
        CHECK(to_type("LowCardinality(Nullable(String))").nullable);
        CHECK_FALSE(to_type("LowCardinality(String)").nullable);
        CHECK(to_type("SimpleAggregateFunction(sum, UInt64)").kind == TypeKind::uint64);
    }
    SUBCASE("decimals know their digits and their width") {
        CHECK(parse_type("Decimal(9, 2)").size == 4);
        CHECK(parse_type("Decimal(10, 2)").size == 8);
        CHECK(parse_type("Nullable(Decimal(38, 18))").size == 16);
        CHECK(parse_type("Decimal(76, 38)").size == 32);
        CHECK(parse_type("Decimal64(4)").precision == 18);
        CHECK(to_type("Decimal(36, 18)").scale == 18);
    }
    SUBCASE("times with a zone are instants") {
        CHECK(to_type("DateTime64(6, 'UTC')").kind == TypeKind::timestamptz);
        CHECK(to_type("DateTime64(3)").kind == TypeKind::timestamp);
        CHECK(parse_type("DateTime64(3, 'Asia/Tokyo')").scale == 3);
        CHECK(to_type("DateTime('UTC')").kind == TypeKind::timestamptz);
        CHECK(to_type("Date32").kind == TypeKind::date);
    }
    SUBCASE("labels of an Enum may hold anything") {
        const WireType type = parse_type(R"(Enum8('a' = 1, 'it\'s, = (x)' = -2))");
        REQUIRE(type.labels.size() == 2);
        CHECK(type.labels[0] == std::pair<std::string, std::int16_t>{"a", 1});
        CHECK(type.labels[1] == std::pair<std::string, std::int16_t>{"it's, = (x)", -2});
        CHECK(to_type("Enum16('a' = 1)").kind == TypeKind::enumeration);
    }
    SUBCASE("arrays have elements") {
        const Type type = to_type("Array(Nullable(Decimal(10, 3)))");
        REQUIRE(type.kind == TypeKind::array);
        CHECK(type.element->kind == TypeKind::decimal);
        CHECK(type.element->nullable);
        CHECK(parse_type("Array(LowCardinality(String))").name == "Array(String)");
    }
    SUBCASE("what is not known is read as text") {
        for (const char* text : {"Map(String, UInt8)", "Tuple(a Int8, b String)", "JSON", "IPv6", "Int256", "Array(Tuple(Int8))", "AggregateFunction(uniq, String)"}) {
            CHECK(to_type(text).kind == TypeKind::other);
            CHECK(to_type(text).native == text);
        }
    }
}

TEST_CASE("each type of PostgreSQL has a ClickHouse column that holds it") {
    CHECK(column_type(postgres(TypeKind::int32, false)) == "Int32");
    CHECK(column_type(postgres(TypeKind::int64, true)) == "Nullable(Int64)");
    CHECK(column_type(postgres(TypeKind::decimal, false, 36, 18)) == "Decimal(36, 18)");
    CHECK(column_type(postgres(TypeKind::numeric, true)) == "Nullable(String)");
    CHECK(column_type(postgres(TypeKind::timestamptz, false)) == "DateTime64(6, 'UTC')");
    CHECK(column_type(postgres(TypeKind::timestamp, true)) == "Nullable(DateTime64(6))");
    CHECK(column_type(postgres(TypeKind::date, false)) == "Date32");
    CHECK(column_type(postgres(TypeKind::enumeration, false)) == "LowCardinality(String)");
    CHECK(column_type(postgres(TypeKind::enumeration, true)) == "LowCardinality(Nullable(String))");
    CHECK(column_type(postgres(TypeKind::json, false)) == "String");
    CHECK(column_type(postgres(TypeKind::uuid, false)) == "UUID");
    CHECK(column_type(postgres(TypeKind::boolean, false)) == "Bool");
    CHECK(column_type(array_of(postgres(TypeKind::text, false))) == "Array(Nullable(String))");
    CHECK(column_type(array_of(postgres(TypeKind::enumeration, false))) == "Array(Nullable(String))");
}

TEST_CASE("a column holds another's values when none of them becomes another one") {
    const auto held = [](const char* to, const char* from) { return holds(parse_type(to), parse_type(from)); };
    for (const char* type : {"Int32", "String", "Nullable(Decimal(10, 2))", "DateTime64(6, 'UTC')", "Array(Nullable(String))", "Enum8('a' = 1)", "FixedString(3)", "IPv6", "Bool", "UUID", "Date32"}) CHECK(held(type, type));
    CHECK(held("Nullable(String)", "String"));
    CHECK_FALSE(held("String", "Nullable(String)"));
    CHECK(held("LowCardinality(String)", "String"));
    CHECK(held("Int64", "Int16"));
    CHECK_FALSE(held("Int32", "Int64"));
    CHECK_FALSE(held("Int64", "UInt8"));
    CHECK(held("UInt64", "UInt32"));
    CHECK_FALSE(held("String", "Int32"));
    CHECK_FALSE(held("Int32", "String"));
    CHECK(held("Float64", "Float32"));
    CHECK(held("Decimal(20, 4)", "Decimal(10, 2)"));
    CHECK(held("Decimal(20, 12)", "Decimal(10, 2)"));
    CHECK_FALSE(held("Decimal(10, 4)", "Decimal(10, 2)"));
    CHECK_FALSE(held("Decimal(20, 1)", "Decimal(10, 2)"));
    CHECK_FALSE(held("DateTime64(3)", "DateTime64(6)"));
    CHECK(held("DateTime64(6)", "DateTime64(6, 'UTC')"));
    CHECK_FALSE(held("Date", "Date32"));
    CHECK(held("Array(Int64)", "Array(Int32)"));
    CHECK_FALSE(held("Array(Int32)", "Int32"));
    CHECK_FALSE(held("Enum8('a' = 1)", "Enum8('a' = 1, 'b' = 2)"));
    CHECK_FALSE(held("FixedString(3)", "FixedString(4)"));
    CHECK_FALSE(held("IPv4", "IPv6"));
}
