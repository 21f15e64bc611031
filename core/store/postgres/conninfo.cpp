#include "core/store/postgres/conninfo.h"

#include <libpq-fe.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb::postgres {

namespace {

using Options = std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)>;

bool is_local(const std::string& hosts) {
    const auto parts = split(hosts, ',');
    return std::all_of(parts.begin(), parts.end(), [](const std::string& host) {
        return host.empty() || host[0] == '/' || host[0] == '@' || host == "localhost" || host.starts_with("127.") || host == "::1";
    });
}

std::string value_of(const std::vector<std::pair<std::string, std::string>>& keywords, std::string_view key) {
    for (const auto& [name, value] : keywords) {
        if (name == key) return value;
    }
    return {};
}

// What libpq would take by itself: PGSSLMODE, a service file, or its compiled-in "prefer".
bool sslmode_comes_from_elsewhere() {
    const Options defaults(PQconndefaults(), PQconninfoFree);
    for (const PQconninfoOption* option = defaults.get(); option != nullptr && option->keyword != nullptr; ++option) {
        if (std::string_view(option->keyword) == "sslmode") return option->val != nullptr && std::string_view(option->val) != "prefer";
    }
    return false;
}

void verify_by_default(std::vector<std::pair<std::string, std::string>>& keywords) {
    if (!value_of(keywords, "sslmode").empty() || !value_of(keywords, "service").empty() || sslmode_comes_from_elsewhere()) return;
    const std::string address = value_of(keywords, "hostaddr");
    if (is_local(value_of(keywords, "host")) && is_local(address)) return;
    keywords.emplace_back("sslmode", "verify-full");
    static constexpr const char* system_roots = "/etc/ssl/certs/ca-certificates.crt";
    if (value_of(keywords, "sslrootcert").empty() && std::filesystem::exists(system_roots)) keywords.emplace_back("sslrootcert", system_roots);
}

}  // namespace

std::string redact_url(const std::string& url) {
    std::string text = url;
    const auto authority = text.find("://");
    if (authority != std::string::npos) {
        const auto end = text.find('/', authority + 3);
        const auto at = text.rfind('@', end == std::string::npos ? std::string::npos : end);
        const auto colon = text.find(':', authority + 3);
        if (at != std::string::npos && at > authority && colon < at) text.erase(colon, at - colon);
    }
    for (const std::string_view key : {"password=", "sslpassword="}) {
        for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + key.size())) {
            const auto from = at + key.size();
            const auto end = text.find('&', from);
            text.replace(from, end == std::string::npos ? std::string::npos : end - from, "***");
        }
    }
    return text;
}

Target parse_target(const StoreConfig& config) {
    Target target;
    target.store = config.name;
    target.redacted_url = redact_url(config.url);
    char* message = nullptr;
    const Options parsed(PQconninfoParse(config.url.c_str(), &message), PQconninfoFree);
    const std::unique_ptr<char, void (*)(void*)> owned(message, PQfreemem);
    if (!parsed) {
        // libpq's message may repeat parts of the URL; the password is not in config.url, but a URL it cannot read may hide one.
        throw Error(Code::config, "store '" + config.name + "': the url '" + target.redacted_url + "' is not a PostgreSQL url",
                    "write it like postgres://user@host:5432/database");
    }
    for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr) target.keywords.emplace_back(option->keyword, option->val);
    }
    const auto replace = [&](const std::string& key, const std::string& value) {
        std::erase_if(target.keywords, [&](const auto& entry) { return entry.first == key; });
        target.keywords.emplace_back(key, value);
    };
    if (!config.password.empty()) replace("password", config.password.reveal());
    for (const auto& [key, value] : config.options) replace(key, value);
    verify_by_default(target.keywords);
    if (value_of(target.keywords, "client_encoding").empty()) target.keywords.emplace_back("client_encoding", "UTF8");
    return target;
}

std::string Target::value(std::string_view keyword) const { return value_of(keywords, keyword); }

std::string Target::conninfo(const std::string& label, int connect_timeout_s) const {
    std::string text;
    const auto add = [&](const std::string& key, const std::string& value) {
        text += key + "='";
        for (const char c : value) {
            if (c == '\'' || c == '\\') text += '\\';
            text += c;
        }
        text += "' ";
    };
    for (const auto& [key, value] : keywords) {
        if (key != "application_name" && key != "connect_timeout") add(key, value);
    }
    add("application_name", label);
    add("connect_timeout", std::to_string(connect_timeout_s));
    return text;
}

}  // namespace ysdb::postgres
