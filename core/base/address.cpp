#include "core/base/address.h"

#include <netdb.h>

#include <cstring>
#include <future>
#include <memory>
#include <thread>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb {

namespace {

Error not_found(const std::string& reason) { return Error(Code::connect, reason).with_retryable(); }

// Empty when there is none, with getaddrinfo's reason.
std::vector<Address> look_up_now(const std::string& host, const std::string& port, int flags, int& failed) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    failed = getaddrinfo(host.c_str(), port.c_str(), &wanted, &found);
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(failed == 0 ? found : nullptr, freeaddrinfo);
    std::vector<Address> addresses;
    for (const addrinfo* each = owned.get(); each != nullptr; each = each->ai_next) {
        Address address;
        address.size = each->ai_addrlen;
        std::memcpy(&address.bytes, each->ai_addr, each->ai_addrlen);
        addresses.push_back(address);
    }
    return addresses;
}

}  // namespace

std::string Address::host() const {
    char text[NI_MAXHOST] = "";
    getnameinfo(reinterpret_cast<const sockaddr*>(&bytes), size, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
    return text;
}

// The resolver cannot be interrupted: a lookup that outlives its deadline is left to end by itself, owning all it touches.
std::vector<Address> look_up(const Endpoint& endpoint, Deadline deadline) {
    const std::string port = std::to_string(endpoint.port);
    int failed = 0;
    if (auto numeric = look_up_now(endpoint.host, port, AI_NUMERICHOST, failed); !numeric.empty()) return numeric;

    std::packaged_task<std::vector<Address>()> task([host = endpoint.host, port] {
        int reason = 0;
        auto found = look_up_now(host, port, AI_ADDRCONFIG, reason);
        if (found.empty()) throw not_found("cannot find the host " + host + ": " + lower(gai_strerror(reason)));
        return found;
    });
    auto answer = task.get_future();
    std::thread(std::move(task)).detach();
    if (answer.wait_for(deadline.left()) != std::future_status::ready) throw not_found("no answer in time when looking up the host " + endpoint.host);
    return answer.get();
}

}  // namespace ysdb
