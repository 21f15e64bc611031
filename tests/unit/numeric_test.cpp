#include "core/store/postgres/numeric.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <random>

#include "core/value/show.h"
#include "core/value/wide_int.h"

using namespace ysdb;

namespace {

const std::uint8_t* bytes(const std::string& text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

TableInfo one_column() {
    TableInfo table;
    table.columns.resize(1);
    return table;
}

std::string through_wire(const std::string& text) {
    const TableInfo table = one_column();
    Batch batch(&table);
    std::string wire;
    postgres::text_to_numeric(text, wire);
    REQUIRE(postgres::numeric_to_text(bytes(wire), static_cast<std::uint32_t>(wire.size()), {}, batch));
    return std::string(batch.text(0, 0));
}

Type decimal(int precision, int scale) {
    Type type;
    type.kind = TypeKind::decimal;
    type.precision = static_cast<std::uint8_t>(precision);
    type.scale = static_cast<std::uint8_t>(scale);
    return type;
}

// nullopt: refused.
std::optional<std::string> as_decimal(const std::string& text, const Type& type) {
    const TableInfo table = one_column();
    Batch batch(&table);
    std::string wire;
    postgres::text_to_numeric(text, wire);
    if (!postgres::numeric_to_decimal(bytes(wire), static_cast<std::uint32_t>(wire.size()), type, batch)) return std::nullopt;
    std::string back;
    postgres::decimal_to_numeric(batch.value(0, 0), type.scale, back);
    Batch again(&table);
    REQUIRE(postgres::numeric_to_decimal(bytes(back), static_cast<std::uint32_t>(back.size()), type, again));
    REQUIRE(std::ranges::equal(batch.value(0, 0), again.value(0, 0)));
    return show_cell(batch.value(0, 0), type);
}

}  // namespace

TEST_CASE("a numeric's text survives PostgreSQL's wire form, trailing zeros included") {
    for (const char* text : {"0", "0.00", "1", "-1", "10000", "99999999", "0.0001", "0.00001", "-0.10", "123456789.987654321", "1000000000000.000000000001",
                             "3.1400", "NaN", "Infinity", "-Infinity", "100000000000000000000000000000000000000000000000000.5"}) {
        CHECK(through_wire(text) == text);
    }
}

TEST_CASE("a decimal is its unscaled integer at every width") {
    CHECK(as_decimal("1.5", decimal(10, 2)) == "1.50");
    CHECK(as_decimal("-0.01", decimal(10, 2)) == "-0.01");
    CHECK(as_decimal("0", decimal(10, 2)) == "0.00");
    CHECK(as_decimal("99999999.99", decimal(10, 2)) == "99999999.99");
    CHECK(as_decimal("123456789012345678.123456789012345678", decimal(36, 18)) == "123456789012345678.123456789012345678");
    CHECK(as_decimal("99999999999999999999999999999999999999", decimal(38, 0)) == "99999999999999999999999999999999999999");
    CHECK(as_decimal("-9999999999999999999999999999999999999999999999999999999999999999999999.999999", decimal(76, 6)) ==
          "-9999999999999999999999999999999999999999999999999999999999999999999999.999999");
    CHECK(as_decimal("NaN", decimal(10, 2)) == "NaN");
}

TEST_CASE("what does not fit a decimal is refused, never rounded") {
    CHECK(!as_decimal("1.005", decimal(10, 2)));
    CHECK(!as_decimal("100000000", decimal(10, 2)));
    CHECK(!as_decimal("0.00000000001", decimal(10, 2)));
}

TEST_CASE("random decimals of every scale come back as they were") {
    std::minstd_rand random(7);
    for (int i = 0; i < 5000; ++i) {
        const int precision = 1 + static_cast<int>(random() % 76);
        const int scale = static_cast<int>(random() % static_cast<unsigned>(precision + 1));
        std::string digits;
        for (int d = 0; d < precision; ++d) digits += static_cast<char>('0' + random() % 10);
        std::string text = digits.substr(0, static_cast<std::size_t>(precision - scale));
        text.erase(0, std::min(text.find_first_not_of('0'), text.size()));
        if (text.empty()) text = "0";
        if (scale > 0) text += "." + digits.substr(static_cast<std::size_t>(precision - scale));
        if (random() % 2 == 0 && text.find_first_not_of("0.") != std::string::npos) text.insert(0, "-");
        CAPTURE(precision);
        CAPTURE(scale);
        CHECK(as_decimal(text, decimal(precision, scale)) == text);
    }
}
