#include "core/config/secrets.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/url.h"

namespace ysdb {

namespace {

constexpr std::array<std::string_view, 10> secret_words{"password", "passwd",  "pwd",    "pass",       "secret",
                                                        "token",    "api_key", "apikey", "access_key", "credential"};

bool names_a_secret(std::string_view parameter) {
    const std::string name = lower(parameter);
    return std::any_of(secret_words.begin(), secret_words.end(),
                       [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

bool digits_only(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// scheme:// | user [: password] @ | rest | ? query
struct Anatomy {
    std::string scheme;  // with "://"
    std::string user;
    std::optional<std::string> password;  // still encoded
    bool has_user = false;
    bool badly_encoded = false;  // a "/" or "?" stands in the password
    std::string rest;            // host and path
    std::string query;           // without "?"
};

Anatomy dissect(std::string_view url) {
    Anatomy parts;
    const auto scheme_end = url.find("://");
    if (scheme_end == std::string_view::npos) {
        parts.rest = url;
        return parts;
    }
    parts.scheme = url.substr(0, scheme_end + 3);
    std::string_view tail = url.substr(scheme_end + 3);
    const std::string_view authority = tail.substr(0, tail.find_first_of("/?#"));
    auto at = authority.rfind('@');
    if (at == std::string_view::npos) {
        // user:pa/ss@host: the real "@" comes after what looks like the end of the host.
        const auto colon = authority.find(':');
        const auto later = tail.rfind('@');
        if (colon != std::string_view::npos && later != std::string_view::npos && !digits_only(authority.substr(colon + 1))) {
            at = later;
            parts.badly_encoded = true;
        }
    }
    if (at != std::string_view::npos) {
        const std::string_view login = tail.substr(0, at);
        const auto colon = login.find(':');
        parts.has_user = true;
        parts.user = login.substr(0, colon);
        if (colon != std::string_view::npos) parts.password = std::string(login.substr(colon + 1));
        tail.remove_prefix(at + 1);
    }
    const auto question = tail.find('?');
    parts.rest = tail.substr(0, question);
    if (question != std::string_view::npos) parts.query = tail.substr(question + 1);
    return parts;
}

std::string assemble(const Anatomy& parts, const std::vector<std::string>& query) {
    std::string url = parts.scheme;
    if (parts.has_user && (!parts.user.empty() || parts.password)) {
        url += parts.user + (parts.password ? ":" + *parts.password : "") + "@";
    }
    url += parts.rest;
    return query.empty() ? url : url + "?" + join(query, "&");
}

}  // namespace

UrlParts split_password(std::string_view url) {
    Anatomy parts = dissect(url);
    if (parts.badly_encoded) {
        throw Error(Code::config, "the password in the URL has characters that must be percent-encoded",
                    "better: put it in a file and name that with password_file");
    }
    UrlParts result;
    if (parts.password) result.password = Secret(percent_decode(*parts.password));
    parts.password.reset();
    std::vector<std::string> kept;
    for (const std::string& parameter : split(parts.query, '&')) {
        const auto equals = parameter.find('=');
        if (parameter.substr(0, equals) == "password" && equals != std::string::npos) {
            result.password = Secret(percent_decode(std::string_view(parameter).substr(equals + 1)));
        } else if (!parameter.empty()) {
            kept.push_back(parameter);
        }
    }
    result.url = assemble(parts, kept);
    return result;
}

std::string redact_url(std::string_view url) {
    Anatomy parts = dissect(url);
    if (parts.password) parts.password = "***";
    std::vector<std::string> query;
    for (const std::string& parameter : split(parts.query, '&')) {
        if (parameter.empty()) continue;
        const std::string name = parameter.substr(0, parameter.find('='));
        query.push_back(names_a_secret(percent_decode(name)) ? name + "=***" : parameter);
    }
    return assemble(parts, query);
}

}  // namespace ysdb
