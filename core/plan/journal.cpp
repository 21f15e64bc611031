#include "core/plan/journal.h"

#include <array>

#include "core/base/embedded.h"
#include "core/base/text.h"
#include "core/plan/refusals.h"

namespace ysdb::plan {

namespace {

constexpr std::array<std::string_view, 4> event_names{"intent", "done", "failed", "complete"};

JournalEvent event_of(const std::string& name) {
    for (std::size_t i = 0; i < event_names.size(); ++i) {
        if (event_names[i] == name) return static_cast<JournalEvent>(i);
    }
    throw Error(Code::refused, "ysdb.journal holds an unknown event '" + name + "'", "was it written by a newer ysdb?");
}

// In one transaction.
void run_as_one(SqlSession& session, std::vector<SqlStatement> statements, Deadline deadline) {
    statements.insert(statements.begin(), SqlStatement{"BEGIN"});
    statements.push_back({"COMMIT"});
    ScriptResult result = session.script(statements, deadline);
    if (!result.error) return;
    if (result.error->code() != Code::connect) session.query("ROLLBACK", deadline);
    throw *std::move(result.error);
}

}  // namespace

void install_table(SqlSession& session, Dialect dialect, std::string_view name, Deadline deadline) {
    const bool clickhouse = dialect == Dialect::clickhouse;
    const std::vector<std::optional<std::string>> params{std::string(name)};
    const SqlResult there = session.query(clickhouse ? "SELECT count() FROM system.tables WHERE database = 'ysdb' AND name = {p1:String}"
                                                     : "SELECT count(*) FROM pg_tables WHERE schemaname = 'ysdb' AND tablename = $1", params, deadline);
    if (there.row(0).text(0) != "0") return;
    const std::string folder = clickhouse ? "clickhouse" : "postgres";
    std::string_view text = embedded_file("sql/ysdb/" + folder + "/" + std::string(name) + ".sql");
    std::vector<SqlStatement> statements;
    while (!trim(text).empty()) {
        const auto end = std::min(text.find(";\n"), text.size());
        statements.push_back({text.substr(0, end)});
        text.remove_prefix(std::min(end + 2, text.size()));
    }
    if (dialect == Dialect::postgres) return run_as_one(session, std::move(statements), deadline);
    for (const SqlStatement& statement : statements) session.query(statement.sql, deadline);
}

std::vector<JournalEntry> Journal::unfinished(Deadline deadline) {
    const bool clickhouse = dialect_ == Dialect::clickhouse;
    const std::string mine = clickhouse ? "database = currentDatabase() AND job = {p1:String}" : "job = $1";
    const std::string sql = "SELECT j.unit, j.step, j.event, j.hash, j.store, j.place, j.label, j.found FROM (SELECT * FROM ysdb.journal WHERE " + mine + ") AS j"
                            " LEFT JOIN (SELECT unit, max(seq) AS closed FROM ysdb.journal WHERE " + mine + " AND event = 'complete' GROUP BY unit) AS c ON c.unit = j.unit"
                            " WHERE j.seq > coalesce(c.closed, 0) ORDER BY j.seq";
    std::vector<JournalEntry> entries;
    try {
        const SqlResult result = session_.query(sql, std::vector<std::optional<std::string>>{job_}, deadline);
        for (std::size_t i = 0; i < result.rows(); ++i) {
            const SqlRow row = result.row(i);
            entries.push_back({row.text(0), static_cast<int>(row.integer(1)), event_of(row.text(2)), row.text(3), row.text(4), row.text(5), row.text(6), row.text(7)});
        }
        if (clickhouse) next_seq_ = static_cast<std::uint64_t>(session_.query("SELECT max(seq) FROM ysdb.journal", deadline).row(0).integer(0)) + 1;
    } catch (const Error& error) {
        if (!is_missing_table(error)) throw;
    }
    return entries;
}

SqlText Journal::insert(const JournalEntry& entry) {
    SqlText text;
    const std::string event(event_names[static_cast<std::size_t>(entry.event)]);
    text.params = {job_, entry.unit, std::to_string(entry.step), event, entry.hash, entry.store, entry.place, entry.label, entry.found};
    if (dialect_ == Dialect::clickhouse) {
        text.sql = "INSERT INTO ysdb.journal (database, seq, job, unit, step, event, hash, store, place, label, found) SELECT currentDatabase(), {p10:UInt64}, {p1:String},"
                   " {p2:String}, {p3:UInt32}, {p4:String}, {p5:String}, {p6:String}, {p7:String}, {p8:String}, {p9:String}";
        text.params.emplace_back(std::to_string(next_seq_++));
    } else {
        text.sql = "INSERT INTO ysdb.journal (job, unit, step, event, hash, store, place, label, found) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    }
    return text;
}

void Journal::write(const JournalEntry& entry, Deadline deadline) {
    const SqlText text = insert(entry);
    session_.query(text.sql, text.params, deadline);
}

void Journal::write_soon(const JournalEntry& entry, Deadline deadline) {
    if (dialect_ != Dialect::postgres) return write(entry, deadline);
    const SqlText text = insert(entry);
    run_as_one(session_, {{"SET LOCAL synchronous_commit = off"}, {text.sql, text.params, {}}}, deadline);
}

SqlText find_mark(const std::string& label) {
    return {"SELECT CASE WHEN EXISTS (SELECT FROM ysdb.journal WHERE label = $1 AND event = 'done') THEN 'present' ELSE 'absent' END", {label}};
}

}  // namespace ysdb::plan
