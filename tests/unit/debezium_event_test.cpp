// Events of Debezium's PostgreSQL connector as rows: each type as its documentation writes it, and what cannot be read exactly is refused.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "core/base/error.h"
#include "core/store/kafka/debezium_event.h"
#include "core/value/json_form.h"

using namespace ysdb;
using namespace ysdb::kafka;

namespace {

Type type(TypeKind kind, const std::string& native, int precision = 0, int scale = 0) { return {kind, true, static_cast<std::uint8_t>(precision), static_cast<std::uint8_t>(scale), nullptr, native}; }

TableInfo table_of(const Type& value) {
    TableInfo table;
    table.ref = {"public", "t"};
    table.columns = {{"id", type(TypeKind::int64, "bigint")}, {"v", value}};
    table.key = {0};
    return table;
}

std::string event(const std::string& value, const std::string& op = "u", const std::string& before = "null") {
    const std::string row = R"({"id":7,"v":)" + value + "}";
    return R"({"before":)" + (op == "d" ? row : before) + R"(,"after":)" + (op == "d" ? "null" : row) +
           R"(,"source":{"version":"3.7.0.Final","connector":"postgresql","name":"p","ts_ms":1700000000123,"ts_us":1700000000123456,"schema":"public","table":"t","txId":5,"lsn":4711},"op":")" + op + R"(","ts_ms":1})";
}

// The value as our own JSON has it, or why it was refused.
std::string read(const std::string& value, const Type& type) {
    const TableInfo table = table_of(type);
    Batch rows(&table);
    if (const auto refusal = DebeziumEvent(event(value)).add_row(rows)) {
        CHECK(rows.empty());
        return refusal->column + ": " + refusal->reason;
    }
    REQUIRE(rows.rows() == 1);
    if (rows.cell(0, 1).is_null()) return "null";
    std::string text;
    CHECK(append_json(text, rows.value(0, 1), type));
    return text;
}

}  // namespace

TEST_CASE("each type is read as the connector writes it") {
    CHECK(read("true", type(TypeKind::boolean, "boolean")) == "true");
    CHECK(read("-9223372036854775808", type(TypeKind::int64, "bigint")) == "-9223372036854775808");
    CHECK(read("0.1", type(TypeKind::float64, "double precision")) == "0.1");
    CHECK(read("\"NaN\"", type(TypeKind::float32, "real")) == "\"NaN\"");
    CHECK(read("\"-12.50\"", type(TypeKind::decimal, "numeric(10,2)", 10, 2)) == "\"-12.50\"");
    CHECK(read("\"NaN\"", type(TypeKind::decimal, "numeric(10,2)", 10, 2)) == "\"NaN\"");
    CHECK(read("\"1e80\"", type(TypeKind::numeric, "numeric")) == "\"1e80\"");
    CHECK(read("\"d41d8cd9-8f00-b204-e980-0998ecf8427e\"", type(TypeKind::uuid, "uuid")) == "\"d41d8cd9-8f00-b204-e980-0998ecf8427e\"");
    CHECK(read("-1", type(TypeKind::date, "date")) == "\"1969-12-31\"");
    CHECK(read("45296000001", type(TypeKind::time, "time without time zone")) == "\"12:34:56.000001\"");
    CHECK(read("1700000000123456", type(TypeKind::timestamp, "timestamp without time zone", 0, 6)) == "\"2023-11-14T22:13:20.123456\"");
    CHECK(read("1700000000123", type(TypeKind::timestamp, "timestamp(3) without time zone", 0, 3)) == "\"2023-11-14T22:13:20.123000\"");
    CHECK(read("\"2023-11-14T22:13:20.123456Z\"", type(TypeKind::timestamptz, "timestamptz", 0, 6)) == "\"2023-11-14T22:13:20.123456Z\"");
    CHECK(read("\"0044-03-15T00:00:00Z\"", type(TypeKind::timestamptz, "timestamptz", 0, 6)) == "\"0044-03-15T00:00:00Z\"");
    CHECK(read("\"P1Y2M-3DT4H5M6.789S\"", type(TypeKind::interval, "interval")) == "\"1 year 2 mons -3 days +04:05:06.789\"");
    CHECK(read("\"P0Y0M0DT0H0M-0.5S\"", type(TypeKind::interval, "interval")) == "\"-00:00:00.5\"");
    CHECK(read("\"AP8Q\"", type(TypeKind::bytes, "bytea")) == "\"AP8Q\"");
    CHECK(read("\"{\\\"a\\\": 1}\"", type(TypeKind::json, "jsonb")) == "{\"a\": 1}");
    CHECK(read("null", type(TypeKind::text, "text")) == "null");
    Type array = type(TypeKind::array, "integer[]");
    array.element = std::make_shared<const Type>(type(TypeKind::int32, "integer"));
    CHECK(read("[1,null,-3]", array) == "[1,null,-3]");
}

