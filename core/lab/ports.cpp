#include "core/lab/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fmt/format.h>
#include <random>
#include <utility>

#include "core/base/error.h"

namespace ysdb::lab {

namespace {

class Socket {
public:
    Socket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
    ~Socket() {
        if (fd_ >= 0) close(fd_);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    int fd() const { return fd_; }

private:
    int fd_;
};

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool wait_for(int fd, short events, Deadline deadline) {
    pollfd entry{fd, events, 0};
    return poll(&entry, 1, static_cast<int>(deadline.left().count())) == 1;
}

bool connected(const Socket& socket, int port, Deadline deadline) {
    const sockaddr_in address = loopback(port);
    if (connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
    if (errno != EINPROGRESS || !wait_for(socket.fd(), POLLOUT, deadline)) return false;
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

}  // namespace

bool port_is_free(int port) {
    const Socket socket;
    const int yes = 1;
    setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);  // as servers do: TIME_WAIT does not count
    const sockaddr_in address = loopback(port);
    return bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && listen(socket.fd(), 1) == 0;
}

int choose_port() {
    static thread_local std::mt19937 random{std::random_device{}()};
    std::uniform_int_distribution<int> range(20'000, 31'999);
    for (int tries = 0; tries < 200; ++tries) {
        const int port = range(random);
        if (port_is_free(port)) return port;
    }
    throw Error(Code::refused, "no free port on 127.0.0.1 between 20000 and 31999");
}

std::optional<std::string> tcp_exchange(int port, std::string_view request, Millis limit) {
    const Deadline deadline = Deadline::after(limit);
    const Socket socket;
    if (!connected(socket, port, deadline)) return std::nullopt;
    while (!request.empty()) {
        const ssize_t sent = send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL);
        if (sent < 0 && (errno != EAGAIN || !wait_for(socket.fd(), POLLOUT, deadline))) return std::nullopt;
        if (sent > 0) request.remove_prefix(static_cast<std::size_t>(sent));
    }
    if (!wait_for(socket.fd(), POLLIN, deadline)) return std::nullopt;
    std::string answer(4096, '\0');
    const ssize_t got = recv(socket.fd(), answer.data(), answer.size(), 0);
    if (got <= 0) return std::nullopt;
    answer.resize(static_cast<std::size_t>(got));
    return answer;
}

bool tcp_accepts(int port) {
    const Socket socket;
    return connected(socket, port, Deadline::after(Millis(500)));
}

bool http_answers(int port, std::string_view path, std::string_view expected) {
    const auto answer = tcp_exchange(port, fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path), Millis(2'000));
    return answer && answer->starts_with("HTTP/1.1 2") && answer->find(expected) != std::string::npos;
}

}  // namespace ysdb::lab
