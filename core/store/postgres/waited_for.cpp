#include "core/store/postgres/waited_for.h"

#include <string_view>

#include "core/base/embedded.h"
#include "core/base/time.h"
#include "core/store/postgres/sql_build.h"

namespace ysdb::postgres {

namespace {

Error with_cause(const Error& error, const std::string& waited, const SqlRow& row) {
    Error told(error.code(), waited + row.text(0) + ", which has been open for " + human_duration(static_cast<double>(row.integer(2))), row.text(1));
    told.with_server_code(error.server_code()).with_retryable(error.retryable());
    return told;
}

}  // namespace

Error slot_waited(const Error& error, const std::function<std::unique_ptr<Connection>()>& session, Deadline deadline) {
    if (error.code() != Code::connect) return error;   // no answer in time
    try {
        const SqlResult open = session()->query("SELECT what, mend, seconds FROM (" + std::string(embedded_file("sql/ysdb/postgres/open_transactions.sql")) + "\n) open LIMIT 1", deadline);
        if (open.rows() > 0) return with_cause(error, "a replication slot is not made before all older transactions have ended, and this waits for ", open.row(0));
    } catch (const Error&) {}  // whatever it is, the server cannot be asked
    return error;
}

Error lock_waited(const Error& error, std::span<const TableRef> tables, const std::function<std::unique_ptr<Connection>()>& session, Deadline deadline) {
    if (error.server_code() != "55P03" && error.code() != Code::connect) return error;   // lock_timeout; no answer in time
    try {
        const auto asking = session();
        for (const TableRef& table : tables) {
            const SqlResult held = asking->query(
                "SELECT format('prepared transaction %L', p.gid), format('COMMIT PREPARED %1$L, or ROLLBACK PREPARED %1$L', p.gid), extract(epoch FROM clock_timestamp() - p.prepared)::bigint"
                " FROM pg_locks l JOIN pg_locks own ON own.pid IS NULL AND own.virtualtransaction = l.virtualtransaction JOIN pg_prepared_xacts p ON p.transaction = own.transactionid"
                " WHERE l.pid IS NULL AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                " AND l.relation IN (SELECT to_regclass($1)::oid UNION ALL SELECT relid FROM pg_partition_tree(to_regclass($1))) ORDER BY p.prepared LIMIT 1",
                std::vector<std::optional<std::string>>{quote(table)}, deadline);
            if (held.rows() > 0) return with_cause(error, table.text() + " is locked by ", held.row(0));
        }
    } catch (const Error&) {}
    return error;
}

}  // namespace ysdb::postgres
