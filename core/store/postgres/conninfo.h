// From a store's URL to libpq's keywords.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config/config.h"

namespace ysdb::postgres {

struct Target {
    std::string store;                                         // its name, for errors
    std::vector<std::pair<std::string, std::string>> keywords; // for PQconnectStartParams; holds the password
    std::string redacted_url;
    std::string value(std::string_view keyword) const;  // empty when it is not there
    bool has(std::string_view keyword) const { return !value(keyword).empty(); }
    // The same as one conninfo string with these added or replaced.
    std::string conninfo(const std::string& label, int connect_timeout_s) const;
};

// Reads postgres:// URLs, several hosts and libpq's parameters included. Without an sslmode, hosts beyond this machine get
// verify-full: a connection is encrypted and verified unless somebody said otherwise (or PGSSLMODE does).
// Throws Error(config) for a URL that libpq cannot read.
Target parse_target(const StoreConfig& config);

// "host:port" of one error, or of the URL, in words for messages; no secret.
std::string redact_url(const std::string& url);

}  // namespace ysdb::postgres
