// From a host's name to the addresses that lead there.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/base/url.h"

namespace ysdb {

// A value.
struct Address {
    sockaddr_storage bytes{};
    socklen_t size = 0;
    std::string host() const;  // "127.0.0.1", "::1": the number alone
};

// In the resolver's order of preference; at least one. Throws Error(connect, retryable) with the bare reason when there is none, or by
// the deadline.
std::vector<Address> look_up(const Endpoint& endpoint, Deadline deadline);

// What one of `attempts` may take of the time that is left, so that a silent one leaves time for the others.
inline Deadline share_of(Deadline deadline, std::size_t attempts) {
    return attempts <= 1 ? deadline : Deadline::after(deadline.left() / static_cast<Millis::rep>(attempts));
}

}  // namespace ysdb
