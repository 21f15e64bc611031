// The schema of a live store as DDL: what it takes to make it again, and what tells two of them apart. core/schema_doc describes one schema for people
// to read; here every object counts, and only its DDL.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/store/store.h"

namespace ysdb::schema {

// What one name stands for. A table is without its indexes, keys and triggers: those are objects of their own.
struct Object {
    std::string kind;            // "table", "foreign key"
    std::string name;            // as SQL names it: public.users; what belongs to a table behind it: public.users users_pkey
    std::string ddl;             // whole statements, each ended by ";\n"; names carry their schema
    std::string table;           // what it belongs to, as SQL names it; a table's own name for itself; empty: no table
    bool partition = false;      // a partition, or a part of one
};

struct Schema {
    Dialect dialect = Dialect::postgres;
    std::vector<Object> objects;           // in an order in which they can be made; the same for the same schema, whatever its history
    std::vector<std::string> left_out;     // what is there and has no DDL here: "operator class public.my_ops"
};

struct ReadOptions {
    bool grants = false;                   // owners and privileges too
};

// Reads the whole database of the store's URL in one snapshot. Left out: the server's own schemas, ours (ysdb), what extensions brought.
// Throws Error(refused) when the store has no schema that can be read.
Schema read(Store& store, const ReadOptions& options, Deadline deadline);

// The file: what makes this schema in an empty database. Identical for identical schemas.
std::string dump(const Schema& schema);

struct Difference {
    enum class Side { both, live, expected } side = Side::both;   // where it is
    std::string kind;
    std::string name;
    std::string diff;            // unified, from expected to live, without the two lines of a header
};
// "differs", "unexpected", "missing": as seen from `expected`.
std::string_view side_name(Difference::Side side);
// By what `live` and `expected` are made of, in their order. Both are of one dialect.
std::vector<Difference> compare(const Schema& live, const Schema& expected, const std::function<bool(const Object&)>& ignored);

// The lines that differ, with three lines around them: "@@ -1,4 +1,5 @@" and so on; empty when there are none.
std::string unified_diff(const std::string& before, const std::string& after);

}  // namespace ysdb::schema
