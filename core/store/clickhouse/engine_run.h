// Running one client's statement on the embedded engine: what the gateway and the embedded transport share.
#pragma once

#include <memory>
#include <string>

#include "core/store/clickhouse/engine.h"
#include "core/store/clickhouse/statement.h"
#include "core/store/clickhouse/transport.h"

namespace ysdb::clickhouse {

// The engine's message of a statement that failed. Leaves as the client's own kind of error.
struct EngineFailure {
    std::string message;
};

// A fresh session with these settings and database. The engine cannot be told a query id: it is kept in log_comment.
// Throws EngineFailure.
std::unique_ptr<EngineSession> prepared_session(Engine& engine, const std::string& database, const Settings& settings, const std::string& query_id);

// The statement as the engine must see it: KILL QUERY and system.processes find the client's query ids; KILL never waits (it would hang).
std::string engine_sql(const Statement& statement);

// An INSERT that takes its data from a file. `format`: when the statement names none. `compression`: as ClickHouse names it, or empty.
std::string infile_sql(const Statement& statement, const std::string& path, const std::string& format, const std::string& compression);

// True when the result may be taken piece by piece: no header that each piece would repeat.
bool streams(std::string_view format);

}  // namespace ysdb::clickhouse
