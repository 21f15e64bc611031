#include "core/store/redis/sentinel.h"

#include <cstdlib>
#include <thread>

#include "core/store/redis/errors.h"

namespace ysdb::redis {

namespace {

constexpr Millis pause{100};

Deadline share(Deadline whole, Millis longest, std::size_t parts) {
    return Deadline::after(std::min(longest, whole.left() / static_cast<Millis::rep>(parts)));
}

}  // namespace

std::unique_ptr<Connection> Sentinels::connect_to_master(Deadline deadline) {
    while (true) {
        const Named named = ask(deadline);
        std::string reason;
        try {
            auto connection = Connection::open(target_, named.master, share(deadline, target_.connect_timeout, 1));
            const Reply role = connection->exchange_one({"ROLE"}, deadline);
            if (role.is_error()) throw login_error(target_, named.master, role.text);
            if (!role.elements.empty() && role.elements[0].text == "master") return connection;
            reason = "it is not a master";
        } catch (const Error& error) {
            if (!error.retryable()) throw;
            reason = error.message();
        }
        if (deadline.left() <= pause) {
            throw Error(Code::connect, "store '" + target_.store + "': " + target_.redacted_url + ": sentinel " + named.sentinel.text() + " names " +
                                           named.master.text() + " as the master, but " + reason,
                        "a failover may be under way: wait, then run the same command again").with_retryable();
        }
        std::this_thread::sleep_for(pause);
    }
}

Sentinels::Named Sentinels::ask(Deadline deadline) {
    const std::size_t count = target_.hosts.size();
    const std::size_t first = first_;
    std::string unknown_to;
    std::string unreachable;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t index = (first + i) % count;
        const Endpoint& sentinel = target_.hosts[index];
        try {
            const Deadline limit = share(deadline, target_.connect_timeout, count - i + 1);
            const auto connection = Connection::open_sentinel(target_, sentinel, limit);
            const Command question{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", target_.master};
            const Reply reply = connection->checked(question, connection->exchange_one(question, limit));
            if (reply.elements.size() == 2) {
                first_ = index;
                return {{reply.elements[0].text, std::atoi(reply.elements[1].text.c_str())}, sentinel};
            }
            unknown_to = sentinel.text();
        } catch (const Error& error) {
            unreachable = error.message();
        }
    }
    if (!unknown_to.empty()) {
        throw Error(Code::connect, "store '" + target_.store + "': sentinel " + unknown_to + " knows no master '" + target_.master + "'",
                    "check the name after the sentinels' addresses in the url").with_retryable(!unreachable.empty());
    }
    throw Error(Code::connect, unreachable, "no sentinel answered as one: are they running, and is the url right? try: ysdb doctor").with_retryable();
}

}  // namespace ysdb::redis
