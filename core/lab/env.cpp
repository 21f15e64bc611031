#include "core/lab/env.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "core/store/store.h"

namespace ysdb::lab {

namespace {

struct UrlParts {
    std::string user;
    std::string host;
    std::string port;
    std::string path;   // without the slash
};

UrlParts parts_of(const std::string& url) {
    UrlParts parts;
    std::string rest = url.substr(url.find("://") + 3);
    if (const auto slash = rest.find('/'); slash != std::string::npos) {
        parts.path = rest.substr(slash + 1);
        rest.resize(slash);
    }
    if (const auto at = rest.find('@'); at != std::string::npos) {
        parts.user = rest.substr(0, at);
        rest.erase(0, at + 1);
    }
    const auto colon = rest.find(':');
    parts.host = rest.substr(0, colon);
    parts.port = rest.substr(colon + 1);
    return parts;
}

bool has_driver(const LabStore& store) {
    const auto schemes = store_schemes();
    return std::find(schemes.begin(), schemes.end(), store.url.substr(0, store.url.find("://"))) != schemes.end();
}

std::string upper(std::string text) {
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

std::string shell_quoted(const std::string& text) {
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

// The variables that psql, redis-cli and others read.
std::vector<std::pair<std::string, std::string>> client_variables(const LabStore& store) {
    const UrlParts url = parts_of(store.url);
    if (store.name == "main") {
        return {{"PGHOST", url.host}, {"PGPORT", url.port}, {"PGUSER", url.user}, {"PGDATABASE", url.path}, {"PGPASSWORD", store.password}};
    }
    if (store.name == "analytics") return {{"CLICKHOUSE_HOST", url.host}, {"CLICKHOUSE_PORT", url.port}};
    if (store.name == "cache") return {{"REDIS_HOST", url.host}, {"REDIS_PORT", url.port}, {"REDISCLI_AUTH", store.password}};
    if (store.name == "events") return {{"KAFKA_BROKERS", url.host + ":" + url.port}};
    return {};
}

}  // namespace

std::string url_with_password(const LabStore& store) {
    if (store.password.empty()) return store.url;
    const auto host = store.url.find("://") + 3;
    const auto at = store.url.find('@', host);
    return at == std::string::npos ? store.url.substr(0, host) + ":" + store.password + "@" + store.url.substr(host)
                                   : store.url.substr(0, at) + ":" + store.password + store.url.substr(at);
}

std::string env_toml(const std::vector<LabStore>& stores) {
    std::string text = "# Written by `ysdb lab env`: the servers of a lab.\n";
    for (const LabStore& store : stores) {
        const char* mark = has_driver(store) ? "" : "# ";
        text += *mark == 0 ? "\n" : "\n# It runs, and this version of ysdb has no driver for it.\n";
        text += fmt::format("{0}[stores.{1}]\n{0}url = \"{2}\"\n", mark, store.name, store.url);
        if (!store.password_file.empty()) text += fmt::format("{}password_file = {}\n", mark, nlohmann::json(store.password_file.string()).dump());
    }
    return text + "\n[migrate]\ndir = \"migrations\"\nstore = \"main\"\n";
}

std::string env_shell(const std::vector<LabStore>& stores) {
    std::string text;
    const auto add = [&](const std::string& name, const std::string& value) { text += fmt::format("export {}={}\n", name, shell_quoted(value)); };
    for (const LabStore& store : stores) {
        add(fmt::format("YSDB_STORES_{}_URL", upper(store.name)), store.url);
        if (!store.password_file.empty()) add(fmt::format("YSDB_STORES_{}_PASSWORD_FILE", upper(store.name)), store.password_file.string());
        for (const auto& [name, value] : client_variables(store)) {
            if (!value.empty()) add(name, value);
        }
    }
    return text;
}

std::string env_json(const std::vector<LabStore>& stores) {
    nlohmann::ordered_json by_name = nlohmann::ordered_json::object();
    for (const LabStore& store : stores) by_name[store.name] = {{"url", url_with_password(store)}};
    return nlohmann::ordered_json{{"schema", 1}, {"stores", by_name}}.dump(2) + "\n";
}

}  // namespace ysdb::lab
