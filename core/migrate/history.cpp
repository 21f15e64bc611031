#include "core/migrate/history.h"

#include <algorithm>

#include "core/plan/refusals.h"

namespace ysdb::migrate {

namespace {

constexpr std::size_t short_hash = 16;

std::string seconds_expression(Dialect dialect, Origin origin) {
    if (origin == Origin::baseline) return "0";
    if (dialect == Dialect::clickhouse) {
        return "(SELECT if(count() = 0, 0, dateDiff('microsecond', min(at), now64(6)) / 1e6) FROM ysdb.journal WHERE database = currentDatabase() AND startsWith(label, {p8:String}) AND unit = {p9:String})";
    }
    if (origin == Origin::transaction) return "extract(epoch FROM clock_timestamp() - now())";
    return "coalesce((SELECT extract(epoch FROM clock_timestamp() - min(at)) FROM ysdb.journal WHERE starts_with(label, $8) AND unit = $9), 0)";
}

}  // namespace

std::string short_hashes(const Migration& migration) {
    std::string text;
    for (const Statement& statement : migration.up) text += (text.empty() ? "" : " ") + statement.hash.substr(0, short_hash);
    return text;
}

std::vector<HistoryRow> read_history(SqlSession& session, Dialect dialect, Deadline deadline) {
    const std::string sql = dialect == Dialect::clickhouse
                                ? "SELECT version, name, store, checksum, statements, formatDateTime(applied_at, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC') FROM ysdb.migrations FINAL WHERE database = currentDatabase() ORDER BY seq"
                                : "SELECT version, name, store, checksum, statements, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM ysdb.migrations AS m ORDER BY m.applied_at";
    std::vector<HistoryRow> rows;
    try {
        const SqlResult result = session.query(sql, deadline);
        for (std::size_t i = 0; i < result.rows(); ++i) {
            const SqlRow row = result.row(i);
            rows.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.text(5), i});
        }
    } catch (const Error& error) {
        // UNKNOWN_IDENTIFIER; undefined_column.
        if (error.server_code() == "47" || error.server_code() == "42703") {
            throw Error(Code::refused, "the table ysdb.migrations is not as ysdb made it: " + error.message(), "somebody changed it; put its columns back as an empty database gets them from ysdb migrate up");
        }
        if (!plan::is_missing_table(error)) throw;
    }
    std::sort(rows.begin(), rows.end(), [](const HistoryRow& a, const HistoryRow& b) { return version_less(a.version, b.version); });
    return rows;
}

plan::SqlText history_insert(const Migration& migration, Dialect dialect, const std::string& run, Origin origin) {
    plan::SqlText text;
    const std::string tool = std::string("ysdb " YSDB_VERSION) + (origin == Origin::baseline ? " baseline" : "");
    text.params = {migration.version, migration.name, migration.store, migration.checksum, short_hashes(migration), run, tool};
    if (dialect == Dialect::clickhouse || origin == Origin::journal) {
        text.params.emplace_back("ysdb migrate " + run + "/");
        text.params.emplace_back(migration.version + "/up");
    }
    const std::string seconds = seconds_expression(dialect, origin);
    if (dialect == Dialect::clickhouse) {
        text.sql = "INSERT INTO ysdb.migrations (database, version, name, store, checksum, statements, run, tool, seconds, seq)"
                   " SELECT currentDatabase(), {p1:String}, {p2:String}, {p3:String}, {p4:String}, {p5:String}, {p6:String}, {p7:String}, " + seconds +
                   ", (SELECT max(seq) + 1 FROM ysdb.migrations)";
    } else {
        text.sql = "INSERT INTO ysdb.migrations (version, name, store, checksum, statements, run, tool, seconds) VALUES ($1, $2, $3, $4, $5, $6, $7, " + seconds + ")";
        if (is_repeatable(migration.version)) {
            text.sql += " ON CONFLICT (version) DO UPDATE SET name = excluded.name, store = excluded.store, checksum = excluded.checksum, statements = excluded.statements, run = excluded.run,"
                        " tool = excluded.tool, seconds = excluded.seconds, applied_at = excluded.applied_at";
        }
    }
    return text;
}

plan::SqlText history_delete(const HistoryRow& row, Dialect dialect, const std::string& run) {
    if (dialect != Dialect::clickhouse) return {"DELETE FROM ysdb.migrations WHERE version = $1", {row.version}};
    return {"INSERT INTO ysdb.migrations (database, version, name, store, checksum, statements, run, tool, seconds, seq, removed)"
            " SELECT currentDatabase(), {p1:String}, {p2:String}, {p3:String}, {p4:String}, {p5:String}, {p6:String}, {p7:String}, 0, (SELECT max(seq) + 1 FROM ysdb.migrations), 1",
            {row.version, row.name, row.store, row.checksum, row.statements, run, "ysdb " YSDB_VERSION " down"}};
}

}  // namespace ysdb::migrate
