#include "core/store/postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "core/store/postgres/errors.h"
#include "core/store/postgres/ways.h"

namespace ysdb::postgres {

namespace {

struct ClearResult {
    void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ClearResult>;

// True when the socket is ready, false at the deadline.
bool wait_socket(int fd, bool writing, Deadline deadline) {
    pollfd entry{fd, static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN), 0};
    while (true) {
        const int ready = poll(&entry, 1, static_cast<int>(std::min<long long>(deadline.left().count(), 60'000)));
        if (ready > 0) return true;
        if (ready == 0 && deadline.passed()) return false;
    }
}

}  // namespace

std::unique_ptr<Connection> Connection::open(const Target& target, const std::string& label, Deadline deadline) {
    return open_any(target, deadline, [&](const Target& way, Deadline share) { return open_one(way, label, share); });
}

std::unique_ptr<Connection> Connection::open_one(const Target& target, const std::string& label, Deadline deadline) {
    std::vector<const char*> keys, values;
    for (const auto& [key, value] : target.keywords) {
        keys.push_back(key.c_str());
        values.push_back(value.c_str());
    }
    for (const auto& [key, value] : {std::pair<const char*, const char*>{"application_name", label.c_str()}, {nullptr, nullptr}}) {
        keys.push_back(key);
        values.push_back(value);
    }
    std::unique_ptr<Connection> self(new Connection(target, PQconnectStartParams(keys.data(), values.data(), 0)));
    PGconn* connection = self->connection_;
    if (connection == nullptr || PQstatus(connection) == CONNECTION_BAD) {
        throw connect_error(target.store, target.redacted_url, connection == nullptr ? "out of memory" : PQerrorMessage(connection));
    }
    PQsetNoticeProcessor(connection, [](void*, const char*) {}, nullptr);  // libpq would print them
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (!wait_socket(PQsocket(connection), state == PGRES_POLLING_WRITING, deadline)) {
            throw connect_error(target.store, target.redacted_url, "no answer in time");
        }
        state = PQconnectPoll(connection);
        if (state == PGRES_POLLING_FAILED) throw connect_error(target.store, target.redacted_url, PQerrorMessage(connection));
    }
    PQsetnonblocking(connection, 1);
    return self;
}

Connection::Connection(Target target, PGconn* connection) : target_(std::move(target)), connection_(connection) {}

Connection::~Connection() {
    if (copy_row_ != nullptr) PQfreemem(copy_row_);
    if (connection_ != nullptr) PQfinish(connection_);
}

void Connection::wait(bool writing, Deadline deadline, const char* doing) {
    if (!wait_socket(PQsocket(connection_), writing, deadline)) {
        cancel();
        throw timeout_error(target_.store, doing);
    }
}

void Connection::flush(Deadline deadline, const char* doing) {
    while (true) {
        const int left = PQflush(connection_);
        if (left < 0) fail_connection();
        if (left == 0) return;
        wait(true, deadline, doing);
        if (PQconsumeInput(connection_) == 0) fail_connection();
    }
}

PGresult* Connection::next_result(Deadline deadline, const char* doing) {
    flush(deadline, doing);
    while (PQisBusy(connection_) != 0) {
        wait(false, deadline, doing);
        if (PQconsumeInput(connection_) == 0) fail_connection();
    }
    return PQgetResult(connection_);
}

void Connection::fail(PGresult* raw) {
    const Result result(raw);
    const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    const char* primary = PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY);
    const char* detail = PQresultErrorField(result.get(), PG_DIAG_MESSAGE_DETAIL);
    std::string message = primary != nullptr ? primary : PQresultErrorMessage(result.get());
    if (detail != nullptr) message += std::string(" (") + detail + ")";
    Error error = statement_error(target_.store, state != nullptr ? state : "", message);
    const char* hint = PQresultErrorField(result.get(), PG_DIAG_MESSAGE_HINT);
    if (hint != nullptr && error.hint().empty()) error = Error(error.code(), error.message(), hint).with_server_code(error.server_code()).with_retryable(error.retryable());
    if (const char* position = PQresultErrorField(result.get(), PG_DIAG_STATEMENT_POSITION)) error.with_position(std::stoul(position));
    throw error;
}

void Connection::fail_connection() { throw statement_error(target_.store, "", PQerrorMessage(connection_)); }

SqlResult Connection::query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline) {
    const std::string text(sql);
    std::vector<const char*> values;
    for (const auto& param : params) values.push_back(param ? param->c_str() : nullptr);
    // Without parameters the simple protocol: it takes statements that cannot be prepared, and several at once.
    const int sent = params.empty() ? PQsendQuery(connection_, text.c_str())
                                    : PQsendQueryParams(connection_, text.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0);
    if (sent == 0) fail_connection();
    SqlResult answer;
    Result failed;
    while (PGresult* raw = next_result(deadline, "waiting for a statement")) {
        Result result(raw);
        const ExecStatusType status = PQresultStatus(result.get());
        if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
            failed = std::move(result);
            continue;
        }
        const int columns = PQnfields(result.get());
        answer = {};
        for (int c = 0; c < columns; ++c) answer.columns.emplace_back(PQfname(result.get(), c));
        const int rows = PQntuples(result.get());
        answer.cells.reserve(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
        for (int r = 0; r < rows; ++r) {
            for (int c = 0; c < columns; ++c) {
                if (PQgetisnull(result.get(), r, c) != 0) answer.cells.emplace_back(std::nullopt);
                else answer.cells.emplace_back(std::string(PQgetvalue(result.get(), r, c), static_cast<std::size_t>(PQgetlength(result.get(), r, c))));
            }
        }
        const std::string affected = PQcmdTuples(result.get());
        answer.affected = affected.empty() ? 0 : std::stoull(affected);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
            throw Error(Code::internal, "store '" + target_.store + "': COPY is not a plain statement");
        }
    }
    if (failed) fail(failed.release());
    return answer;
}

