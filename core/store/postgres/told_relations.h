// The tables of a replication stream: as its descriptions and the messages of ysdb's event triggers tell them, what became of their columns, and why one
// cannot be followed any further.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/time.h"
#include "core/store/changes.h"
#include "core/store/postgres/connection.h"
#include "core/store/postgres/followed_table.h"
#include "core/store/postgres/pgoutput.h"
#include "core/store/postgres/table_facts.h"
#include "core/store/postgres/tuple_rows.h"
#include "core/store/segment_builder.h"

namespace ysdb::postgres {

// A relation as this connection was told of it. Ids are the connection's.
struct Relation {
    TupleLayout layout;                       // without a table: not followed
    bool halted = false;
    std::uint32_t id = 0;
    // Described where nobody wants it yet: told with the first change that somebody wants, unless that halts the table.
    bool untold = false;
    std::string cannot;                       // why not, then
    std::map<std::string, AddedColumn> added;
    SegmentBuilder::Open open;
};

// Shapes and halts go into the segment that `builder` makes. `at` is always the version of the change that the stream is at: its position is that of the
// transaction's commit. All arguments of the constructor must outlive it. Not thread-safe. What asks the catalog throws its errors.
class ToldRelations {
public:
    ToldRelations(const CaptureOptions& options, Connection& catalog, SegmentBuilder& builder, Deadline deadline);

    void begin() { truncated_.clear(); }      // a transaction
    void inserted() {
        if (!truncated_.empty()) truncated_.clear();
    }
    // The relation that a change is of; null where nobody wants to be told. Throws Error(internal) for one that was not described.
    Relation* changed(std::uint32_t id, const Version& at);
    void truncated(const Relation& relation) { truncated_.insert(relation.layout.table->ref); }
    const Relation& described(const RelationMessage& told, const Version& at);
    // What the event triggers and ysdb itself say in the stream; `prefix` is one of those in table_facts.h.
    void message(std::string_view prefix, std::string_view bytes, const Version& at);
    // A table that was dropped, or has another name now, is not published any more under its own, and the stream is silent about it. Asks the catalog every
    // few seconds; call it between transactions.
    void look_for_tables(const Version& at);

private:
    // Whether anybody wants what this transaction did to the table.
    bool wanted(const TableRef& table, const Version& at) const;
    void tell_shape(Relation& relation, const Version& at);
    TableInfo shape_of(const RelationMessage& told, const TableFacts& facts, bool in_place, Deadline deadline);
    void halt(Relation& relation, const std::shared_ptr<const TableInfo>& table, const Version& at, const std::string& why);
    void definition_told(Relation& relation, const TableFacts& facts, const Version& at);
    void partition_truncated(std::string_view message, const Version& at);
    void came_with_rows(std::string_view prefix, std::string_view message, const Version& at);

    const CaptureOptions& options_;
    Connection& catalog_;
    SegmentBuilder& builder_;
    ToldShapes shapes_;
    bool told_in_place_ = false;              // the event trigger is there
    std::set<TableRef> followed_;
    std::unordered_map<std::uint32_t, Relation> relations_;
    std::map<std::uint32_t, TableFacts> facts_told_;
    std::set<TableRef> truncated_;            // in this transaction, with nothing inserted since
    std::set<TableRef> gone_;                 // and told to be
    SteadyClock::time_point looked_ = SteadyClock::now();
};

}  // namespace ysdb::postgres
