// What a relation's description in the stream leaves out: column numbers, the primary key, what older rows hold in a new column. Read from
// the catalog, or told in the stream by the event trigger of `sync install`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/store/postgres/catalog.h"
#include "core/store/store.h"
#include "core/value/shape.h"

namespace ysdb::postgres {

struct ColumnFacts {
    int number = 0;
    bool nullable = true;
    bool has_default = false;
    bool generated = false;
    DeclaredType type;          // oid 0: told by an event trigger of an earlier version
    std::string comment;
};

struct TableFacts {
    TableRef ref;
    std::map<std::string, ColumnFacts> columns;
    std::vector<std::string> key;
    std::map<std::string, AddedColumn> added;   // columns with a default that older rows have
    std::string rewrite;                        // told by an event trigger, what happened to the rows: "using", "value", "rows", as in rewrites.sql
    std::set<int> touched;                      // told with it: the numbers of the columns that it may be about
};

// The catalog as it is now, which may be ahead of the stream. A table that is gone has no columns.
TableFacts table_facts(SqlSession& session, const TableRef& table, Deadline deadline);

// Of messages in the stream: a table's new definition, told by an event trigger; and, all with its oid, schema and name, that a partition of it was
// truncated by itself; that one came with rows in it; that the publication got it.
inline constexpr std::string_view facts_prefix = "ysdb.table", truncate_prefix = "ysdb.truncate", attach_prefix = "ysdb.attach", joined_prefix = "ysdb.joined";
// A message of the event trigger: the relation's oid and its facts. Throws Error(internal) on anything else.
std::pair<std::uint32_t, TableFacts> parse_facts(std::string_view message);
// Of any message of the event triggers: the (sub)transaction that it is of, which the stream does not say; none: an earlier version's.
std::optional<std::uint32_t> teller_of(std::string_view message);
// What older rows hold in a new column is forgotten by the catalog when the table is rewritten: what was told of it before stays true.
void keep_fills(const TableFacts& before, TableFacts& now);
// The query of them, of a row c of pg_class; its column is `json`.
std::string facts_query();
// The statements, in one, that make the event triggers; those of `log` write to cdc.change_log. Needs a superuser.
std::string event_trigger_sql(bool log);
// The function of the triggers on partitions.
std::string tell_truncate_sql();
inline constexpr std::string_view event_trigger = "ysdb_tell_tables", rewrite_trigger = "ysdb_note_rewrite";
inline constexpr std::string_view log_event_trigger = "ysdb_log_tables", log_rewrite_trigger = "ysdb_note_log_rewrite";
// Whether the role may make them and they are not there, or are those of an earlier version.
bool lacks_event_triggers(SqlSession& session, bool log, Deadline deadline);

}  // namespace ysdb::postgres
