// A schema as it is documented: read from the live catalog, written as a diagram or a dictionary. Plain values.
#pragma once

#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/store/store.h"

namespace ysdb::schema_doc {

struct DocumentedColumn {
    std::string name;
    std::string type;           // "numeric(36,18)", "LowCardinality(String)"
    bool nullable = false;
    std::string fallback;       // default expression; empty: none
    std::string codec;          // ClickHouse; empty: the default
    std::string comment;
    bool primary = false;
    bool unique = false;        // unique by itself
    bool foreign = false;
};

struct Reference {
    std::string name;
    std::vector<std::string> columns;
    std::string table;          // referenced
    bool optional = false;      // a column may be NULL
};

// "index users_email_key", "UNIQUE, btree (lower(email))"
struct Property {
    std::string name;
    std::string text;
};

enum class Kind { table, view, materialized_view };

struct DocumentedTable {
    std::string name;
    Kind kind = Kind::table;
    std::string comment;
    std::vector<DocumentedColumn> columns;
    std::vector<Property> facts;        // partitioning, engine, sorting key, TTL
    std::vector<Property> constraints;
    std::vector<Property> indexes;
    std::vector<Property> triggers;
    std::vector<Reference> references;
    std::vector<std::string> reads;     // views: tables and views of this schema that it reads
    std::string writes;                 // ClickHouse materialized views: the target table
};

struct SchemaModel {
    std::string store;
    std::string product;        // "PostgreSQL", "ClickHouse"
    std::string schema;
    std::vector<DocumentedTable> tables;    // by name
    std::vector<Property> types;            // enums and their labels
    std::vector<Property> functions;
};

// Reads the catalog of one schema (ClickHouse: database); empty: public, or the connection's database. Partitions, extensions' objects and
// inner tables are left out. Throws Error(refused) when there is no such schema or the store has none.
SchemaModel read_schema(Store& store, const std::string& schema, Deadline deadline);

// A mermaid diagram: entities and relationships (PostgreSQL), or the way of rows from tables through views (ClickHouse).
std::string diagram(const SchemaModel& model);
// Markdown, diagram included. Depends on the schema alone: no dates, sizes or names of partitions.
std::string dictionary(const std::vector<SchemaModel>& models);

}  // namespace ysdb::schema_doc
