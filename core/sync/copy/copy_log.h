// How far the copy of a table into a sink has come, kept in the source, so that a run that died is taken up in the middle of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/store/store.h"

namespace ysdb::sync {

struct CopyProgress {
    std::string run;                 // its name in the sink
    Version version;                 // of its first view
    std::string columns;             // as they were then: columns_text()
    std::vector<ReadRange> ranges;   // of the whole table, as cut then; nothing for estimates
    std::vector<bool> done;          // one a range: its rows are in the sink
    std::uint64_t rows = 0, rejected = 0;
};

// Names, numbers and types of a table's columns: equal when a view of now reads the same columns.
std::string columns_text(const TableInfo& table);

// Thread-safe, as the store's pool is. A source without PostgreSQL's SQL remembers nothing: its copies start over.
class CopyLog {
public:
    CopyLog(Store& source, std::string set);
    std::optional<CopyProgress> find(const std::string& table, const std::string& sink, Deadline deadline);
    // In the place of what was there.
    void begin(const std::string& table, const std::string& sink, const CopyProgress& copy, Deadline deadline);
    void range_done(const std::string& table, const std::string& sink, std::size_t range, std::uint64_t rows, std::uint64_t rejected, Deadline deadline);
    void forget(const std::string& table, const std::string& sink, Deadline deadline);

private:
    SqlStore* sql_;
    std::string set_;
};

}  // namespace ysdb::sync
