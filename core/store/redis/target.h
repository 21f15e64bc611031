// From a store's URL to where its Redis servers are and how to log in.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/stream.h"
#include "core/base/url.h"
#include "core/config/config.h"

namespace ysdb::redis {

struct Target {
    std::string store;              // its name, for errors
    std::string redacted_url;
    std::vector<Endpoint> hosts;    // one server, the sentinels, or any nodes of the cluster
    bool cluster = false;
    std::string master;             // the name the sentinels know it by; empty without Sentinel
    int database = 0;
    std::string user;
    Secret password;
    std::optional<TlsOptions> tls;
    Millis connect_timeout{};
};

// Throws Error(config).
Target parse_target(const StoreConfig& config);

}  // namespace ysdb::redis
