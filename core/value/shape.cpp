#include "core/value/shape.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace ysdb {

namespace {

bool same_column(const ColumnInfo& a, const ColumnInfo& b) { return a.number != 0 && b.number != 0 ? a.number == b.number : a.name == b.name; }

const ColumnInfo* find(std::span<const ColumnInfo> columns, const ColumnInfo& wanted) {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const ColumnInfo& c) { return same_column(c, wanted); });
    return found == columns.end() ? nullptr : &*found;
}

// "numeric(12,2)" -> "numeric", {12, 2}
struct Native {
    std::string base;
    std::vector<int> modifiers;
};

Native parse_native(const std::string& text) {
    Native native;
    const std::size_t open = text.find('(');
    const std::size_t close = text.find(')');
    if (open == std::string::npos || close == std::string::npos) return {text, {}};
    native.base = text.substr(0, open) + text.substr(close + 1);
    const char* at = text.data() + open + 1;
    const char* end = text.data() + close;
    while (at < end) {
        int value = 0;
        const auto [next, error] = std::from_chars(at, end, value);
        if (error != std::errc()) break;
        native.modifiers.push_back(value);
        at = next + 1;
    }
    return native;
}

bool wider_numeric(const std::vector<int>& from, const std::vector<int>& to) {
    if (to.empty()) return true;
    if (from.empty()) return false;
    const auto scale = [](const std::vector<int>& m) { return m.size() > 1 ? m[1] : 0; };
    return scale(to) >= scale(from) && to[0] - scale(to) >= from[0] - scale(from);
}

bool is_string(const std::string& base) { return base == "character varying" || base == "text"; }

}  // namespace

bool widens(const std::string& from_text, const std::string& to_text) {
    if (from_text == to_text) return true;
    const Native from = parse_native(from_text), to = parse_native(to_text);
    constexpr std::array<std::string_view, 3> integers{"smallint", "integer", "bigint"};
    const auto rank = [&](const std::string& base) { return std::find(integers.begin(), integers.end(), base) - integers.begin(); };
    const auto none = static_cast<std::ptrdiff_t>(integers.size());
    if (rank(from.base) < none && rank(to.base) < none) return rank(from.base) <= rank(to.base);
    if (from.base == "real" && to.base == "double precision") return true;
    if (from.base == "numeric" && to.base == "numeric") return wider_numeric(from.modifiers, to.modifiers);
    if (is_string(from.base) && is_string(to.base)) return to.modifiers.empty() || (!from.modifiers.empty() && to.modifiers[0] >= from.modifiers[0]);
    if (from.base != to.base) return false;
    // More digits of a second, longer bit strings; no modifier is the widest.
    return to.modifiers.empty() || (!from.modifiers.empty() && to.modifiers[0] >= from.modifiers[0] && from.base != "character" && from.base != "bit");
}

ShapeVerdict compare_shapes(std::span<const ColumnInfo> before, std::span<const ColumnInfo> now, const std::map<std::string, AddedColumn>& added) {
    ShapeVerdict verdict;
    bool numbered = true;
    for (const auto columns : {before, now}) numbered = numbered && std::all_of(columns.begin(), columns.end(), [](const ColumnInfo& c) { return c.number != 0; });
    std::string gone, come;
    for (const ColumnInfo& old : before) {
        if (find(now, old) != nullptr) continue;
        verdict.changes.push_back({ColumnChange::Kind::dropped, old.name});
        gone = old.name;
    }
    for (const ColumnInfo& column : now) {
        const ColumnInfo* old = find(before, column);
        if (old == nullptr) {
            ColumnChange change{ColumnChange::Kind::added, column.name, {}, column.type, {}};
            if (const auto facts = added.find(column.name); facts != added.end()) {
                change.fill = facts->second.fill;
                if (facts->second.varies) verdict.halt = "column " + column.name + " was added with a default that each row has its own value of";
            }
            verdict.changes.push_back(std::move(change));
            come = column.name;
            continue;
        }
        if (old->name != column.name) verdict.changes.push_back({ColumnChange::Kind::renamed, column.name, old->name, column.type, {}});
        if (old->type.native != column.type.native) {
            verdict.changes.push_back({ColumnChange::Kind::retyped, column.name, {}, column.type, {}});
            if (!widens(old->type.native, column.type.native)) verdict.halt = "column " + column.name + " changed from " + old->type.native + " to " + column.type.native + ", which can change the rows that are there";
        }
    }
    if (!numbered && !gone.empty() && !come.empty()) verdict.halt = "columns " + gone + " and " + come + ": one was dropped and one was added, or it was renamed";
    return verdict;
}

}  // namespace ysdb
