#include "tests/live/servers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

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

}  // namespace

int free_port() {
    int port = 0;
    close(listen_on_loopback(port));
    return port;
}

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "ysdb_test_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw Error(Code::internal, "cannot make a directory");
    path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

StrangeServer::StrangeServer(std::string answer) : fd_(listen_on_loopback(port_)) {
    if (!answer.empty()) thread_ = std::jthread([this, answer = std::move(answer)](std::stop_token stop) { serve(stop, answer); });
}

StrangeServer::~StrangeServer() {
    thread_ = {};
    close(fd_);
}

void StrangeServer::serve(std::stop_token stop, const std::string& answer) {
    while (!stop.stop_requested()) {
        pollfd waiting{fd_, POLLIN, 0};
        if (poll(&waiting, 1, 20) <= 0) continue;
        const int client = accept(fd_, nullptr, nullptr);
        char buffer[4096];
        if (recv(client, buffer, sizeof buffer, 0) > 0) send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
        close(client);
    }
}

RedisProcess::RedisProcess(const std::filesystem::path& directory, std::vector<std::string> settings, std::vector<std::string> arguments) : port_(free_port()) {
    std::filesystem::create_directories(directory);
    const auto file = directory / "redis.conf";
    {
        std::ofstream out(file);
        out << "bind 127.0.0.1\ndir " << directory.string() << "\n";
        const bool own_port = std::any_of(settings.begin(), settings.end(), [](const std::string& line) { return line.starts_with("port "); });
        if (!own_port) out << "port " << port_ << "\n";
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
    const bool up = eventually([&] {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port_));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        close(fd);
        return connected;
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
