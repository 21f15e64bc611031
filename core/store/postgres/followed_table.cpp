#include "core/store/postgres/followed_table.h"

#include <algorithm>
#include <utility>

#include "core/value/columns.h"
#include "core/value/shape.h"

namespace ysdb::postgres {

TableInfo followable(SqlSession& session, const std::string& store, const TableRef& table, Deadline deadline) {
    TableInfo info = describe(session, store, table, deadline);
    if (info.key.empty()) {
        throw Error(Code::refused, store + "." + info.ref.text() + " has no primary key: nothing tells two of its rows apart", "add one, or leave the table out of the set");
    }
    for (const std::uint32_t k : info.key) {
        if (!info.columns[k].generated) continue;
        throw Error(Code::refused, store + "." + info.ref.text() + ": its primary key has the generated column " + info.columns[k].name + ", which changes are told without",
                    "make it a plain column that a trigger fills, or leave the table out of the set");
    }
    return info;
}

TableInfo told_table(SqlSession& session, const TableRef& ref, const std::vector<ToldColumn>& columns, const std::vector<std::string>& key, Deadline deadline) {
    std::vector<DeclaredType> declared;
    for (const ToldColumn& column : columns) declared.push_back(column.type);
    std::vector<Type> types = types_of(session, declared, deadline);
    TableInfo table;
    table.ref = ref;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        ColumnInfo column;
        column.name = columns[i].name;
        column.type = std::move(types[i]);
        column.type.nullable = columns[i].nullable;
        column.number = columns[i].number;
        column.comment = columns[i].comment;
        table.columns.push_back(std::move(column));
    }
    for (const std::string& name : key) {
        const ColumnInfo* at = find_column(table.columns, name);
        if (at == nullptr) {
            table.key.clear();   // a part of a key tells no row from another
            break;
        }
        table.key.push_back(static_cast<std::uint32_t>(at - table.columns.data()));
    }
    for (const std::uint32_t k : table.key) table.columns[k].type.nullable = false;
    return table;
}

std::vector<bool> wanted_columns(const TableInfo& table, const LeftOut& left_out) {
    std::vector<bool> wanted;
    for (const ColumnInfo& column : table.columns) wanted.push_back(!left_out || !left_out(table.ref, column.name));
    for (const std::uint32_t k : table.key) wanted[k] = true;
    return wanted;
}

int ToldShapes::number(const TableRef& table, const std::string& column) const {
    const auto known = known_.find(table);
    if (known == known_.end()) return 0;
    const ColumnInfo* found = find_column(known->second, column);
    return found == nullptr ? 0 : found->number;
}

std::string ToldShapes::renamed_since(const TableInfo& table, const TableFacts& later) const {
    const auto known = known_.find(table.ref);
    if (known == known_.end()) return "";
    const auto lost = std::find_if(table.columns.begin(), table.columns.end(), [&](const ColumnInfo& c) { return c.number == 0 && !left_out(table.ref, c.name); });
    const bool candidate = std::any_of(later.columns.begin(), later.columns.end(), [&](const auto& column) {
        const auto same = [&](const ColumnInfo& c) { return c.number == column.second.number; };
        return !column.second.generated && std::none_of(known->second.begin(), known->second.end(), same) && std::none_of(table.columns.begin(), table.columns.end(), same);
    });
    return lost == table.columns.end() || !candidate ? "" : lost->name;
}

std::string ToldShapes::rewritten(const TableFacts& facts) const {
    if (facts.rewrite == "using" || facts.rewrite == "value") {
        // Those that the statement may have been about; of an earlier version's event trigger they are not known.
        bool known = false, wanted = false;
        for (const auto& [name, column] : facts.columns) {
            if (!facts.touched.contains(column.number)) continue;
            known = true;
            wanted = wanted || !left_out(facts.ref, name);
        }
        if (known && !wanted) return "";
        return facts.rewrite == "using" ? "ALTER TABLE ... USING may have given every row another value, which no change tells"
                                        : "a value of one of its enum types got another name: the rows that have it changed, which no change tells";
    }
    const auto known = known_.find(facts.ref);
    if (facts.rewrite.empty() || known == known_.end()) return "";
    for (const auto& [name, column] : facts.columns) {
        const bool old = std::any_of(known->second.begin(), known->second.end(), [&](const ColumnInfo& c) { return c.number == column.number; });
        const auto added = facts.added.find(name);
        if (old || left_out(facts.ref, name) || (added != facts.added.end() && added->second.fill)) continue;
        if (added != facts.added.end()) return "column " + name + " was added with a default that each row has its own value of";
        if (column.has_default) return "column " + name + " was added while every row was written anew: what the rows hold in it, no change tells";
    }
    return "";
}

bool ToldShapes::differs(const TableInfo& table) const {
    const auto known = known_.find(table.ref);
    return known != known_.end() && !compare_shapes(known->second, table.columns, {}).changes.empty();
}

void ToldShapes::drop_left_out(const TableRef& table, std::vector<ColumnInfo>& before, std::vector<ColumnInfo>& now) const {
    if (!left_out_) return;
    const auto numbered = [](const ColumnInfo& c) { return c.number != 0; };
    // Without numbers one that came or went may be another that was renamed.
    const bool sure = std::all_of(before.begin(), before.end(), numbered) && std::all_of(now.begin(), now.end(), numbered);
    const auto drop = [&](std::vector<ColumnInfo>& from, const std::vector<ColumnInfo>& other) {
        std::vector<ColumnInfo> kept;
        for (const ColumnInfo& column : from) {
            const auto same = std::find_if(other.begin(), other.end(), [&](const ColumnInfo& c) { return sure ? c.number == column.number : c.name == column.name; });
            if (!left_out(table, column.name) || (same == other.end() ? !sure : !left_out(table, same->name))) kept.push_back(column);
        }
        return kept;
    };
    std::vector<ColumnInfo> kept = drop(before, now);
    now = drop(now, before);
    before = std::move(kept);
}

SegmentPart ToldShapes::tell(std::shared_ptr<const TableInfo> table, const std::map<std::string, AddedColumn>& added, const Version& version) {
    SegmentPart part;
    part.kind = SegmentPart::Kind::shape;
    part.table = std::move(table);
    part.version = version;
    if (const auto known = known_.find(part.table->ref); known != known_.end()) {
        std::vector<ColumnInfo> before = known->second, now = part.table->columns;
        drop_left_out(part.table->ref, before, now);
        ShapeVerdict verdict = compare_shapes(before, now, added);
        part.columns = std::move(verdict.changes);
        part.reason = std::move(verdict.halt);
    }
    if (part.reason.empty()) known_[part.table->ref] = part.table->columns;
    else part.kind = SegmentPart::Kind::halt;
    return part;
}

}  // namespace ysdb::postgres
