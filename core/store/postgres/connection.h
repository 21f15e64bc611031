// One PostgreSQL connection over libpq, non-blocking, every wait bounded: sessions, COPY and what else libpqxx does not have.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/store/postgres/conninfo.h"
#include "core/store/store.h"

// libpq's own opaque types.
struct pg_conn;
struct pg_result;

namespace ysdb::postgres {

// Not thread-safe, except cancel(). After an Error(connect) it is unusable.
class Connection final : public SqlSession {
public:
    // To the first of the target's hosts that takes it; a silent one uses up no more than its share of the time.
    static std::unique_ptr<Connection> open(const Target& target, const std::string& label, Deadline deadline);
    ~Connection() override;

    SqlResult query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline) override;
    using SqlSession::query;
    // Pipelined; a COPY ... FROM STDIN ends one pipeline and begins the next.
    ScriptResult script(std::span<const SqlStatement> statements, Deadline deadline) override;
    void cancel() noexcept override;
    void set_label(const std::string& label) override;
    std::int64_t backend_id() const override;

    // --- COPY ... TO STDOUT ---
    void start_copy_out(const std::string& sql, Deadline deadline);
    // The next CopyData message, valid until the next call; empty at the end. Waits at most `idle` for bytes, and ends early with
    // Error(interrupted) when `stop` is requested.
    std::string_view read_copy(Millis idle, std::stop_token stop);

    // --- COPY ... FROM STDIN ---
    void start_copy_in(const std::string& sql, Deadline deadline);
    void write_copy(const void* data, std::size_t size, Millis idle);
    // Ends the COPY; returns the rows the server took.
    std::uint64_t finish_copy_in(Deadline deadline);

    // --- COPY BOTH: the stream of a replication connection (a target with the keyword replication); write_copy() sends back ---
    void start_copy_both(const std::string& sql, Deadline deadline);
    // The next CopyData message, valid until the next call; nothing within `wait`. Throws Error(connect, retryable) when the server ended the
    // stream, Error(interrupted) on `stop`.
    std::optional<std::string_view> poll_copy(Millis wait, std::stop_token stop);

private:
    static std::unique_ptr<Connection> open_one(const Target& target, const std::string& label, Deadline deadline);
    Connection(Target target, pg_conn* connection);
    void wait(bool writing, Deadline deadline, const char* doing);
    void flush(Deadline deadline, const char* doing);
    pg_result* next_result(Deadline deadline, const char* doing);
    [[noreturn]] void fail(pg_result* result);
    ScriptResult pipeline(std::span<const SqlStatement> statements, Deadline deadline);
    void copy_in(const SqlStatement& statement, Deadline deadline);
    [[noreturn]] void fail_connection();

    Target target_;
    pg_conn* connection_;
    char* copy_row_ = nullptr;
};

}  // namespace ysdb::postgres
