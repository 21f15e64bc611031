// Rows as lines of QuestDB's ingestion protocol (ILP).
#pragma once

#include <string>
#include <vector>

#include "core/value/batch.h"

namespace ysdb::questdb {

// A column of the target, as SHOW COLUMNS names it.
struct TargetColumn {
    std::string name;
    std::string type;          // "SYMBOL", "DECIMAL(18,4)"
    bool designated = false;   // the table's own timestamp
};

// Thread-safe once made.
class LineEncoder {
public:
    // Matches the batch's columns with the target's. Throws Error(refused) when a column is missing there, its type cannot take the
    // values, or the designated timestamp is not among them.
    LineEncoder(const std::string& store, const TableInfo& table, const std::vector<TargetColumn>& target);
    // Appends one line a row; timestamps are in microseconds. Throws Error(rejected) with the row's key for a value that QuestDB would
    // store as another one: it keeps NULL as a value of the type itself, and has none for booleans and small integers.
    void encode(const Batch& batch, std::string& out) const;

private:
    enum class Form { symbol, boolean, integer, floating, decimal, string, timestamp };
    struct Column {
        std::size_t index;      // in the batch
        std::string name;       // escaped
        Form form;
        bool nullable;
        std::int64_t null_value;  // integers: the one that means NULL
    };
    void add_value(const Batch& batch, std::size_t row, const Column& column, std::string& out) const;
    [[noreturn]] void reject(const Batch& batch, std::size_t row, std::size_t column, const std::string& reason) const;

    std::string store_;
    std::string table_;           // escaped
    std::vector<Column> symbols_; // must come first in a line
    std::vector<Column> fields_;
    std::size_t timestamp_ = 0;   // in the batch
};

}  // namespace ysdb::questdb
