// URLs of servers: scheme://user:password@host:port,host:port/path?key=value. Users, passwords, paths and values are percent-decoded.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ysdb {

struct Endpoint {
    std::string host;      // an IPv6 address without its brackets
    int port = 0;
    std::string text() const;  // "host:port", "[::1]:6379"
    bool operator==(const Endpoint&) const = default;
};

// A value. `password` is the one secret in it: hand it to a Secret, show redacted() to people.
struct Url {
    std::string scheme;    // lower case
    std::string user;
    std::string password;
    std::vector<Endpoint> hosts;                // at least one
    std::string path;                           // without the leading slash
    std::map<std::string, std::string> query;
    // The same URL without the password and without query values that may be secret.
    std::string redacted() const;
};

// `what` names the setting ("store 'cache'"); hosts without a port get `default_port`. Throws Error(config). The message repeats
// nothing of the text: a URL that cannot be read may hide a password anywhere.
Url parse_url(std::string_view text, std::string_view what, int default_port);

// "host:port", "host", "[::1]:port". Throws Error(config) likewise.
Endpoint parse_endpoint(std::string_view text, std::string_view what, int default_port);

std::string percent_decode(std::string_view text);
std::string percent_encode(std::string_view text);

}  // namespace ysdb
