#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/text.h"
#include "core/schema/model.h"

namespace ysdb::schema {

namespace {

struct Line {
    char mark;                           // ' ', '-', '+'
    std::string_view text;
};

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

// The longest common subsequence; what is the same at both ends is taken off first. Past `limit` cells the middle counts as all new.
std::vector<Line> align(const std::vector<std::string_view>& before, const std::vector<std::string_view>& after) {
    constexpr std::size_t limit = 16'000'000;
    std::size_t head = 0, tail = 0;
    while (head < std::min(before.size(), after.size()) && before[head] == after[head]) ++head;
    while (tail < std::min(before.size(), after.size()) - head && before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) ++tail;
    const std::size_t rows = before.size() - head - tail, columns = after.size() - head - tail;
    std::vector<Line> lines;
    for (std::size_t i = 0; i < head; ++i) lines.push_back({' ', before[i]});
    std::size_t i = 0, j = 0;
    if (rows * columns <= limit) {
        std::vector<std::uint32_t> length((rows + 1) * (columns + 1), 0);
        const auto at = [&](std::size_t r, std::size_t c) -> std::uint32_t& { return length[r * (columns + 1) + c]; };
        for (std::size_t r = rows; r-- > 0;) {
            for (std::size_t c = columns; c-- > 0;) at(r, c) = before[head + r] == after[head + c] ? at(r + 1, c + 1) + 1 : std::max(at(r + 1, c), at(r, c + 1));
        }
        while (i < rows && j < columns) {
            if (before[head + i] == after[head + j]) {
                lines.push_back({' ', before[head + i]});
                ++i, ++j;
            } else if (at(i + 1, j) >= at(i, j + 1)) {
                lines.push_back({'-', before[head + i++]});
            } else {
                lines.push_back({'+', after[head + j++]});
            }
        }
    }
    while (i < rows) lines.push_back({'-', before[head + i++]});
    while (j < columns) lines.push_back({'+', after[head + j++]});
    for (std::size_t k = tail; k > 0; --k) lines.push_back({' ', before[before.size() - k]});
    return lines;
}

}  // namespace

std::string unified_diff(const std::string& before, const std::string& after) {
    constexpr std::size_t around = 3;
    const std::vector<Line> lines = align(lines_of(before), lines_of(after));
    std::string text;
    std::size_t old_line = 0, new_line = 0;  // lines passed
    const auto pass = [&](const Line& line) {
        if (line.mark != '+') ++old_line;
        if (line.mark != '-') ++new_line;
    };
    for (std::size_t i = 0; i < lines.size();) {
        std::size_t first = i;
        while (first < lines.size() && lines[first].mark == ' ') ++first;
        if (first == lines.size()) break;
        const std::size_t begin = std::max(i, first > around ? first - around : 0);
        std::size_t end = first, quiet = 0;
        while (end < lines.size() && quiet <= 2 * around) quiet = lines[end++].mark == ' ' ? quiet + 1 : 0;
        end -= quiet > around ? quiet - around : 0;
        for (; i < begin; ++i) pass(lines[i]);
        const std::size_t old_begin = old_line, new_begin = new_line;
        std::string hunk;
        for (; i < end; ++i) {
            pass(lines[i]);
            hunk += fmt::format("{}{}\n", lines[i].mark, lines[i].text);
        }
        const std::size_t old_count = old_line - old_begin, new_count = new_line - new_begin;
        text += fmt::format("@@ -{},{} +{},{} @@\n{}", old_begin + (old_count != 0 ? 1 : 0), old_count, new_begin + (new_count != 0 ? 1 : 0), new_count, hunk);
    }
    return text;
}

std::string_view side_name(Difference::Side side) {
    switch (side) {
        case Difference::Side::both: return "differs";
        case Difference::Side::live: return "unexpected";
        case Difference::Side::expected: return "missing";
    }
    return "";
}

std::vector<Difference> compare(const Schema& live, const Schema& expected, const std::function<bool(const Object&)>& ignored) {
    const auto id = [](const Object& object) { return object.kind + "\n" + object.name; };
    std::map<std::string, const Object*> here, there;
    for (const Object& object : live.objects) here.emplace(id(object), &object);
    for (const Object& object : expected.objects) there.emplace(id(object), &object);
    std::vector<Difference> differences;
    for (const Object& object : expected.objects) {
        if (ignored(object)) continue;
        const auto found = here.find(id(object));
        if (found == here.end()) differences.push_back({Difference::Side::expected, object.kind, object.name, unified_diff(object.ddl, "")});
        else if (found->second->ddl != object.ddl) differences.push_back({Difference::Side::both, object.kind, object.name, unified_diff(object.ddl, found->second->ddl)});
    }
    for (const Object& object : live.objects) {
        if (!ignored(object) && !there.contains(id(object))) differences.push_back({Difference::Side::live, object.kind, object.name, unified_diff("", object.ddl)});
    }
    return differences;
}

}  // namespace ysdb::schema