TEST_CASE("what would lose something is refused, and says how it is to be written") {
    CHECK(read("\"AfTc\"", type(TypeKind::decimal, "numeric(10,2)", 10, 2)).find("decimal.handling.mode=string") != std::string::npos);
    CHECK(read("12.5", type(TypeKind::decimal, "numeric(10,2)", 10, 2)).find("decimal.handling.mode=string") != std::string::npos);   // a double
    CHECK(read("3600000000", type(TypeKind::interval, "interval")).find("interval.handling.mode=string") != std::string::npos);      // months as days
    CHECK(read("\"__debezium_unavailable_value\"", type(TypeKind::text, "text")).find("REPLICA IDENTITY FULL") != std::string::npos);
    CHECK(read("\"2023-11-14 22:13:20\"", type(TypeKind::timestamptz, "timestamptz")).starts_with("v: "));
    CHECK(read("\"x\"", type(TypeKind::int64, "bigint")).starts_with("v: "));
    CHECK(read("1.5", type(TypeKind::int64, "bigint")).starts_with("v: "));
    CHECK(read("\"12.505\"", type(TypeKind::decimal, "numeric(10,2)", 10, 2)).starts_with("v: "));
}

TEST_CASE("an event says what happened, to which table, where in the log and when; with a schema around it, too") {
    const std::string plain = event("\"x\"", "c");
    for (const std::string& text : {plain, R"({"schema":{"type":"struct"},"payload":)" + plain + "}"}) {
        const DebeziumEvent read(text);
        CHECK(read.op() == 'c');
        CHECK(read.table() == TableRef{"public", "t"});
        CHECK(read.lsn() == 4711);
        CHECK(read.committed() == 1'700'000'000'123'456);
    }
    const TableInfo table = table_of(type(TypeKind::text, "text"));
    Batch rows(&table);
    const DebeziumEvent removal(event("\"x\"", "d"));
    CHECK_FALSE(removal.add_row(rows));
    CHECK_FALSE(rows.cell(0, 0).is_null());
    CHECK(rows.cell(0, 1).is_null());   // the key alone
    CHECK(removal.key_text(table) == "id=7");
}

TEST_CASE("columns that came or went are told apart from those known") {
    TableInfo table = table_of(type(TypeKind::text, "text"));
    CHECK(DebeziumEvent(event("\"x\"")).strange_columns(table) == "");
    table.columns.push_back({"more", type(TypeKind::text, "text")});
    CHECK(DebeziumEvent(event("\"x\"")).strange_columns(table) == "column more is not in its events");
    table.columns.resize(1);
    CHECK(DebeziumEvent(event("\"x\"")).strange_columns(table) == "column v is new in its events");
    CHECK(DebeziumEvent(event("\"x\"", "d")).strange_columns(table) == "");
}

TEST_CASE("anything else is no event") {
    for (const std::string& text : {std::string("nonsense"), std::string("{}"), std::string("[]"), std::string("null"), std::string(R"({"op":"c","source":{"connector":"mysql"}})"), event("1", "x"), event("1", "cc"),
                                    std::string(R"({"op":"c","after":null,"source":{"connector":"postgresql","schema":"public","table":"t","lsn":1}})")}) {
        CAPTURE(text);
        CHECK_THROWS_AS(DebeziumEvent{text}, Error);
    }
}
