#include "core/sync/state.h"

#include <nlohmann/json.hpp>

#include "core/base/embedded.h"
#include "core/base/text.h"
#include "core/value/version_text.h"

namespace ysdb::sync {

namespace {

using Params = std::vector<std::optional<std::string>>;

SqlStore& sql_of(Store& source) {
    if (source.sql() == nullptr || source.sql()->dialect() != Dialect::postgres) {
        throw Error(Code::refused, "store '" + source.name() + "' cannot be the source of a sync set", "changes are read from PostgreSQL: set from in [[sync]]");
    }
    return *source.sql();
}

std::string columns_json(const std::vector<ColumnInfo>& columns) {
    auto json = nlohmann::json::array();
    for (const ColumnInfo& column : columns) json.push_back({{"name", column.name}, {"type", column.type.native}, {"number", column.number}});
    return json.dump();
}

std::vector<ColumnInfo> columns_of(const std::string& text) {
    std::vector<ColumnInfo> columns;
    for (const auto& each : nlohmann::json::parse(text)) {
        ColumnInfo column;
        column.name = each.at("name");
        column.type.native = each.at("type");
        column.number = each.at("number");
        columns.push_back(std::move(column));
    }
    return columns;
}

std::string ref_json(const TableRef& ref) { return nlohmann::json::array({ref.schema, ref.table}).dump(); }
TableRef ref_of(const std::string& text) {
    const auto json = nlohmann::json::parse(text);
    return {json.at(0), json.at(1)};
}

}  // namespace

SyncState::SyncState(Store& source, std::string set) : sql_(sql_of(source)), set_(std::move(set)) {}

bool SyncState::prepared(Deadline deadline) { return sql_.query("SELECT to_regclass('ysdb.sync_copied_ranges') IS NOT NULL", deadline).row(0).truth(0); }

// By what was added to them last, so that what an earlier version made gets it as well.
void SyncState::prepare(Deadline deadline) {
    if (sql_.query("SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('ysdb.sync_tables') AND attname = 'renew_at')", deadline).row(0).truth(0)) return;
    const auto session = sql_.open_session("ysdb sync " + set_, deadline);
    // Two sets may prepare at once: CREATE ... IF NOT EXISTS can fail then.
    session->query("BEGIN; SELECT pg_advisory_xact_lock(hashtext('ysdb sync tables'))", deadline);
    session->query(embedded_file("sql/ysdb/postgres/sync.sql"), deadline);
    session->query("COMMIT", deadline);
}

std::optional<SetState> SyncState::set(Deadline deadline) {
    const SqlResult result = sql_.query("SELECT capture, system, timeline, epoch, confirmed FROM ysdb.sync_sets WHERE set_name = $1", Params{set_}, deadline);
    if (result.rows() == 0) return std::nullopt;
    const SqlRow row = result.row(0);
    return SetState{row.text(0), row.text(1), static_cast<std::uint32_t>(row.integer(2)), static_cast<std::uint32_t>(row.integer(3)), static_cast<std::uint64_t>(row.integer(4))};
}

void SyncState::save(const SetState& state, Deadline deadline) {
    sql_.query(
        "INSERT INTO ysdb.sync_sets (set_name, capture, system, timeline, epoch, confirmed) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (set_name) DO UPDATE SET capture = excluded.capture, system = excluded.system, timeline = excluded.timeline, epoch = excluded.epoch,"
        " confirmed = excluded.confirmed, updated_at = clock_timestamp()",
        Params{set_, state.capture, state.system, std::to_string(state.timeline), std::to_string(state.epoch), std::to_string(state.confirmed)}, deadline);
}

void SyncState::confirm(std::uint64_t position, const std::map<TableRef, std::vector<ColumnInfo>>& shapes, Deadline deadline) {
    auto told = nlohmann::json::array();
    for (const auto& [table, columns] : shapes) told.push_back({{"t", ref_json(table)}, {"c", columns_json(columns)}});
    sql_.query(
        // On the disk when this returns, whatever the role is set to: the sinks note it as something that cannot be forgotten.
        "WITH s AS (UPDATE ysdb.sync_sets SET confirmed = greatest(confirmed, $2::bigint), updated_at = clock_timestamp()"
        " FROM (SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'local', true) END AS flushed) f WHERE set_name = $1)"
        " INSERT INTO ysdb.sync_shapes (set_name, table_name, columns) SELECT $1, e ->> 't', e ->> 'c' FROM json_array_elements($3::json) e"
        " ON CONFLICT (set_name, table_name) DO UPDATE SET columns = excluded.columns",
        Params{set_, std::to_string(position), told.dump()}, deadline);
}

std::map<TableRef, std::vector<ColumnInfo>> SyncState::shapes(Deadline deadline) {
    const SqlResult result = sql_.query("SELECT table_name, columns FROM ysdb.sync_shapes WHERE set_name = $1", Params{set_}, deadline);
    std::map<TableRef, std::vector<ColumnInfo>> shapes;
    for (std::size_t i = 0; i < result.rows(); ++i) shapes[ref_of(result.row(i).text(0))] = columns_of(result.row(i).text(1));
    return shapes;
}

void SyncState::set_shape(const TableInfo& table, Deadline deadline) { confirm(0, {{table.ref, table.columns}}, deadline); }

std::vector<TableState> SyncState::tables(Deadline deadline) {
    if (!prepared(deadline)) return {};
    const SqlResult result =
        // What a run of an earlier version made lacks the later columns until the next run.
        sql_.query("SELECT table_name, sink, state, position, rows, rejected, reason, reshaped, coalesce(j ->> 'halted_by', ''), coalesce((j ->> 'renewals')::int, 0),"
                   " extract(epoch FROM clock_timestamp() - (j ->> 'renewed_at')::timestamptz)::float8, extract(epoch FROM (j ->> 'renew_at')::timestamptz - clock_timestamp())::float8"
                   " FROM ysdb.sync_tables t CROSS JOIN LATERAL to_jsonb(t) j WHERE set_name = $1 ORDER BY 1, 2", Params{set_}, deadline);
    std::vector<TableState> tables;
    for (std::size_t i = 0; i < result.rows(); ++i) {
        const SqlRow row = result.row(i);
        TableState table{row.text(0), row.text(1), row.text(2), static_cast<std::uint64_t>(row.integer(3)), static_cast<std::uint64_t>(row.integer(4)), static_cast<std::uint64_t>(row.integer(5))};
        table.reason = row.text(6);
        table.reshaped = parse_version(row.text(7)).value_or(Version{});
        table.halted_by = row.text(8);
        table.renewals = static_cast<int>(row.integer(9));
        if (!row.null(10)) table.since_renewed_s = row.real(10);
        if (!row.null(11)) table.renew_in_s = row.real(11);
        tables.push_back(std::move(table));
    }
    return tables;
}

void SyncState::set_table(const TableState& table, Deadline deadline) {
    sql_.query(
        "INSERT INTO ysdb.sync_tables (set_name, table_name, sink, state, position, rows, rejected, reason, halted_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (set_name, table_name, sink) DO UPDATE SET state = excluded.state, position = excluded.position, rows = excluded.rows, rejected = excluded.rejected,"
        " reason = excluded.reason, halted_by = excluded.halted_by, renew_at = NULL, changed_at = clock_timestamp()",
        Params{set_, table.table, table.sink, table.state, std::to_string(table.position), std::to_string(table.rows), std::to_string(table.rejected), table.reason, table.halted_by}, deadline);
}

// Also what an answer that was lost had marked already.
void SyncState::renew(const std::string& table, const std::vector<std::string>& sinks, int renewals, Deadline deadline) {
    sql_.query("UPDATE ysdb.sync_tables SET state = 'new', reason = '', reshaped = '', halted_by = '', renewals = $4, renewed_at = clock_timestamp(), renew_at = NULL, changed_at = clock_timestamp()"
               " WHERE set_name = $1 AND table_name = $2 AND sink = ANY (string_to_array($3, ',')) AND (state = 'new' OR state = 'halted' AND halted_by = 'source')",
               Params{set_, table, join(sinks, ","), std::to_string(renewals)}, deadline);
}

void SyncState::postpone(const std::string& table, const std::vector<std::string>& sinks, int renewals, double again_s, const std::string& reason, Deadline deadline) {
    sql_.query("UPDATE ysdb.sync_tables SET reason = $6, renewals = $4, renew_at = clock_timestamp() + $5::float8 * interval '1 second'"
               " WHERE set_name = $1 AND table_name = $2 AND sink = ANY (string_to_array($3, ',')) AND state = 'halted' AND halted_by = 'source'",
               Params{set_, table, join(sinks, ","), std::to_string(renewals), std::to_string(again_s), reason}, deadline);
}

void SyncState::set_reshaped(const std::string& table, const std::string& sink, const Version& version, Deadline deadline) {
    sql_.query("UPDATE ysdb.sync_tables SET reshaped = $4 WHERE set_name = $1 AND table_name = $2 AND sink = $3", Params{set_, table, sink, version_text(version)}, deadline);
}

void SyncState::forget_copies(const std::optional<std::string>& table, Deadline deadline) {
    sql_.query("UPDATE ysdb.sync_tables SET state = 'new', reason = '', reshaped = '', halted_by = '', renewals = 0, renewed_at = NULL, renew_at = NULL, changed_at = clock_timestamp() WHERE set_name = $1 AND ($2::text IS NULL OR table_name = $2)",
               Params{set_, table}, deadline);
}

void SyncState::drop_table(const std::string& table, const std::string& sink, Deadline deadline) {
    for (const std::string of : {"sync_copied_ranges", "sync_copies", "sync_tables"}) {
        sql_.query("DELETE FROM ysdb." + of + " WHERE set_name = $1 AND table_name = $2 AND sink = $3", Params{set_, table, sink}, deadline);
    }
}

std::vector<SinkState> SyncState::sinks(Deadline deadline) {
    if (!prepared(deadline)) return {};
    const SqlResult result = sql_.query(
        "SELECT sink, position, changes, lag_ms, state, error, extract(epoch FROM clock_timestamp() - updated_at), changes_per_s, log_per_s FROM ysdb.sync_sinks WHERE set_name = $1 ORDER BY 1", Params{set_}, deadline);
    std::vector<SinkState> sinks;
    for (std::size_t i = 0; i < result.rows(); ++i) {
        const SqlRow row = result.row(i);
        SinkState sink{row.text(0), static_cast<std::uint64_t>(row.integer(1)), static_cast<std::uint64_t>(row.integer(2)), row.integer(3)};
        sink.state = row.text(4);
        sink.error = row.text(5);
        sink.age_s = row.real(6);
        sink.changes_per_s = row.real(7);
        sink.log_per_s = row.real(8);
        sinks.push_back(std::move(sink));
    }
    return sinks;
}

void SyncState::set_sink(const SinkState& sink, Deadline deadline) {
    sql_.query(
        "INSERT INTO ysdb.sync_sinks (set_name, sink, position, changes, lag_ms, state, error, changes_per_s, log_per_s) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (set_name, sink) DO UPDATE SET position = excluded.position, changes = excluded.changes, lag_ms = excluded.lag_ms, state = excluded.state,"
        " error = excluded.error, changes_per_s = excluded.changes_per_s, log_per_s = excluded.log_per_s, updated_at = clock_timestamp()",
        Params{set_, sink.sink, std::to_string(sink.position), std::to_string(sink.changes), std::to_string(sink.lag_ms), sink.state, sink.error, std::to_string(sink.changes_per_s),
               std::to_string(sink.log_per_s)}, deadline);
}

void SyncState::add_dead_letter(const DeadLetter& letter, Deadline deadline) {
    sql_.query(
        "INSERT INTO ysdb.dead_letters (set_name, sink, table_name, row_key, column_name, reason, version, tries) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (set_name, sink, table_name, row_key, version) DO UPDATE SET reason = excluded.reason, tries = ysdb.dead_letters.tries + 1, at = clock_timestamp()",
        Params{set_, letter.sink, letter.table, letter.key, letter.column, letter.reason, letter.version, std::to_string(letter.tries)}, deadline);
}

std::vector<DeadLetter> SyncState::dead_letters(std::size_t limit, Deadline deadline) {
    if (!prepared(deadline)) return {};
    const SqlResult result = sql_.query(
        "SELECT sink, table_name, row_key, column_name, reason, version, tries, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM ysdb.dead_letters"
        " WHERE set_name = $1 ORDER BY id LIMIT $2::bigint",
        Params{set_, std::to_string(limit)}, deadline);
    std::vector<DeadLetter> letters;
    for (std::size_t i = 0; i < result.rows(); ++i) {
        const SqlRow row = result.row(i);
        letters.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.text(5), static_cast<int>(row.integer(6)), row.text(7)});
    }
    return letters;
}

