#include "tests/live/cutting_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "core/base/text.h"

namespace ysdb::test {

namespace {

sockaddr_in local(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

void send_all(int to, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

// The size of the first whole request in these bytes, 0 while it is not whole.
std::size_t whole_request(std::string_view bytes) {
    const auto head = bytes.find("\r\n\r\n");
    if (head == std::string_view::npos) return 0;
    const std::string headers = lower(bytes.substr(0, head));
    constexpr std::string_view name = "content-length:";
    const auto at = headers.find(name);
    const std::size_t size = head + 4 + (at == std::string::npos ? 0 : std::strtoul(headers.c_str() + at + name.size(), nullptr, 10));
    return size <= bytes.size() ? size : 0;
}

}  // namespace

CuttingProxy::CuttingProxy(int server_port, Protocol protocol) : protocol_(protocol), server_port_(server_port), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = local(0);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0 || getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("no port for the proxy");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { accept_all(); });
}

CuttingProxy::~CuttingProxy() {
    ending_ = true;
    acceptor_.join();
    threads_.clear();
    close(listener_);
}

void CuttingProxy::cut(int request, When when) {
    const std::lock_guard lock(mutex_);
    when_ = when;
    seen_ = 0;
    at_ = request;
    was_cut_.clear();
}

void CuttingProxy::answer(const std::string& part, const std::string& response, int times) {
    const std::lock_guard lock(mutex_);
    part_ = part;
    response_ = response;
    answers_left_ = times;
    answered_ = 0;
}

int CuttingProxy::answered() {
    const std::lock_guard lock(mutex_);
    return answered_;
}

std::string CuttingProxy::refusal(int code, const std::string& message) {
    const std::string body = "Code: " + std::to_string(code) + ". DB::Exception: " + message + " (version 26.5.3.1)\n";
    return "HTTP/1.1 500 Internal Server Error\r\nX-ClickHouse-Exception-Code: " + std::to_string(code) + "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string CuttingProxy::answer_to(const std::string& request) {
    const std::lock_guard lock(mutex_);
    if (answers_left_ == 0 || request.find(part_) == std::string::npos) return {};
    --answers_left_;
    ++answered_;
    return response_;
}

std::string CuttingProxy::was_cut() {
    const std::lock_guard lock(mutex_);
    return was_cut_;
}

void CuttingProxy::accept_all() {
    while (!ending_) {
        pollfd waiting{listener_, POLLIN, 0};
        if (poll(&waiting, 1, 50) <= 0) continue;
        const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) continue;
        const std::lock_guard lock(mutex_);
        threads_.emplace_back([this, client] {
            serve(client);
            close(client);
        });
    }
}

void CuttingProxy::serve(int client) {
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = local(server_port_);
    std::string pending;
    bool cut_answer = connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0;
    char buffer[65536];
    const int dropped = dropped_;
    for (bool open = !cut_answer; open && !ending_ && dropped == dropped_;) {
        pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
        if (poll(both, 2, 50) <= 0) continue;
        if (both[1].revents != 0) {
            const ssize_t got = recv(server, buffer, sizeof buffer, 0);
            if (got <= 0 || cut_answer) break;
            send_all(client, {buffer, static_cast<std::size_t>(got)});
        }
        if (both[0].revents == 0) continue;
        const ssize_t got = recv(client, buffer, sizeof buffer, 0);
        if (got <= 0) break;
        pending.append(buffer, static_cast<std::size_t>(got));
        while (const std::size_t size = protocol_ == Protocol::any ? pending.size() : whole_request(pending)) {
            const bool here = ++seen_ == at_;
            if (here) {
                const std::lock_guard lock(mutex_);
                was_cut_ = pending.substr(0, size);
            }
            open = !here || when_ == When::after;
            cut_answer = here;
            const std::string answer = protocol_ == Protocol::http ? answer_to(pending.substr(0, size)) : std::string();
            if (open && !answer.empty()) send_all(client, answer);
            else if (open) send_all(server, pending.substr(0, size));
            pending.erase(0, size);
        }
    }
    close(server);
}

}  // namespace ysdb::test
