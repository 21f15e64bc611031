#include "tests/live/servers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "core/lab/ports.h"
#include "tests/live/support.h"

namespace ysdb::test {

namespace {

int listen_on_loopback(int& port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 16) != 0) throw Error(Code::internal, "cannot listen");
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    return fd;
}

// A client's socket; -1 when none came for a moment.
int accept_soon(int fd) {
    pollfd waiting{fd, POLLIN, 0};
    return poll(&waiting, 1, 20) > 0 ? accept(fd, nullptr, nullptr) : -1;
}

// -1 when nobody listens.
int connect_to_loopback(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "ysdb_test_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw Error(Code::internal, "cannot make a directory");
    path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

StrangeServer::StrangeServer(std::string answer) : StrangeServer(std::move(answer), false) {}

StrangeServer::StrangeServer(std::string answer, bool hangs_up) : fd_(listen_on_loopback(port_)) {
    if (hangs_up || !answer.empty()) thread_ = std::jthread([this, answer = std::move(answer)](std::stop_token stop) { serve(stop, answer); });
}

StrangeServer::~StrangeServer() {
    thread_ = {};
    close(fd_);
}

void StrangeServer::serve(std::stop_token stop, const std::string& answer) {
    while (!stop.stop_requested()) {
        const int client = accept_soon(fd_);
        if (client < 0) continue;
        char buffer[4096];
        if (recv(client, buffer, sizeof buffer, 0) > 0) send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
        // What is still unread at close() becomes a reset, which may overtake the answer.
        shutdown(client, SHUT_WR);
        for (pollfd more{client, POLLIN, 0}; poll(&more, 1, 200) > 0 && recv(client, buffer, sizeof buffer, 0) > 0;) {}
        close(client);
    }
}

TlsFront::TlsFront(const Certificate& certificate, int plain_port)
    : plain_port_(plain_port), fd_(listen_on_loopback(port_)), context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    if (SSL_CTX_use_certificate_chain_file(context_.get(), certificate.file.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context_.get(), certificate.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        throw Error(Code::internal, "cannot serve TLS with " + certificate.file);
    }
    thread_ = std::jthread([this](std::stop_token stop) { serve(stop); });
}

TlsFront::~TlsFront() {
    thread_ = {};
    connections_.clear();
    close(fd_);
}

void TlsFront::serve(std::stop_token stop) {
    while (!stop.stop_requested()) {
        const int client = accept_soon(fd_);
        if (client >= 0) connections_.emplace_back([this, client](std::stop_token until) { carry(until, client); });
    }
}

void TlsFront::carry(std::stop_token stop, int client) {
    const timeval patience{1, 0};  // with a client that begins no handshake
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const std::unique_ptr<SSL, void (*)(SSL*)> tls(SSL_new(context_.get()), SSL_free);
    SSL_set_fd(tls.get(), client);
    const int plain = connect_to_loopback(plain_port_);
    if (SSL_accept(tls.get()) == 1 && plain >= 0) {
        std::vector<char> buffer(64 << 10);
        const auto encrypt = [&] {
            const ssize_t got = recv(plain, buffer.data(), buffer.size(), 0);
            return got > 0 && SSL_write(tls.get(), buffer.data(), static_cast<int>(got)) == got;
        };
        const auto decrypt = [&] {
            const int got = SSL_read(tls.get(), buffer.data(), static_cast<int>(buffer.size()));
            for (int sent = 0; sent < got;) {
                const ssize_t now = send(plain, buffer.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
                if (now <= 0) return false;
                sent += static_cast<int>(now);
            }
            return got > 0;
        };
        for (bool open = true; open && !stop.stop_requested();) {
            pollfd both[2] = {{client, POLLIN, 0}, {plain, POLLIN, 0}};
            const bool waiting = SSL_pending(tls.get()) > 0;
            poll(both, 2, waiting ? 0 : 20);
            if (waiting || both[0].revents != 0) open = decrypt();
            if (open && both[1].revents != 0) open = encrypt();
        }
        SSL_shutdown(tls.get());
    }
    close(client);
    if (plain >= 0) close(plain);
}

Relay::Relay(int to_port) : to_port_(to_port), fd_(listen_on_loopback(port_)) {
    thread_ = std::jthread([this](std::stop_token stop) { serve(std::move(stop)); });
}

Relay::~Relay() {
    thread_ = {};
    connections_.clear();
    close(fd_);
}

void Relay::set(Mode mode) {
    mode_ = mode;
    if (mode == Mode::cut) ++broken_;
}

void Relay::serve(std::stop_token stop) {
    while (!stop.stop_requested()) {
        const int client = accept_soon(fd_);
        if (client < 0) continue;
        if (mode_ == Mode::cut) close(client);
        else connections_.emplace_back([this, client, broken = broken_.load()](std::stop_token until) { carry(std::move(until), client, broken); });
    }
}

void Relay::carry(std::stop_token stop, int client, int broken_before) {
    int server = -1;
    // Each way by itself: one side may take nothing for long and still talk.
    std::string to_server, to_client;
    std::vector<char> buffer(64 << 10);
    const auto take = [&](int from, std::string& waiting) {
        const ssize_t got = recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got > 0) waiting.append(buffer.data(), static_cast<std::size_t>(got));
        return got > 0 || (got < 0 && errno == EAGAIN);
    };
    const auto give = [](int to, std::string& waiting) {
        const ssize_t sent = send(to, waiting.data(), waiting.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) waiting.erase(0, static_cast<std::size_t>(sent));
        return sent > 0 || (sent < 0 && errno == EAGAIN);
    };
    for (bool open = true; open && !stop.stop_requested() && broken_ == broken_before;) {
        if (mode_ == Mode::stall) {
            pollfd nobody{-1, 0, 0};
            poll(&nobody, 1, 10);
            continue;
        }
        if (server < 0) server = connect_to_loopback(to_port_);
        if (server < 0) break;
        const auto wanted = [](const std::string& from_here, const std::string& to_here) { return static_cast<short>((from_here.empty() ? POLLIN : 0) | (to_here.empty() ? 0 : POLLOUT)); };
        pollfd both[2] = {{client, wanted(to_server, to_client), 0}, {server, wanted(to_client, to_server), 0}};
        poll(both, 2, 10);
        if (to_server.empty() && (both[0].revents & ~POLLOUT) != 0) open = take(client, to_server);
        if (open && to_client.empty() && (both[1].revents & ~POLLOUT) != 0) open = take(server, to_client);
        if (open && !to_server.empty()) open = give(server, to_server);
        if (open && !to_client.empty()) open = give(client, to_client);
    }
    close(client);
    if (server >= 0) close(server);
}

RedisProcess::RedisProcess(const std::filesystem::path& directory, std::vector<std::string> settings, std::vector<std::string> arguments) : port_(lab::choose_port()) {
    std::filesystem::create_directories(directory);
    const auto file = directory / "redis.conf";
    {
        std::ofstream out(file);
        out << "bind 127.0.0.1\ndir " << directory.string() << "\n";
        const auto own_port = std::find_if(settings.begin(), settings.end(), [](const std::string& line) { return line.starts_with("port "); });
        if (own_port != settings.end() && *own_port != "port 0") port_ = std::stoi(own_port->substr(5));
        if (own_port == settings.end()) out << "port " << port_ << "\n";
        for (std::string line : settings) {
            if (const auto at = line.find("PORT"); at != std::string::npos) line.replace(at, 4, std::to_string(port_));
            out << line << "\n";
        }
    }
    SpawnOptions options;
    options.argv = {"redis-server", file.string()};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.output_file = (directory / "log").string();
    process_ = spawn(options);
    const bool up = wait_until([&] {
        const int fd = connect_to_loopback(port_);
        if (fd >= 0) close(fd);
        return fd >= 0;
    });
    if (!up) throw Error(Code::internal, "redis-server did not start: see " + options.output_file);
}

RedisProcess::~RedisProcess() {
    send_signal(process_, SIGKILL);
    wait_gone(process_, Deadline::after(Millis(10'000)));
}

StoreConfig store_at(const std::string& name, const std::string& url, const std::string& password) {
    StoreConfig config;
    config.name = name;
    config.url = url;
    config.password = Secret(password);
    return config;
}

Failure failure_of(const std::function<void()>& work) {
    Failure failure;
    const auto start = SteadyClock::now();
    try {
        work();
    } catch (const Error& error) {
        failure.error = error;
    }
    failure.seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
    return failure;
}

}  // namespace ysdb::test
