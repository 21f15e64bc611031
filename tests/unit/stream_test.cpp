#include "core/base/stream.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "core/base/error.h"

using namespace ysdb;

namespace {

// Listens on a port of 127.0.0.1 and accepts nobody. With `full` its queue is taken: like a machine that drops packets, it does not
// even refuse.
class Listener {
public:
    explicit Listener(bool full) : fd_(open_socket()) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address_.size = sizeof address;
        REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(listen(fd_, full ? 0 : 16) == 0);
        REQUIRE(getsockname(fd_, reinterpret_cast<sockaddr*>(&address_.bytes), &address_.size) == 0);
        for (bool taken = true; full && taken && guests_.size() < 64;) {
            guests_.push_back(open_socket());
            ::connect(guests_.back(), reinterpret_cast<sockaddr*>(&address_.bytes), address_.size);
            pollfd waiting{guests_.back(), POLLOUT, 0};
            taken = poll(&waiting, 1, 100) > 0;
        }
    }
    ~Listener() {
        for (const int guest : guests_) close(guest);
        close(fd_);
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    const Address& address() const { return address_; }

private:
    static int open_socket() { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }
    int fd_;
    Address address_;
    std::vector<int> guests_;
};

double seconds_since(SteadyClock::time_point start) { return std::chrono::duration<double>(SteadyClock::now() - start).count(); }

}  // namespace

TEST_CASE("a host whose first addresses are silent is reached by the next within the deadline") {
    const Listener silent(true), alive(false);
    const std::vector<Address> addresses{silent.address(), silent.address(), alive.address()};
    const auto start = SteadyClock::now();
    CHECK(Stream::connect(addresses, Deadline::after(Millis(1500))).idle());
    CHECK(seconds_since(start) < 1.5);
    CHECK(seconds_since(start) > 0.9);  // both had their share
}

TEST_CASE("a host all of whose addresses are silent is given up at the deadline") {
    const Listener silent(true);
    const std::vector<Address> addresses{silent.address(), silent.address()};
    const auto start = SteadyClock::now();
    CHECK_THROWS_AS(Stream::connect(addresses, Deadline::after(Millis(300))), Error);
    CHECK(seconds_since(start) >= 0.29);
    CHECK(seconds_since(start) < 2);
}

TEST_CASE("numbers are their own addresses, and an unknown name has none") {
    const Deadline soon = Deadline::after(Millis(20'000));
    CHECK(look_up({"127.0.0.7", 1}, soon).at(0).host() == "127.0.0.7");
    CHECK(look_up({"::1", 1}, soon).at(0).host() == "::1");
    CHECK(look_up({"localhost", 1}, soon).size() >= 1);
    CHECK_THROWS_AS(look_up({"no-such-host.invalid", 1}, soon), Error);
}
