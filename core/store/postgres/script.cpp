// Many statements in one round trip: libpq's pipeline mode.
#include <libpq-fe.h>

#include <algorithm>

#include "core/base/fault.h"
#include "core/store/postgres/connection.h"

namespace ysdb::postgres {

namespace {
constexpr std::size_t copy_chunk = 1 << 20;
}

ScriptResult Connection::script(std::span<const SqlStatement> statements, Deadline deadline) {
    std::size_t done = 0;
    while (done < statements.size()) {
        const auto rest = statements.subspan(done);
        if (rest.front().copy_rows) {
            try {
                copy_in(rest.front(), deadline);
            } catch (const Error& error) {
                while (PGresult* left = next_result(deadline, "ending a COPY")) PQclear(left);
                return {done, error};
            }
            ++done;
            continue;
        }
        const auto copy = std::find_if(rest.begin(), rest.end(), [](const SqlStatement& s) { return s.copy_rows.has_value(); });
        ScriptResult part = pipeline(rest.first(static_cast<std::size_t>(copy - rest.begin())), deadline);
        done += part.done;
        if (part.error) return {done, std::move(part.error)};
    }
    return {done, std::nullopt};
}

ScriptResult Connection::pipeline(std::span<const SqlStatement> statements, Deadline deadline) {
    if (PQenterPipelineMode(connection_) == 0) fail_connection();
    for (const SqlStatement& statement : statements) {
        const std::string text(statement.sql);
        std::vector<const char*> values;
        for (const auto& param : statement.params) values.push_back(param ? param->c_str() : nullptr);
        if (PQsendQueryParams(connection_, text.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0) == 0) fail_connection();
    }
    if (PQpipelineSync(connection_) == 0) fail_connection();
    flush(deadline, "sending statements");
    fault::point("postgres.script.sent");

    ScriptResult result;
    for (std::size_t i = 0; i < statements.size(); ++i) {
        while (PGresult* answer = next_result(deadline, "waiting for a statement")) {
            const ExecStatusType status = PQresultStatus(answer);
            if (status == PGRES_FATAL_ERROR && !result.error) {
                try {
                    fail(answer);
                } catch (const Error& error) {
                    result.error = error;
                }
                continue;
            }
            PQclear(answer);
            // Nobody feeds or reads it, and it would never end.
            if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) throw Error(Code::internal, "store '" + target_.store + "': COPY from or to the client is not a plain statement");
        }
        if (!result.error) ++result.done;
    }
    while (PGresult* answer = next_result(deadline, "waiting for a statement")) {
        const bool synced = PQresultStatus(answer) == PGRES_PIPELINE_SYNC;
        PQclear(answer);
        if (synced) break;
    }
    // A connection that broke on the way cannot leave the mode; the error says so already.
    if (PQexitPipelineMode(connection_) == 0 && !result.error) fail_connection();
    return result;
}

void Connection::copy_in(const SqlStatement& statement, Deadline deadline) {
    start_copy_in(std::string(statement.sql), deadline);
    const std::string_view rows = *statement.copy_rows;
    for (std::size_t at = 0; at < rows.size(); at += copy_chunk) write_copy(rows.data() + at, std::min(copy_chunk, rows.size() - at), deadline.left());
    finish_copy_in(deadline);
}

}  // namespace ysdb::postgres
