// What the server says about its tables.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/store/clickhouse/transport.h"
#include "core/store/store.h"

namespace ysdb::clickhouse {

// What a driver needs beyond TableInfo.
struct TableFacts {
    std::string engine;           // "ReplacingMergeTree"
    std::string comment;
    std::string sorting_key;      // "id, block_timestamp"
    std::string partition_key;
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;

    bool replaces() const { return engine.ends_with("ReplacingMergeTree"); }
    // Whether merges change what is read, so that only FINAL tells what holds now.
    bool merges_rows() const { return engine.ends_with("MergeTree") && engine != "MergeTree" && engine != "ReplicatedMergeTree" && engine != "SharedMergeTree"; }
};

// Statements about tables, on behalf of one store. Thread-safe. A TableRef without a schema means the store's own database.
class Catalog {
public:
    Catalog(Transport& transport, const Target& target) : transport_(transport), target_(target) {}

    std::optional<TableFacts> find(const TableRef& table, Deadline deadline) const;
    // Throws Error(refused) when there is no such table. MATERIALIZED and ALIAS columns are `generated`.
    TableInfo describe(const TableRef& table, Deadline deadline) const;
    // Names of the database's tables that begin so.
    std::vector<std::string> tables_with_prefix(const std::string& database, const std::string& prefix, Deadline deadline) const;
    void run(const std::string& sql, Deadline deadline, const Settings& settings = {}) const;

    TableRef full(const TableRef& table) const { return {table.schema.empty() ? target_.database : table.schema, table.table}; }
    const std::string& store() const { return target_.store; }

private:
    Transport& transport_;
    const Target& target_;
};

// `db`.`table`
std::string quote(const TableRef& table);
// Names among `columns` that an expression mentions.
std::vector<std::string> columns_in(std::string_view expression, const TableInfo& table);

}  // namespace ysdb::clickhouse
