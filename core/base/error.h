// The one error type. Thrown where an operation ends, caught in main, at a thread's edge, and at a job's isolation unit.
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <utility>

namespace ysdb {

// The exit codes of the program; an error's code is the exit code it leads to when nobody handles it.
enum class Code : int {
    ok = 0,
    differences = 1,   // ran, and found differences or a failed check
    usage = 2,         // the command line
    config = 3,        // the configuration
    connect = 4,       // cannot connect or log in
    rejected = 5,      // the server refused the statement
    locked = 6,        // another run holds the lock
    refused = 7,       // not confirmed, or a precondition does not hold
    partial = 8,       // partly done, resumable
    internal = 70,
    interrupted = 130, // SIGINT
    terminated = 143,  // SIGTERM
};

// Thread-safety: a value. Never carries a secret: whoever builds the message redacts first.
class Error : public std::exception {
public:
    // `message`: one lowercase line, what and where. `hint`: the next step, or empty.
    Error(Code code, std::string message, std::string hint = {})
        : code_(code), message_(std::move(message)), hint_(std::move(hint)) {}

    Code code() const noexcept { return code_; }
    const std::string& message() const noexcept { return message_; }
    const std::string& hint() const noexcept { return hint_; }
    // The server's own code: a SQLSTATE ("55P03"), a ClickHouse error number ("517"), or empty.
    const std::string& server_code() const noexcept { return server_code_; }
    // True when the same call may succeed later (lost connection, lock timeout, server starting up).
    bool retryable() const noexcept { return retryable_; }
    // Lines that show the place (source with a caret), printed between message and hint; or empty.
    const std::string& excerpt() const noexcept { return excerpt_; }
    // The character of the statement (from 1) at which the server stopped; 0: it did not say.
    std::size_t position() const noexcept { return position_; }
    const char* what() const noexcept override { return message_.c_str(); }

    Error& with_server_code(std::string code) & { server_code_ = std::move(code); return *this; }
    Error&& with_server_code(std::string code) && { server_code_ = std::move(code); return std::move(*this); }
    // What else to know or to do, behind the hint.
    Error& with_more_hint(const std::string& more) & { hint_ += (hint_.empty() || more.empty() ? "" : "; ") + more; return *this; }
    Error&& with_excerpt(std::string lines) && { excerpt_ = std::move(lines); return std::move(*this); }
    Error& with_position(std::size_t position) & { position_ = position; return *this; }
    Error&& with_position(std::size_t position) && { position_ = position; return std::move(*this); }
    Error& with_retryable(bool yes = true) & { retryable_ = yes; return *this; }
    Error&& with_retryable(bool yes = true) && { retryable_ = yes; return std::move(*this); }

private:
    Code code_;
    std::string message_;
    std::string hint_;
    std::string server_code_;
    std::string excerpt_;
    std::size_t position_ = 0;
    bool retryable_ = false;
};

}  // namespace ysdb
