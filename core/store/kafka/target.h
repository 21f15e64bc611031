// From a store's URL and options to the settings of the Kafka client library.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/stream.h"
#include "core/base/url.h"
#include "core/config/config.h"

namespace ysdb::kafka {

struct Target {
    std::string store;                             // its name, for errors
    std::string redacted_url;
    std::vector<Endpoint> hosts;
    std::optional<TlsOptions> tls;
    std::map<std::string, std::string> settings;   // librdkafka's names; holds no password
    Secret password;
    Millis connect_timeout{};
};

// Throws Error(config).
Target parse_target(const StoreConfig& config);

}  // namespace ysdb::kafka
