// What a sink knows of the copies it was given: which run, which tables are whole. Kept in the sink, where the copies are, so that
// losing one loses the other.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "core/store/store.h"

namespace ysdb::sync {

class SnapshotState {
public:
    // Creates its table when missing. Throws Error(refused) for a sink without SQL.
    SnapshotState(Store& sink, std::string set, Deadline deadline);
    // The last run of this set that was begun and not finished.
    std::optional<std::string> unfinished_run(Deadline deadline);
    std::set<std::string> finished_tables(const std::string& run, Deadline deadline);

    void begin_run(const std::string& run, Deadline deadline);
    void finish_table(const std::string& run, const std::string& table, std::uint64_t position, std::uint64_t rows, std::uint64_t rejected, Deadline deadline);
    void finish_run(const std::string& run, Deadline deadline);

private:
    void append(const std::string& run, const std::string& table, const std::string& event, std::uint64_t position, std::uint64_t rows,
                std::uint64_t rejected, Deadline deadline);
    SqlStore& sql_;
    std::string set_;
};

}  // namespace ysdb::sync
