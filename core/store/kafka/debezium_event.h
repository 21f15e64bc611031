// Events as Debezium's PostgreSQL connector writes them in JSON, with or without schemas, read into rows. Its settings have to say each value whole:
// decimal.handling.mode=string, interval.handling.mode=string (templates/connect/debezium-postgres.json); bytes in base64 or hex.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/value/batch.h"
#include "core/value/type.h"

namespace ysdb::kafka {

class DebeziumEvent {
public:
    struct Refusal {
        std::string column, reason;
    };

    // Throws Error(rejected) when it is no such event.
    explicit DebeziumEvent(std::string_view json);
    ~DebeziumEvent();

    // c, r, u, d, t (truncation), m (a message, for nobody here)
    char op() const;
    TableRef table() const;
    std::uint64_t lsn() const;                 // of the change itself: grows with each change of a row
    std::int64_t committed() const;            // microseconds since 1970; 0: not told
    // Adds the row: `after`, or of a removal the key's cells of `before`. Nothing is added when something of it cannot be read.
    std::optional<Refusal> add_row(Batch& rows) const;
    // The key as people read it, as far as it can be read.
    std::string key_text(const TableInfo& table) const;
    // Why the event's columns are not those of the table; empty: they are. Of a removal nothing is known.
    std::string strange_columns(const TableInfo& table) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ysdb::kafka
