// Where the server is: what the URL says, or, for postgres+patroni://, the primary that Patroni's REST API names.
#pragma once

#include "core/store/postgres/conninfo.h"

namespace ysdb::postgres {

// Thread-safe. The primary is asked anew for every connection: it may have moved.
class Locator {
public:
    // Throws Error(config) for a URL that cannot be read.
    explicit Locator(const StoreConfig& config);
    // Throws Error(connect, retryable) when no Patroni member answers or none is primary.
    Target target(Deadline deadline) const;

private:
    StoreConfig config_;
    std::vector<std::string> members_;  // "host:port" of the REST APIs; empty: the URL names the server itself
    std::string rest_of_url_;           // "/db?params"
    std::string user_;
};

}  // namespace ysdb::postgres
