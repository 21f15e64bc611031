#include "core/sync/copy/snapshot_state.h"

#include "core/base/embedded.h"
#include "core/base/text.h"

namespace ysdb::sync {

namespace {

using Params = std::vector<std::optional<std::string>>;

SqlStore& sql_of(Store& sink) {
    if (sink.sql() == nullptr || sink.sql()->dialect() != Dialect::clickhouse) {
        throw Error(Code::refused, "store '" + sink.name() + "' takes no copies of tables", "sync snapshot copies into ClickHouse");
    }
    return *sink.sql();
}

}  // namespace

SnapshotState::SnapshotState(Store& sink, std::string set, Deadline deadline) : sql_(sql_of(sink)), set_(std::move(set)) {
    for (const std::string& statement : split(embedded_file("sql/ysdb/clickhouse/snapshots.sql"), ';')) {
        if (!trim(statement).empty()) sql_.query(statement, deadline);
    }
}

std::optional<std::string> SnapshotState::unfinished_run(Deadline deadline) {
    const SqlResult result = sql_.query(
        "SELECT run FROM ysdb.snapshots WHERE set_name = {p1:String} GROUP BY run ORDER BY min(at) DESC LIMIT 1",
        Params{set_}, deadline);
    if (result.rows() == 0) return std::nullopt;
    const std::string run = result.row(0).text(0);
    const SqlResult finished = sql_.query("SELECT count() FROM ysdb.snapshots WHERE set_name = {p1:String} AND run = {p2:String} AND event = 'run finished'",
                                          Params{set_, run}, deadline);
    return finished.row(0).integer(0) == 0 ? std::optional(run) : std::nullopt;
}

std::set<std::string> SnapshotState::finished_tables(const std::string& run, Deadline deadline) {
    const SqlResult result = sql_.query(
        "SELECT DISTINCT table_name FROM ysdb.snapshots WHERE set_name = {p1:String} AND run = {p2:String} AND event = 'table finished'", Params{set_, run}, deadline);
    std::set<std::string> tables;
    for (std::size_t i = 0; i < result.rows(); ++i) tables.insert(result.row(i).text(0));
    return tables;
}

void SnapshotState::begin_run(const std::string& run, Deadline deadline) { append(run, "", "run begun", 0, 0, 0, deadline); }

void SnapshotState::finish_table(const std::string& run, const std::string& table, std::uint64_t position, std::uint64_t rows, std::uint64_t rejected, Deadline deadline) {
    append(run, table, "table finished", position, rows, rejected, deadline);
}

void SnapshotState::finish_run(const std::string& run, Deadline deadline) { append(run, "", "run finished", 0, 0, 0, deadline); }

void SnapshotState::append(const std::string& run, const std::string& table, const std::string& event, std::uint64_t position, std::uint64_t rows,
                           std::uint64_t rejected, Deadline deadline) {
    sql_.query(
        "INSERT INTO ysdb.snapshots (set_name, run, table_name, event, position, rows, rejected)"
        " SELECT {p1:String}, {p2:String}, {p3:String}, {p4:String}, {p5:UInt64}, {p6:UInt64}, {p7:UInt64}",
        Params{set_, run, table, event, std::to_string(position), std::to_string(rows), std::to_string(rejected)}, deadline);
}

}  // namespace ysdb::sync
