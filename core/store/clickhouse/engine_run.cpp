#include "core/store/clickhouse/engine_run.h"

#include <algorithm>
#include <array>

namespace ysdb::clickhouse {

std::unique_ptr<EngineSession> prepared_session(Engine& engine, const std::string& database, const Settings& settings, const std::string& query_id) {
    auto session = engine.session();
    // The engine's default, asynchronous inserts, acknowledges rows that are not stored yet.
    std::string set = "SET async_insert = 0, log_comment = " + literal(query_id);
    for (const auto& [name, value] : settings) set += ", " + quote(name) + " = " + literal(value);
    if (const auto failed = session->prepare(set).error()) throw EngineFailure{*failed};
    if (!database.empty() && database != "default") {
        if (const auto failed = session->prepare("USE " + quote(database)).error()) throw EngineFailure{*failed};
    }
    return session;
}

std::string engine_sql(const Statement& statement) {
    const bool kill = statement.verb == Statement::Verb::kill;
    if (!kill && !statement.reads_processes) return statement.sql;
    std::string out;
    std::size_t copied = 0;
    const auto replace = [&](const char* from, const char* to, std::string_view by) {
        out.append(statement.sql, copied, static_cast<std::size_t>(from - statement.sql.data()) - copied);
        out += by;
        copied = static_cast<std::size_t>(to - statement.sql.data());
    };
    Scanner scanner(statement.sql);
    Token before_dot, dot;
    for (Token token = scanner.next(); token.kind != Token::Kind::end; token = scanner.next()) {
        const char* end = token.text.data() + token.text.size();
        if (kill && (token.is("query_id") || token.text == "`query_id`")) replace(token.text.data(), end, "Settings['log_comment']");
        else if (kill && token.is("sync")) replace(token.text.data(), end, "ASYNC");
        else if (!kill && token.is("processes") && dot.is_symbol('.') && before_dot.is("system"))
            replace(before_dot.text.data(), end, "(SELECT * REPLACE (Settings['log_comment'] AS query_id) FROM system.processes)");
        before_dot = dot;
        dot = token;
    }
    return out + statement.sql.substr(copied);
}

std::string infile_sql(const Statement& statement, const std::string& path, const std::string& format, const std::string& compression) {
    std::string sql = statement.sql.substr(0, statement.infile_at) + " FROM INFILE '" + path + "' ";
    if (!compression.empty()) sql += "COMPRESSION " + literal(compression) + " ";
    sql += statement.sql.substr(statement.infile_at);
    if (statement.format.empty()) sql += " FORMAT " + format;
    return sql;
}

bool streams(std::string_view format) {
    static constexpr auto headless = std::to_array<std::string_view>(
        {"Native", "RowBinary", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "JSONEachRow", "JSONCompactEachRow", "NDJSON", "LineAsString", "Values"});
    return std::find(headless.begin(), headless.end(), format) != headless.end();
}

}  // namespace ysdb::clickhouse
