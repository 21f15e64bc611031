// What a followed table looks like, as a source tells it, beside what was told before. Shared by both ways to capture changes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/store/changes.h"
#include "core/store/postgres/catalog.h"
#include "core/store/postgres/table_facts.h"

namespace ysdb::postgres {

// The table as the catalog has it. Without a primary key, or with one that changes do not tell, it cannot be followed: Error(refused).
TableInfo followable(SqlSession& session, const std::string& store, const TableRef& table, Deadline deadline);

struct ToldColumn {
    std::string name;
    DeclaredType type;
    int number = 0;
    bool nullable = true;
    std::string comment = {};
};

// A table of these columns. It has no key when `key` names one that is not among them.
TableInfo told_table(SqlSession& session, const TableRef& ref, const std::vector<ToldColumn>& columns, const std::vector<std::string>& key, Deadline deadline);

// By column: whether its values are to be read. Those of the key are, whatever is left out.
std::vector<bool> wanted_columns(const TableInfo& table, const LeftOut& left_out);

// The shapes of tables as they were told last. What happens to a column that is left out is not among the changes, and halts nothing. Not thread-safe.
class ToldShapes {
public:
    // Both as CaptureOptions has them.
    ToldShapes(std::map<TableRef, std::vector<ColumnInfo>> known, LeftOut left_out) : known_(std::move(known)), left_out_(std::move(left_out)) {}
    // Number of a column of that name as known now; 0: there is none.
    int number(const TableRef& table, const std::string& column) const;
    // A column of this table, as the stream describes it, that the catalog of later does not have, where it has one that is not known yet: maybe the same by
    // another name, of which nothing says what older rows hold in it. Empty: there is none, or nothing is known of the table.
    std::string renamed_since(const TableInfo& table, const TableFacts& later) const;
    // Why the table cannot be followed past what an event trigger told of it: its rows changed without being told. Empty: it can be.
    std::string rewritten(const TableFacts& facts) const;
    // Whether any column, also one that is left out, is other than it was told last.
    bool differs(const TableInfo& table) const;
    // The part that tells the new shape: what changed, or, as a halt, why the table cannot be followed into it.
    SegmentPart tell(std::shared_ptr<const TableInfo> table, const std::map<std::string, AddedColumn>& added, const Version& version);

private:
    bool left_out(const TableRef& table, const std::string& column) const { return left_out_ && left_out_(table, column); }
    // Takes columns out of both that are left out before and after, or came or went and are.
    void drop_left_out(const TableRef& table, std::vector<ColumnInfo>& before, std::vector<ColumnInfo>& now) const;

    std::map<TableRef, std::vector<ColumnInfo>> known_;
    LeftOut left_out_;
};

}  // namespace ysdb::postgres