void Connection::cancel() noexcept {
    PGcancel* request = PQgetCancel(connection_);
    if (request == nullptr) return;
    // PQcancel blocks for as long as a stopped server pleases: it gets a thread of its own, which owns the request.
    try {
        std::thread([request] {
            char message[256];
            PQcancel(request, message, sizeof message);
            PQfreeCancel(request);
        }).detach();
    } catch (...) {
        PQfreeCancel(request);
    }
}

void Connection::set_label(const std::string& label) {
    query("SELECT set_config('application_name', $1, false)", std::vector<std::optional<std::string>>{label}, Deadline::after(Millis(30'000)));
}

std::int64_t Connection::backend_id() const { return PQbackendPID(connection_); }

void Connection::start_copy_out(const std::string& sql, Deadline deadline) {
    if (PQsendQuery(connection_, sql.c_str()) == 0) fail_connection();
    Result result(next_result(deadline, "starting a COPY"));
    if (PQresultStatus(result.get()) != PGRES_COPY_OUT) fail(result.release());
}

std::string_view Connection::read_copy(Millis idle, std::stop_token stop) {
    if (copy_row_ != nullptr) PQfreemem(std::exchange(copy_row_, nullptr));
    while (true) {
        const int size = PQgetCopyData(connection_, &copy_row_, 1);
        if (size > 0) return {copy_row_, static_cast<std::size_t>(size)};
        if (size == 0) {
            if (stop.stop_requested()) {
                cancel();
                throw Error(Code::interrupted, "interrupted while reading from store '" + target_.store + "'");
            }
            wait(false, Deadline::after(idle), "reading rows");
            if (PQconsumeInput(connection_) == 0) fail_connection();
            continue;
        }
        while (PGresult* raw = next_result(Deadline::after(idle), "ending a COPY")) {
            Result result(raw);
            if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) fail(result.release());
        }
        return {};
    }
}

void Connection::start_copy_in(const std::string& sql, Deadline deadline) {
    if (PQsendQuery(connection_, sql.c_str()) == 0) fail_connection();
    Result result(next_result(deadline, "starting a COPY"));
    if (PQresultStatus(result.get()) != PGRES_COPY_IN) fail(result.release());
}

void Connection::write_copy(const void* data, std::size_t size, Millis idle) {
    const char* bytes = static_cast<const char*>(data);
    while (true) {
        const int put = PQputCopyData(connection_, bytes, static_cast<int>(size));
        if (put > 0) break;
        if (put < 0) fail_connection();
        flush(Deadline::after(idle), "writing rows");
    }
    flush(Deadline::after(idle), "writing rows");
}

std::uint64_t Connection::finish_copy_in(Deadline deadline) {
    while (true) {
        const int ended = PQputCopyEnd(connection_, nullptr);
        if (ended > 0) break;
        if (ended < 0) fail_connection();
        flush(deadline, "ending a COPY");
    }
    std::uint64_t rows = 0;
    Result failed;
    while (PGresult* raw = next_result(deadline, "ending a COPY")) {
        Result result(raw);
        if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) failed = std::move(result);
        else if (const std::string count = PQcmdTuples(result.get()); !count.empty()) rows = std::stoull(count);
    }
    if (failed) fail(failed.release());
    return rows;
}

void Connection::start_copy_both(const std::string& sql, Deadline deadline) {
    if (PQsendQuery(connection_, sql.c_str()) == 0) fail_connection();
    Result result(next_result(deadline, "starting replication"));
    if (PQresultStatus(result.get()) != PGRES_COPY_BOTH) fail(result.release());
}

std::optional<std::string_view> Connection::poll_copy(Millis wait, std::stop_token stop) {
    constexpr Millis stop_checked{100};
    if (copy_row_ != nullptr) PQfreemem(std::exchange(copy_row_, nullptr));
    const Deadline deadline = Deadline::after(wait);
    while (true) {
        const int size = PQgetCopyData(connection_, &copy_row_, 1);
        if (size > 0) return std::string_view(copy_row_, static_cast<std::size_t>(size));
        if (size == 0) {
            if (stop.stop_requested()) throw Error(Code::interrupted, "interrupted while reading from store '" + target_.store + "'");
            const bool ready = wait_socket(PQsocket(connection_), false, Deadline::after(std::min(deadline.left(), stop_checked)));
            if (ready && PQconsumeInput(connection_) == 0) fail_connection();
            if (!ready && deadline.passed()) return std::nullopt;
            continue;
        }
        if (size == -1) {
            Result result(next_result(Deadline::after(Millis(1'000)), "ending replication"));
            if (result && PQresultStatus(result.get()) == PGRES_FATAL_ERROR) fail(result.release());
            throw Error(Code::connect, "store '" + target_.store + "' ended the stream of changes").with_retryable();
        }
        fail_connection();
    }
}

}  // namespace ysdb::postgres
