// Changes as Debezium's PostgreSQL connector writes them in JSON without schemas (decimal.handling.mode=string, otherwise its defaults).
//
// What differs: `before` is null but for removals, where it holds the key's columns; source has no txId, xmin and db, its version is ysdb's, and
// it carries ysdb_version, which tells replayed changes apart; infinite dates and timestamps and intervals are strings; timestamps of
// fewer than four digits below the second are microseconds, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/value/json_form.h"

namespace ysdb::kafka {

class DebeziumJson {
public:
    // `name`: the connector's, in source.
    DebeziumJson(const TableInfo& table, const std::string& name);
    // Return the column whose text is not UTF-8, if there is one. `now_ms`: since 1970.
    std::optional<std::uint32_t> append(std::string& out, const ChangeBatch& changes, std::size_t row, std::int64_t now_ms) const;
    std::optional<std::uint32_t> append_key(std::string& out, const Batch& rows, std::size_t row) const { return rows_.append_key(out, rows, row); }
    void append_truncate(std::string& out, const Version& version, std::int64_t now_ms) const;   // when it was committed is not known: source.ts_ms is now

private:
    void append_tail(std::string& out, char op, const Version& version, std::int64_t committed, std::int64_t now_ms) const;

    RowJson rows_;
    std::string source_, names_;   // its constant parts, before and behind ts_ms
};

}  // namespace ysdb::kafka
