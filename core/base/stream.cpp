#include "core/base/stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/tls.h"

namespace ysdb {

namespace {

Error broken(const std::string& reason) { return Error(Code::connect, reason).with_retryable(); }
Error broken(int number) { return broken(lower(std::strerror(number))); }

// True when ready; false at the deadline.
bool poll_one(int fd, short events, Deadline deadline) {
    while (true) {
        pollfd waiting{fd, events, 0};
        const int ready = poll(&waiting, 1, static_cast<int>(std::min<Millis::rep>(deadline.left().count() + 1, 60'000)));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) throw broken(errno);
        if (deadline.passed()) return false;
    }
}

// The error number, 0 when connected.
int connect_one(int fd, const Address& address, Deadline deadline) {
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    if (!poll_one(fd, POLLOUT, deadline)) return ETIMEDOUT;
    int number = 0;
    socklen_t size = sizeof number;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size);
    return number;
}

}  // namespace

Stream::Stream(int fd) : fd_(fd) {}
Stream::Stream(Stream&& other) noexcept : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {}
Stream& Stream::operator=(Stream&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(tls_, other.tls_);
    return *this;
}
Stream::~Stream() {
    tls_.reset();
    if (fd_ >= 0) close(fd_);
}

Stream Stream::connect(const Endpoint& endpoint, Deadline deadline) { return connect(look_up(endpoint, deadline), deadline); }

Stream Stream::connect(std::span<const Address> addresses, Deadline deadline) {
    int number = ECONNREFUSED;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        Stream stream(socket(addresses[i].bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        number = stream.fd_ < 0 ? errno : connect_one(stream.fd_, addresses[i], share_of(deadline, addresses.size() - i));
        if (number != 0) continue;
        const int yes = 1;
        setsockopt(stream.fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        setsockopt(stream.fd_, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
        return stream;
    }
    throw broken(number);
}

void Stream::start_tls(const TlsOptions& options, const std::string& host, Deadline deadline) {
    tls_ = std::make_unique<TlsClient>(fd_, options, host);
    while (!tls_->handshake()) {
        if (!poll_one(fd_, tls_->read_wants(), deadline)) throw broken("no answer in time to the TLS handshake");
    }
}

std::size_t Stream::write_some(std::string_view data) {
    if (tls_) return tls_->write_some(data);
    while (true) {
        const ssize_t sent = send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
        if (sent >= 0) return static_cast<std::size_t>(sent);
        if (errno == EAGAIN) return 0;
        if (errno != EINTR) throw broken(errno);
    }
}

std::optional<std::size_t> Stream::read_some(std::span<char> into) {
    if (tls_) return tls_->read_some(into);
    while (true) {
        const ssize_t got = recv(fd_, into.data(), into.size(), 0);
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno == EAGAIN) return std::nullopt;
        if (errno != EINTR) throw broken(errno);
    }
}

void Stream::wait(bool writing, Deadline deadline) {
    const int reading = tls_ ? tls_->read_wants() : POLLIN;
    const auto events = static_cast<short>(writing ? reading | (tls_ ? tls_->write_wants() : POLLOUT) : reading);
    if (!poll_one(fd_, events, deadline)) throw broken("no answer in time");
}

void Stream::write_all(std::string_view data, Deadline deadline) {
    while (!data.empty()) {
        const std::size_t sent = write_some(data);
        data.remove_prefix(sent);
        if (sent == 0) wait(true, deadline);
    }
}

std::size_t Stream::read(std::span<char> into, Deadline deadline) {
    while (true) {
        if (const auto got = read_some(into)) return *got;
        wait(false, deadline);
    }
}

bool Stream::idle() const {
    pollfd waiting{fd_, POLLIN, 0};
    return poll(&waiting, 1, 0) == 0 && !(tls_ && tls_->pending());
}

}  // namespace ysdb
