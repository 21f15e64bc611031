#include "core/store/postgres/numeric.h"

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/store/postgres/wire.h"
#include "core/value/wide_int.h"

namespace ysdb::postgres {

namespace {

constexpr std::uint16_t sign_negative = 0x4000;
constexpr std::uint16_t sign_nan = 0xC000;
constexpr std::uint16_t sign_plus_infinity = 0xD000;
constexpr std::uint16_t sign_minus_infinity = 0xF000;

struct Header {
    int digits;
    int weight;  // of the first digit, in powers of 10000
    std::uint16_t sign;
    int display_scale;
};

Header read_header(const std::uint8_t* data) {
    return {load_big<std::int16_t>(data), load_big<std::int16_t>(data + 2), load_big<std::uint16_t>(data + 4), load_big<std::int16_t>(data + 6)};
}

int digit(const std::uint8_t* data, const Header& header, int power) {  // the base-10000 digit of 10000^power
    const int index = header.weight - power;
    return index >= 0 && index < header.digits ? load_big<std::int16_t>(data + 8 + 2 * index) : 0;
}

constexpr std::uint64_t small_powers[] = {1, 10, 100, 1000, 10000};

bool special(const Header& header, char& mark) {
    if (header.sign == sign_nan) mark = 'N';
    else if (header.sign == sign_plus_infinity) mark = '+';
    else if (header.sign == sign_minus_infinity) mark = '-';
    else return false;
    return true;
}

// The unscaled integer in two 64-bit limbs where it fits: 38 digits. Returns false when digits below the scale are not zero.
bool unscaled_128(const std::uint8_t* data, const Header& header, int scale, UInt128& value) {
    value = 0;
    const int lowest = -((scale + 3) / 4);  // the last base-10000 digit that reaches into the scale
    const int spare = -lowest * 4 - scale;  // decimals of that digit beyond the scale
    for (int power = header.weight; power > lowest; --power) value = value * 10000 + static_cast<unsigned>(digit(data, header, power));
    if (header.weight < lowest) return header.digits == 0;
    const auto last = static_cast<std::uint64_t>(digit(data, header, lowest));
    value = value * small_powers[4 - spare] + last / small_powers[spare];
    if (last % small_powers[spare] != 0) return false;
    for (int index = header.weight - lowest + 1; index < header.digits; ++index) {
        if (load_big<std::int16_t>(data + 8 + 2 * index) != 0) return false;
    }
    return true;
}

bool unscaled_256(const std::uint8_t* data, const Header& header, int scale, Int256& value) {
    const int lowest = -((scale + 3) / 4);
    const int spare = -lowest * 4 - scale;
    for (int power = header.weight; power > lowest; --power) value.multiply_add(10000, static_cast<unsigned>(digit(data, header, power)));
    if (header.weight < lowest) return header.digits == 0;
    const auto last = static_cast<std::uint64_t>(digit(data, header, lowest));
    value.multiply_add(small_powers[4 - spare], last / small_powers[spare]);
    if (last % small_powers[spare] != 0) return false;
    for (int index = header.weight - lowest + 1; index < header.digits; ++index) {
        if (load_big<std::int16_t>(data + 8 + 2 * index) != 0) return false;
    }
    return true;
}

// Decimal digits before the point.
int whole_digits(const std::uint8_t* data, const Header& header) {
    if (header.digits == 0 || header.weight < 0) return 0;
    const int first = load_big<std::int16_t>(data + 8);
    return header.weight * 4 + (first >= 1000 ? 4 : first >= 100 ? 3 : first >= 10 ? 2 : 1);
}

struct Decimal {
    bool negative = false;
    std::string digits;  // no leading zeros
    int scale = 0;
};

// Groups decimal digits into base-10000 digits around the point and writes the wire form.
void write_numeric(const Decimal& value, std::string& out) {
    const int whole = static_cast<int>(value.digits.size()) - value.scale;  // digits before the point; may be negative
    std::vector<std::int16_t> groups;
    int weight = whole > 0 ? (whole + 3) / 4 - 1 : -1;
    const auto decimal_digit = [&](int place) {  // place 0 is the first before the point, -1 the first behind it
        const int index = whole - 1 - place;
        return index >= 0 && index < static_cast<int>(value.digits.size()) ? value.digits[static_cast<std::size_t>(index)] - '0' : 0;
    };
    const int last = -((value.scale + 3) / 4);
    for (int group = weight; group >= last; --group) {
        int number = 0;
        for (int i = 3; i >= 0; --i) number = number * 10 + decimal_digit(group * 4 + i);
        groups.push_back(static_cast<std::int16_t>(number));
    }
    std::size_t skip = 0;
    while (skip < groups.size() && groups[skip] == 0) ++skip, --weight;
    groups.erase(groups.begin(), groups.begin() + static_cast<std::ptrdiff_t>(skip));
    while (!groups.empty() && groups.back() == 0) groups.pop_back();
    append_big<std::int16_t>(out, static_cast<std::int16_t>(groups.size()));
    append_big<std::int16_t>(out, static_cast<std::int16_t>(groups.empty() ? 0 : weight));
    append_big<std::uint16_t>(out, value.negative && !groups.empty() ? sign_negative : 0);
    append_big<std::int16_t>(out, static_cast<std::int16_t>(std::max(0, value.scale)));
    for (const std::int16_t group : groups) append_big(out, group);
}

void write_special(char mark, std::string& out) {
    const std::uint16_t sign = mark == 'N' ? sign_nan : mark == '+' ? sign_plus_infinity : sign_minus_infinity;
    append_big<std::int16_t>(out, 0);
    append_big<std::int16_t>(out, 0);
    append_big<std::uint16_t>(out, sign);
    append_big<std::int16_t>(out, 0);
}

}  // namespace

bool numeric_to_decimal(const std::uint8_t* data, std::uint32_t size, const Type& type, Batch& batch) {
    if (size < 8) return false;
    const Header header = read_header(data);
    if (size < 8 + 2 * static_cast<std::uint32_t>(header.digits)) return false;
    if (char mark; special(header, mark)) {
        *batch.grow(1) = static_cast<std::uint8_t>(mark);
        return true;
    }
    if (whole_digits(data, header) > type.precision - type.scale) return false;
    if (type.precision <= 38) {
        UInt128 value;
        if (!unscaled_128(data, header, type.scale, value)) return false;
        if (header.sign == sign_negative) value = -value;
        std::memcpy(batch.grow(16), &value, 16);
        return true;
    }
    Int256 value;
    if (!unscaled_256(data, header, type.scale, value)) return false;
    if (header.sign == sign_negative) value.negate();
    std::memcpy(batch.grow(32), value.limbs.data(), 32);
    return true;
}

bool numeric_to_text(const std::uint8_t* data, std::uint32_t size, const Type&, Batch& batch) {
    if (size < 8) return false;
    const Header header = read_header(data);
    if (size < 8 + 2 * static_cast<std::uint32_t>(header.digits)) return false;
    if (char mark; special(header, mark)) {
        const std::string_view text = mark == 'N' ? "NaN" : mark == '+' ? "Infinity" : "-Infinity";
        batch.add(text.data(), text.size());
        return true;
    }
    const int groups_before = std::max(header.weight, 0) + 1;
    const int groups_behind = (header.display_scale + 3) / 4;
    char* const begin = reinterpret_cast<char*>(batch.grow(static_cast<std::size_t>(2 + 4 * (groups_before + groups_behind))));
    char* at = begin;
    if (header.sign == sign_negative) *at++ = '-';
    const auto write_group = [&](int number) {
        for (const int power : {1000, 100, 10, 1}) *at++ = static_cast<char>('0' + number / power % 10);
    };
    char* const whole = at;
    for (int power = groups_before - 1; power >= 0; --power) write_group(digit(data, header, power));
    char* first = whole;
    while (first + 1 < at && *first == '0') ++first;
    std::memmove(whole, first, static_cast<std::size_t>(at - first));
    at -= first - whole;
    if (header.display_scale > 0) {
        *at++ = '.';
        char* const behind = at;
        for (int power = -1; power >= -groups_behind; --power) write_group(digit(data, header, power));
        at = behind + header.display_scale;
    }
    batch.shrink_last(static_cast<std::size_t>(at - begin));
    return true;
}

void decimal_to_numeric(std::span<const std::uint8_t> cell, int scale, std::string& out) {
    if (cell.size() == 1) {
        write_special(static_cast<char>(cell[0]), out);
        return;
    }
    Decimal value;
    value.scale = scale;
    Int256 number = Int256::from_cell(cell);
    value.negative = number.negative();
    if (value.negative) number.negate();
    while (!number.zero()) value.digits += static_cast<char>('0' + number.divide(10));
    std::reverse(value.digits.begin(), value.digits.end());
    write_numeric(value, out);
}

void text_to_numeric(std::string_view text, std::string& out) {
    if (text == "NaN") return write_special('N', out);
    if (text == "Infinity") return write_special('+', out);
    if (text == "-Infinity") return write_special('-', out);
    Decimal value;
    bool behind = false;
    for (const char c : text) {
        if (c == '-' && value.digits.empty() && !behind) value.negative = true;
        else if (c == '.' && !behind) behind = true;
        else if (c >= '0' && c <= '9') {
            value.digits += c;
            if (behind) ++value.scale;
        } else {
            throw Error(Code::internal, "'" + std::string(text) + "' is not a numeric");
        }
    }
    write_numeric(value, out);
}

}  // namespace ysdb::postgres
