// Between a client and a server, to cut the connection at a chosen request, before the server has it or after it did what was asked; or to refuse
// requests in its place.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace ysdb::test {

class CuttingProxy {
public:
    enum class When { before, after };
    // http: a request is one of HTTP; any: whatever the client sends at once.
    enum class Protocol { http, any };
    explicit CuttingProxy(int server_port, Protocol protocol = Protocol::http);
    ~CuttingProxy();
    CuttingProxy(const CuttingProxy&) = delete;
    CuttingProxy& operator=(const CuttingProxy&) = delete;

    int port() const { return port_; }
    // The request-th from now on, from 1; 0: none.
    void cut(int request, When when);
    // The next `times` requests of HTTP that hold `part` get this instead of the server's answer, and do not reach it.
    void answer(const std::string& part, const std::string& response, int times);
    // How many of them did.
    int answered();
    // As ClickHouse refuses a statement.
    static std::string refusal(int code, const std::string& message);
    // Closes what is open now.
    void drop_all() { ++dropped_; }
    // Since the last cut().
    int requests() const { return seen_; }
    // The request that was cut, as it came; empty: none was.
    std::string was_cut();

private:
    void accept_all();
    void serve(int client);
    // What to say to this request in the server's place; empty: nothing.
    std::string answer_to(const std::string& request);

    Protocol protocol_;
    int server_port_, listener_, port_ = 0;
    std::atomic<bool> ending_{false};
    std::atomic<int> seen_{0}, at_{0}, dropped_{0};
    std::atomic<When> when_{When::before};
    std::mutex mutex_;                     // guards what follows
    std::string was_cut_;
    std::string part_, response_;
    int answers_left_ = 0, answered_ = 0;
    std::vector<std::jthread> threads_;
    std::jthread acceptor_;
};

}  // namespace ysdb::test
