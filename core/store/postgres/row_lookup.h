// Values of rows as the source has them now, for updates that left some out. The catalog may be ahead of the stream: tables are asked for by oid
// and columns by number, under the names they have now.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "core/store/changes.h"
#include "core/store/postgres/connection.h"
#include "core/value/batch.h"

namespace ysdb::postgres {

// Cells of one row that an update did not send.
struct UnsentCells {
    std::size_t part = 0;                 // of the segment
    std::size_t row = 0;
    std::vector<std::uint32_t> columns;
    std::uint32_t relation = 0;           // oid; the same for all of a part
};

class RowLookup {
public:
    explicit RowLookup(Connection& session) : session_(session) {}
    // Returns once what these transactions wrote can be seen: the stream may be ahead of that, by a moment or, with synchronous
    // replication, by as long as a standby takes. Calls `meanwhile` now and then; `timeout`: limit of each question. Throws Error(interrupted) on stop.
    void wait_visible(const std::set<std::uint32_t>& transactions, Millis timeout, std::stop_token stop, const std::function<void()>& meanwhile);
    // Fills the cells. Rows that are gone are left out of the batch, with their table or without; rows with a value that cannot be read are told to
    // `rejected` and left out. A column that is gone gets an empty value: its removal follows.
    void fill(ChangeBatch& changes, const std::vector<UnsentCells>& cells, Deadline deadline, const std::function<void(RejectedChange)>& rejected);

private:
    // A relation and its columns by number, as the catalog has them now.
    struct Present {
        struct Column {
            std::string name, type;
        };
        TableRef ref;
        std::map<int, Column> columns;
        const Column* find(const ColumnInfo& told) const;
    };
    Present present(std::uint32_t relation, Deadline deadline);
    // What is asked of it, and the keys; nothing: it has another key now.
    struct Question {
        std::string sql;
        std::vector<std::optional<std::string>> params;
        std::vector<std::uint32_t> answered;   // columns of the result, behind the place
    };
    static std::optional<Question> question(const ChangeBatch& changes, const std::vector<UnsentCells>& cells, const Present& now);
    SqlResult ask(const ChangeBatch& changes, const std::vector<UnsentCells>& cells, std::vector<std::uint32_t>& answered, Deadline deadline);

    Connection& session_;
};

// Ranges of the rows with these keys, some hundred a range: `keys` has the columns of the table's primary key, in its order.
std::vector<ReadRange> keyed_ranges(const TableInfo& table, const Batch& keys);

// What text_field() reads is what the session prints from here on.
void use_text_settings(SqlSession& session, Deadline deadline);

}  // namespace ysdb::postgres
