#include "core/store/postgres/followed_table.h"

#include <algorithm>
#include <utility>

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
        const auto at = std::find_if(table.columns.begin(), table.columns.end(), [&](const ColumnInfo& c) { return c.name == name; });
        if (at == table.columns.end()) {
            table.key.clear();   // a part of a key tells no row from another
            break;
        }
        table.key.push_back(static_cast<std::uint32_t>(at - table.columns.begin()));
    }
    for (const std::uint32_t k : table.key) table.columns[k].type.nullable = false;
    return table;
}

int ToldShapes::number(const TableRef& table, const std::string& column) const {
    const auto known = known_.find(table);
    if (known == known_.end()) return 0;
    const auto found = std::find_if(known->second.begin(), known->second.end(), [&](const ColumnInfo& c) { return c.name == column; });
    return found == known->second.end() ? 0 : found->number;
}

std::string ToldShapes::rewritten(const TableFacts& facts) const {
    if (facts.rewrite == "using") return "ALTER TABLE ... USING may have given every row another value, which no change tells";
    if (facts.rewrite == "value") return "a value of one of its enum types got another name: the rows that have it changed, which no change tells";
    const auto known = known_.find(facts.ref);
    if (facts.rewrite.empty() || known == known_.end()) return "";
    for (const auto& [name, column] : facts.columns) {
        const bool old = std::any_of(known->second.begin(), known->second.end(), [&](const ColumnInfo& c) { return c.number == column.number; });
        const auto added = facts.added.find(name);
        if (old || (added != facts.added.end() && added->second.fill)) continue;
        if (added != facts.added.end()) return "column " + name + " was added with a default that each row has its own value of";
        if (column.has_default) return "column " + name + " was added while every row was written anew: what the rows hold in it, no change tells";
    }
    return "";
}

SegmentPart ToldShapes::tell(std::shared_ptr<const TableInfo> table, const std::map<std::string, AddedColumn>& added, const Version& version) {
    SegmentPart part;
    part.kind = SegmentPart::Kind::shape;
    part.table = std::move(table);
    part.version = version;
    if (const auto known = known_.find(part.table->ref); known != known_.end()) {
        ShapeVerdict verdict = compare_shapes(known->second, part.table->columns, added);
        part.columns = std::move(verdict.changes);
        part.reason = std::move(verdict.halt);
    }
    if (part.reason.empty()) known_[part.table->ref] = part.table->columns;
    else part.kind = SegmentPart::Kind::halt;
    return part;
}

}  // namespace ysdb::postgres
