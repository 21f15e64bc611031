// A TCP connection, with TLS or without, on which no call waits past its deadline: name lookup, connect and handshake included.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/base/url.h"

namespace ysdb {

// PEM files. The server's certificate and its name are always verified: against `ca_file`, or the system's roots when it is empty.
struct TlsOptions {
    std::string ca_file;
    std::string cert_file;  // the client's own, where the server asks for one
    std::string key_file;
};

// One thread at a time; movable. Errors are Error(connect) with the bare reason ("connection refused"): the driver that catches them
// knows which store it was. Retryable unless TLS does not fit. The process must ignore SIGPIPE.
class Stream {
public:
    // Tries each address of the host until one accepts; a silent one takes no more than its share of the time.
    static Stream connect(const Endpoint& endpoint, Deadline deadline);
    static Stream connect(std::span<const Address> addresses, Deadline deadline);
    Stream(Stream&&) noexcept;
    Stream& operator=(Stream&&) noexcept;
    ~Stream();

    // `host`: the name the server's certificate must carry.
    void start_tls(const TlsOptions& options, const std::string& host, Deadline deadline);

    // Never wait. write_some: how many bytes were taken, 0 when none can be now. read_some: nothing when no bytes are there now, 0 when
    // the server closed the connection.
    std::size_t write_some(std::string_view data);
    std::optional<std::size_t> read_some(std::span<char> into);
    // Waits until read_some (or write_some, when `writing`) is worth calling. Throws at the deadline.
    void wait(bool writing, Deadline deadline);

    void write_all(std::string_view data, Deadline deadline);
    // At least one byte; 0 when the server closed the connection.
    std::size_t read(std::span<char> into, Deadline deadline);

    // True when the server has neither closed the connection nor sent anything unasked: it may be used again.
    bool idle() const;

private:
    explicit Stream(int fd);
    int fd_ = -1;
    std::unique_ptr<class TlsClient> tls_;
};

}  // namespace ysdb
