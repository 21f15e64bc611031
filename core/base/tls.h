// The client side of TLS on a non-blocking socket.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/stream.h"

namespace ysdb {

// One thread at a time. Does not own the socket. Errors are Error(connect), not retryable where TLS does not fit.
class TlsClient {
public:
    // Throws Error(config) when a file cannot be read.
    TlsClient(int fd, const TlsOptions& options, const std::string& host);
    ~TlsClient();
    TlsClient(const TlsClient&) = delete;
    TlsClient& operator=(const TlsClient&) = delete;

    // False: wait for read_wants() and call again.
    bool handshake();
    std::size_t write_some(std::string_view data);              // 0: wait
    std::optional<std::size_t> read_some(std::span<char> into);  // nothing: wait; 0: closed
    // What poll() must wait for before the call may go on: TLS may have to write before it can read, and read before it can write.
    short read_wants() const { return read_wants_; }
    short write_wants() const { return write_wants_; }
    // Bytes already decrypted and not yet read.
    bool pending() const;

private:
    bool blocked(int result, short& wants);
    [[noreturn]] void fail(const char* doing);

    struct Handles;
    std::unique_ptr<Handles> handles_;
    std::string host_;
    short read_wants_;
    short write_wants_;
};

}  // namespace ysdb
