// Values of rows as the source has them now, for updates that left some out.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <stop_token>
#include <vector>

#include "core/store/postgres/connection.h"
#include "core/value/batch.h"

namespace ysdb::postgres {

// Cells of one row that an update did not send.
struct UnsentCells {
    std::size_t part = 0;                 // of the segment
    std::size_t row = 0;
    std::vector<std::uint32_t> columns;
};

class RowLookup {
public:
    explicit RowLookup(Connection& session) : session_(session) {}
    // Returns once what these transactions wrote can be seen: the stream may be ahead of that, by a moment or, with synchronous
    // replication, by as long as a standby takes. Calls `meanwhile` now and then. Throws Error(interrupted) on stop.
    void wait_visible(const std::set<std::uint32_t>& transactions, std::stop_token stop, const std::function<void()>& meanwhile);
    // Fills the cells. Rows that are gone are left out of the batch.
    void fill(ChangeBatch& changes, const std::vector<UnsentCells>& cells, Deadline deadline);

private:
    Connection& session_;
};

// Ranges of the rows with these keys, some hundred a range: `keys` has the columns of the table's primary key, in its order.
std::vector<ReadRange> keyed_ranges(const TableInfo& table, const Batch& keys);

// What text_field() reads is what the session prints from here on.
void use_text_settings(SqlSession& session, Deadline deadline);

}  // namespace ysdb::postgres
