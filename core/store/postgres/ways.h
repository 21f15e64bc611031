// One host after the other, where a URL names several or a name has several addresses.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/error.h"
#include "core/store/postgres/conninfo.h"

namespace ysdb::postgres {

// One address to connect to, or why there is none for a host.
struct Way {
    Target target;
    std::optional<Error> error = {};
};

// The hosts of the URL in its order, names looked up by the deadline: libpq would wait for the resolver, and in its non-blocking mode
// for a silent host, without one. target_session_attrs and load_balance_hosts mean what they mean to libpq. What says its hosts
// elsewhere (service=, PGHOST) is left to libpq as one way.
std::vector<Way> ways_to(const Target& target, Deadline deadline);

// "store 'main': cannot connect to URL: <reason of the first>; <reason of the second>".
Error all_failed(const Target& target, const std::vector<Error>& errors);

// Tries each way by `open(target, deadline)`, a silent one for no more than its share of the time. As in libpq, a host that refuses the
// login ends it: the next would do the same.
template <class Open>
auto open_any(const Target& target, Deadline deadline, const Open& open) {
    const std::vector<Way> ways = ways_to(target, deadline);
    std::vector<Error> errors;
    for (std::size_t i = 0; i < ways.size(); ++i) {
        try {
            if (ways[i].error) throw Error(*ways[i].error);
            return open(ways[i].target, share_of(deadline, ways.size() - i));
        } catch (const Error& error) {
            if (!error.retryable()) throw;
            errors.push_back(error);
        }
    }
    throw all_failed(target, errors);
}

}  // namespace ysdb::postgres
