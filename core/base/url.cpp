#include "core/base/url.h"

#include <charconv>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb {

namespace {

[[noreturn]] void unreadable(std::string_view what, const std::string& reason) {
    throw Error(Code::config, std::string(what) + ": " + reason, "write the url like scheme://user@host:port/name; a password belongs in password_file");
}

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool may_be_secret(const std::string& key) {
    const std::string name = lower(key);
    for (const std::string_view part : {"password", "secret", "token", "apikey", "api_key"}) {
        if (name.find(part) != std::string::npos) return true;
    }
    return false;
}

bool unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

// Cuts `text` at the first `separator`; the second part is empty when there is none.
std::pair<std::string_view, std::string_view> cut(std::string_view text, char separator) {
    const auto at = text.find(separator);
    return at == std::string_view::npos ? std::pair{text, std::string_view()} : std::pair{text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

std::string Endpoint::text() const {
    return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::string Url::redacted() const {
    std::string text = scheme + "://";
    if (!user.empty()) text += percent_encode(user) + "@";
    for (std::size_t i = 0; i < hosts.size(); ++i) text += (i == 0 ? "" : ",") + hosts[i].text();
    if (!path.empty()) text += "/" + path;
    char separator = '?';
    for (const auto& [key, value] : query) {
        text += separator + key + "=" + (may_be_secret(key) ? "***" : value);
        separator = '&';
    }
    return text;
}

Endpoint parse_endpoint(std::string_view text, std::string_view what, int default_port) {
    Endpoint endpoint{std::string(text), default_port};
    std::string_view port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos) unreadable(what, "the url has a '[' without a ']'");
        endpoint.host = text.substr(1, end - 1);
        port = text.substr(end + 1);
        if (!port.empty() && port[0] != ':') unreadable(what, "the url has text between ']' and the port");
        if (!port.empty()) port.remove_prefix(1);
    } else if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
        endpoint.host = text.substr(0, colon);
        port = text.substr(colon + 1);
    }
    if (endpoint.host.empty()) unreadable(what, "the url names no host");
    if (!port.empty()) {
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
        if (error != std::errc() || end != port.data() + port.size() || endpoint.port < 1 || endpoint.port > 65535) {
            unreadable(what, "the port in the url is not a number from 1 to 65535");
        }
    }
    return endpoint;
}

Url parse_url(std::string_view text, std::string_view what, int default_port) {
    Url url;
    const auto scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos || scheme_end == 0) unreadable(what, "the url has no scheme");
    url.scheme = lower(text.substr(0, scheme_end));
    std::string_view rest = text.substr(scheme_end + 3);
    const auto authority_end = rest.find_first_of("/?");
    std::string_view authority = rest.substr(0, authority_end);
    rest = authority_end == std::string_view::npos ? std::string_view() : rest.substr(authority_end);

    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        const auto [user, password] = cut(authority.substr(0, at), ':');
        url.user = percent_decode(user);
        url.password = percent_decode(password);
        authority.remove_prefix(at + 1);
    }
    for (const std::string& host : split(authority, ',')) url.hosts.push_back(parse_endpoint(host, what, default_port));

    const auto [path, query] = cut(rest, '?');
    if (!path.empty()) url.path = percent_decode(path.substr(1));
    if (!query.empty()) {
        for (const std::string& pair : split(query, '&')) {
            const auto [key, value] = cut(pair, '=');
            if (!key.empty()) url.query[percent_decode(key)] = percent_decode(value);
        }
    }
    return url;
}

std::string percent_decode(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            plain += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

std::string percent_encode(std::string_view text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        if (unreserved(c)) {
            encoded += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            encoded += {'%', digits[byte >> 4], digits[byte & 15]};
        }
    }
    return encoded;
}

}  // namespace ysdb
