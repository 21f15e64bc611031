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

// The shapes of tables as they were told last. Not thread-safe.
class ToldShapes {
public:
    // `known`: as CaptureOptions has it.
    explicit ToldShapes(std::map<TableRef, std::vector<ColumnInfo>> known) : known_(std::move(known)) {}
    // Number of a column of that name as known now; 0: there is none.
    int number(const TableRef& table, const std::string& column) const;
    // Why the table cannot be followed past what an event trigger told of it: its rows changed without being told. Empty: it can be.
    std::string rewritten(const TableFacts& facts) const;
    // The part that tells the new shape: what changed, or, as a halt, why the table cannot be followed into it.
    SegmentPart tell(std::shared_ptr<const TableInfo> table, const std::map<std::string, AddedColumn>& added, const Version& version);

private:
    std::map<TableRef, std::vector<ColumnInfo>> known_;
};

}  // namespace ysdb::postgres
