// Servers that a test starts for itself: ones that misbehave, and real ones that it may kill.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/process.h"
#include "core/config/config.h"
#include "tests/live/certificates.h"

struct ssl_ctx_st;

namespace ysdb::test {

// A directory of the test's own, gone at the end.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// Accepts every connection and says `answer` to whatever comes, then closes; with no answer it keeps the connection and stays silent.
class StrangeServer {
public:
    explicit StrangeServer(std::string answer = {});
    // Reads what comes and closes without a word, as many servers do with a protocol that is not theirs.
    static StrangeServer that_hangs_up() { return StrangeServer({}, true); }
    ~StrangeServer();
    StrangeServer(const StrangeServer&) = delete;
    StrangeServer& operator=(const StrangeServer&) = delete;
    int port() const { return port_; }

private:
    StrangeServer(std::string answer, bool hangs_up);
    void serve(std::stop_token stop, const std::string& answer);
    int port_ = 0;
    int fd_;
    std::jthread thread_;
};

// TLS in front of a plain server on this machine: what stunnel does, for servers that have none of their own.
class TlsFront {
public:
    TlsFront(const Certificate& certificate, int plain_port);
    ~TlsFront();
    TlsFront(const TlsFront&) = delete;
    TlsFront& operator=(const TlsFront&) = delete;
    int port() const { return port_; }

private:
    void serve(std::stop_token stop);
    void carry(std::stop_token stop, int client);
    int port_ = 0;
    int plain_port_;
    int fd_;
    std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
    std::vector<std::jthread> connections_;
    std::jthread thread_;
};

// The network in front of a server on this machine, which a test may cut.
class Relay {
public:
    explicit Relay(int to_port);
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    int port() const { return port_; }
    void cut() { set(Mode::cut); }      // connections break, new ones are closed at once
    void stall() { set(Mode::stall); }  // connections stay, and nothing comes through them
    void pass() { set(Mode::pass); }

private:
    enum class Mode { pass, stall, cut };
    void set(Mode mode);
    void serve(std::stop_token stop);
    void carry(std::stop_token stop, int client, int broken_before);
    int port_ = 0;
    int to_port_;
    int fd_;
    std::atomic<Mode> mode_{Mode::pass};
    std::atomic<int> broken_{0};        // how often the network was cut
    std::vector<std::jthread> connections_;
    std::jthread thread_;
};

// A redis-server (or, with `--sentinel`, a sentinel) in its own directory. Killed at the end.
class RedisProcess {
public:
    // `settings`: lines of redis.conf besides port, dir and bind.
    RedisProcess(const std::filesystem::path& directory, std::vector<std::string> settings, std::vector<std::string> arguments = {});
    ~RedisProcess();
    RedisProcess(const RedisProcess&) = delete;
    RedisProcess& operator=(const RedisProcess&) = delete;
    int port() const { return port_; }
    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    void signal(int number) { send_signal(process_, number); }

private:
    int port_;
    ProcessId process_;
};

StoreConfig store_at(const std::string& name, const std::string& url, const std::string& password = {});

struct Failure {
    Error error{Code::ok, "nothing failed"};
    double seconds = 0;
};
Failure failure_of(const std::function<void()>& work);

}  // namespace ysdb::test