void SyncState::retry_failed(const DeadLetter& letter, Deadline deadline) {
    sql_.query("UPDATE ysdb.dead_letters SET tries = tries + 1, column_name = $5, reason = $6, at = clock_timestamp() WHERE set_name = $1 AND sink = $2 AND table_name = $3 AND row_key = $4",
               Params{set_, letter.sink, letter.table, letter.key, letter.column, letter.reason}, deadline);
}

void SyncState::drop_dead_letters(const std::string& sink, const std::string& table, const std::string& key, Deadline deadline) {
    sql_.query("DELETE FROM ysdb.dead_letters WHERE set_name = $1 AND sink = $2 AND table_name = $3 AND row_key = $4", Params{set_, sink, table, key}, deadline);
}

std::map<std::pair<std::string, std::string>, std::uint64_t> SyncState::dead_letter_counts(Deadline deadline) {
    if (!prepared(deadline)) return {};
    const SqlResult result = sql_.query("SELECT sink, table_name, count(*) FROM ysdb.dead_letters WHERE set_name = $1 GROUP BY 1, 2", Params{set_}, deadline);
    std::map<std::pair<std::string, std::string>, std::uint64_t> counts;
    for (std::size_t i = 0; i < result.rows(); ++i) counts[{result.row(i).text(0), result.row(i).text(1)}] = static_cast<std::uint64_t>(result.row(i).integer(2));
    return counts;
}

void SyncState::remove(Deadline deadline) {
    if (!prepared(deadline)) return;
    for (const std::string table : {"sync_sets", "sync_tables", "sync_shapes", "sync_sinks", "sync_copies", "sync_copied_ranges", "dead_letters"}) {
        sql_.query("DELETE FROM ysdb." + table + " WHERE set_name = $1", Params{set_}, deadline);
    }
}

}  // namespace ysdb::sync
