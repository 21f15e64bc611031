#include "core/value/json_form.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/value/text_form.h"
#include "core/value/version_text.h"

using namespace ysdb;

namespace {

Type of(TypeKind kind, int scale = 0) {
    Type type;
    type.kind = kind;
    type.scale = static_cast<std::uint8_t>(scale);
    return type;
}

Type array_of(TypeKind kind) {
    Type type = of(TypeKind::array);
    type.element = std::make_shared<const Type>(of(kind));
    return type;
}

template <class Value>
std::string raw(Value value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

std::span<const std::uint8_t> bytes(const std::string& text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

std::string json(const Type& type, const std::string& cell, JsonStyle style = JsonStyle::plain) {
    std::string out;
    append_json(out, bytes(cell), type, style);
    CHECK_MESSAGE(nlohmann::json::accept(out), out);
    return out;
}

std::string plain(const Type& type, const std::string& cell) {
    std::string out;
    append_plain(out, bytes(cell), type);
    return out;
}

std::string decimal(const std::string& digits, int scale, std::size_t size = 16) {
    const auto value = parse_decimal(digits, scale);
    REQUIRE(value);
    return std::string(reinterpret_cast<const char*>(value->limbs.data()), size);
}

std::string element(const std::string& cell) { return raw(static_cast<std::uint32_t>(cell.size())) + cell; }

constexpr std::int64_t hour = 3'600'000'000;

}  // namespace

TEST_CASE("numbers and truth are written as they are") {
    CHECK(json(of(TypeKind::boolean), raw(true)) == "true");
    CHECK(json(of(TypeKind::boolean), raw(false)) == "false");
    CHECK(json(of(TypeKind::int16), raw(std::int64_t{-7})) == "-7");
    CHECK(json(of(TypeKind::int64), raw(std::numeric_limits<std::int64_t>::min())) == "-9223372036854775808");
    CHECK(json(of(TypeKind::uint64), raw(std::numeric_limits<std::uint64_t>::max())) == "18446744073709551615");
    CHECK(json(of(TypeKind::uint128), std::string(16, '\xff')) == "\"340282366920938463463374607431768211455\"");
}

TEST_CASE("floats are the shortest text that reads back as the same value; what JSON has no number for is a string") {
    CHECK(json(of(TypeKind::float64), raw(0.1)) == "0.1");
    CHECK(json(of(TypeKind::float32), raw(0.1f)) == "0.1");
    CHECK(json(of(TypeKind::float64), raw(-0.0)) == "-0");
    CHECK(json(of(TypeKind::float64), raw(1e300)) == "1e+300");
    CHECK(json(of(TypeKind::float64), raw(5e-324)) == "5e-324");
    CHECK(json(of(TypeKind::float64), raw(std::nan(""))) == "\"NaN\"");
    CHECK(json(of(TypeKind::float64), raw(-std::numeric_limits<double>::infinity())) == "\"-Infinity\"");
    CHECK(json(of(TypeKind::float32), raw(std::numeric_limits<float>::infinity())) == "\"Infinity\"");
    CHECK(plain(of(TypeKind::float64), raw(std::nan(""))) == "NaN");
}

TEST_CASE("decimals keep every digit") {
    CHECK(json(of(TypeKind::decimal, 2), decimal("-12.50", 2)) == "\"-12.50\"");
    CHECK(json(of(TypeKind::decimal, 3), decimal("0.001", 3)) == "\"0.001\"");
    CHECK(json(of(TypeKind::decimal, 3), decimal("-0.001", 3)) == "\"-0.001\"");
    CHECK(json(of(TypeKind::decimal, 0), decimal("0", 0)) == "\"0\"");
    CHECK(json(of(TypeKind::decimal, 18), decimal("0", 18)) == "\"0.000000000000000000\"");
    CHECK(json(of(TypeKind::decimal, 0), decimal("10000000000000000000", 0)) == "\"10000000000000000000\"");
    CHECK(json(of(TypeKind::decimal, 18), decimal("123456789012345678.000000000000000001", 18)) == "\"123456789012345678.000000000000000001\"");
    const std::string longest(76, '9');
    CHECK(json(of(TypeKind::decimal, 0), decimal(longest, 0, 32)) == "\"" + longest + "\"");
    CHECK(json(of(TypeKind::decimal, 38), decimal("-1" + std::string(37, '0'), 38, 32)) == "\"-1" + std::string(37, '0') + "." + std::string(38, '0') + "\"");
    CHECK(json(of(TypeKind::decimal, 2), "N") == "\"NaN\"");
    CHECK(json(of(TypeKind::decimal, 2), "+") == "\"Infinity\"");
    CHECK(json(of(TypeKind::decimal, 2), "-") == "\"-Infinity\"");
    CHECK(json(of(TypeKind::numeric), "1e-7") == "\"1e-7\"");
    CHECK(plain(of(TypeKind::decimal, 2), decimal("-12.50", 2)) == "-12.50");
}

TEST_CASE("text is escaped where JSON demands it and nowhere else") {
    CHECK(json(of(TypeKind::text), "") == "\"\"");
    CHECK(json(of(TypeKind::text), "a\"b\\c/d") == R"("a\"b\\c/d")");
    CHECK(json(of(TypeKind::text), "\b\f\n\r\t\x01\x1f\x7f") == "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    CHECK(json(of(TypeKind::text), std::string("a\0b", 3)) == "\"a\\u0000b\"");
    const std::string many = "gr\u00fc\u00df \u20ac \U0001f600";
    CHECK(json(of(TypeKind::text), many) == "\"" + many + "\"");
    const std::string long_text(100'000, 'x');
    CHECK(json(of(TypeKind::text), long_text).size() == long_text.size() + 2);
    for (int byte = 0; byte < 128; ++byte) {  // whatever it is, it reads back as itself
        const std::string one(1, static_cast<char>(byte));
        CHECK(nlohmann::json::parse(json(of(TypeKind::text), one)).get<std::string>() == one);
    }
    CHECK(json(of(TypeKind::enumeration), "new \"one\"") == R"("new \"one\"")");
    CHECK(json(of(TypeKind::other), "[1,2)") == "\"[1,2)\"");
    CHECK(plain(of(TypeKind::text), std::string("\xff\0\"\n", 4)) == std::string("\xff\0\"\n", 4));
}

TEST_CASE("text that is not UTF-8 is told, and the rest of it stays") {
    for (const std::string bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
        std::string out;
        CHECK_FALSE(append_json_text(out, "a" + bad));
        CHECK(out.starts_with("\"a\xef\xbf\xbd"));
        CHECK(nlohmann::json::accept(out));
        out.clear();
        CHECK_FALSE(append_json_text(out, bad + "b"));
        CHECK(out.ends_with("b\""));
        CHECK(nlohmann::json::accept(out));
    }
    std::string out;
    CHECK_FALSE(append_json(out, bytes(raw(std::uint32_t{1}) + element("\xff")), array_of(TypeKind::text)));
}

TEST_CASE("bytes are base64") {
    CHECK(json(of(TypeKind::bytes), "") == "\"\"");
    CHECK(json(of(TypeKind::bytes), "f") == "\"Zg==\"");
    CHECK(json(of(TypeKind::bytes), "fo") == "\"Zm8=\"");
    CHECK(json(of(TypeKind::bytes), "foo") == "\"Zm9v\"");
    CHECK(json(of(TypeKind::bytes), "\xfb\xff\xfe") == "\"+//+\"");
}

TEST_CASE("dates and times are ISO 8601, before Christ and after the year 9999 too") {
    CHECK(json(of(TypeKind::date), raw(std::int32_t{0})) == "\"1970-01-01\"");
    CHECK(json(of(TypeKind::date), raw(std::int32_t{-719528})) == "\"0000-01-01\"");
    CHECK(json(of(TypeKind::date), raw(std::int32_t{-719529})) == "\"-000001-12-31\"");
    CHECK(json(of(TypeKind::date), raw(std::int32_t{2932896})) == "\"9999-12-31\"");
    CHECK(json(of(TypeKind::date), raw(std::int32_t{2932897})) == "\"+010000-01-01\"");
    CHECK(json(of(TypeKind::date), raw(std::int32_t{INT32_MAX})) == "\"infinity\"");
    CHECK(json(of(TypeKind::date), raw(std::int32_t{INT32_MIN})) == "\"-infinity\"");
    CHECK(json(of(TypeKind::time), raw(std::int64_t{24 * hour})) == "\"24:00:00\"");
    CHECK(json(of(TypeKind::time), raw(std::int64_t{hour + 1})) == "\"01:00:00.000001\"");
    CHECK(json(of(TypeKind::timestamptz), raw(std::int64_t{1'500'000})) == "\"1970-01-01T00:00:01.500000Z\"");
    CHECK(json(of(TypeKind::timestamp), raw(std::int64_t{-1})) == "\"1969-12-31T23:59:59.999999\"");
    CHECK(json(of(TypeKind::timestamptz), raw(std::int64_t{1'769'862'896'000'000})) == "\"2026-01-31T12:34:56Z\"");
    CHECK(json(of(TypeKind::timestamptz), raw(std::int64_t{INT64_MAX})) == "\"infinity\"");
    CHECK(json(of(TypeKind::timestamp), raw(std::int64_t{INT64_MIN})) == "\"-infinity\"");
    CHECK(json(of(TypeKind::interval), raw(std::int64_t{hour}) + raw(std::int32_t{-3}) + raw(std::int32_t{14})) == "\"1 year 2 mons -3 days +01:00:00\"");
    CHECK(plain(of(TypeKind::timestamptz), raw(std::int64_t{0})) == "1970-01-01T00:00:00Z");
}

TEST_CASE("a uuid, a document and an array") {
    CHECK(json(of(TypeKind::uuid), std::string("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef")) == "\"01234567-89ab-cdef-0123-456789abcdef\"");
    CHECK(json(of(TypeKind::json), R"({"a": [1, null]})") == R"({"a": [1, null]})");
    CHECK(json(of(TypeKind::json), "{\n\"a\":\r\n\"\\n\"}") == R"({ "a":  "\n"})");
    CHECK(json(of(TypeKind::json), "") == "null");
    CHECK(json(array_of(TypeKind::text), raw(std::uint32_t{3}) + element("a\"") + raw(Cell::null_size) + element("")) == R"(["a\"",null,""])");
    CHECK(json(array_of(TypeKind::int64), raw(std::uint32_t{0})) == "[]");
    CHECK(json(array_of(TypeKind::int64), raw(std::uint32_t{2}) + element(raw(std::int64_t{1})) + element(raw(std::int64_t{-1}))) == "[1,-1]");
    CHECK(plain(array_of(TypeKind::text), raw(std::uint32_t{1}) + element("a")) == R"(["a"])");
    CHECK(plain(of(TypeKind::json), "{\n}") == "{\n}");
}

TEST_CASE("Debezium's style: days and microseconds, documents as strings") {
    CHECK(json(of(TypeKind::date), raw(std::int32_t{-1}), JsonStyle::debezium) == "-1");
    CHECK(json(of(TypeKind::timestamp), raw(std::int64_t{1'500'000}), JsonStyle::debezium) == "1500000");
    CHECK(json(of(TypeKind::timestamp), raw(std::int64_t{INT64_MAX}), JsonStyle::debezium) == "\"infinity\"");
    CHECK(json(of(TypeKind::time), raw(std::int64_t{1}), JsonStyle::debezium) == "1");
    CHECK(json(of(TypeKind::timestamptz), raw(std::int64_t{1'500'000}), JsonStyle::debezium) == "\"1970-01-01T00:00:01.500000Z\"");
    CHECK(json(of(TypeKind::json), R"({"a":1})", JsonStyle::debezium) == R"("{\"a\":1}")");
    CHECK(json(of(TypeKind::decimal, 2), decimal("1.50", 2), JsonStyle::debezium) == "\"1.50\"");
    CHECK(json(array_of(TypeKind::date), raw(std::uint32_t{1}) + element(raw(std::int32_t{3})), JsonStyle::debezium) == "[3]");
}

TEST_CASE("rows become objects with all columns or the key's, names escaped, NULL as null") {
    TableInfo table;
    table.columns = {{"id", of(TypeKind::int64)}, {"a \"b\"", of(TypeKind::text)}, {"c", of(TypeKind::text)}};
    table.key = {2, 0};
    Batch rows(&table);
    const std::int64_t id = 7;
    rows.add(&id, sizeof id);
    rows.add_null();
    rows.add("x", 1);
    const RowJson form(table);
    std::string out;
    CHECK_FALSE(form.append_row(out, rows, 0));
    CHECK(out == R"({"id":7,"a \"b\"":null,"c":"x"})");
    out.clear();
    CHECK_FALSE(form.append_key(out, rows, 0));
    CHECK(out == R"({"c":"x","id":7})");
    rows.add(&id, sizeof id);
    rows.add("\xff", 1);
    rows.add("x", 1);
    CHECK(form.append_row(out, rows, 1) == 1u);
    CHECK_FALSE(form.append_key(out, rows, 1));
}

TEST_CASE("versions as text sort as they do as numbers, and read back") {
    const Version version{1, 0x1a2b3c4d, 7};
    CHECK(version_text(version) == "00000001000000001a2b3c4d00000007");
    CHECK(parse_version(version_text(version)) == version);
    const Version highest{UINT32_MAX, UINT64_MAX, UINT32_MAX};
    CHECK(parse_version(version_text(highest)) == highest);
    const std::vector<Version> rising{{}, {0, 0, 1}, {0, 1, 0}, {0, UINT64_MAX, UINT32_MAX}, {1, 0, 0}, highest};
    for (std::size_t i = 1; i < rising.size(); ++i) CHECK(version_text(rising[i - 1]) < version_text(rising[i]));
    CHECK_FALSE(parse_version(""));
    CHECK_FALSE(parse_version(std::string(31, '0')));
    CHECK_FALSE(parse_version(std::string(32, 'G')));
    CHECK_FALSE(parse_version(std::string(32, 'A')));
}
