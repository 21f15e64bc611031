#include <fmt/core.h>

#include <optional>

#include "core/base/url.h"
#include "core/config/resolved.h"

namespace ysdb {

namespace {

using Environment = std::map<std::string, std::string>;

// A product's variables share a prefix: PREFIX_HOST, _PORT, _DB, _USER, _PASSWORD, _POOL_MAX, and _URL instead of the first ones.
struct Family {
    const char* store;
    const char* prefix;
    const char* scheme;
    const char* port;
    const char* database;
};
constexpr Family families[] = {
    {"main", "POSTGRES", "postgres", "5432", ""},    {"analytics", "CLICKHOUSE", "clickhouse", "8123", "default"},
    {"cache", "REDIS", "redis", "6379", "0"},        {"cache", "DRAGONFLY", "redis", "6379", "0"},
    {"vectors", "WEAVIATE", "weaviate", "8080", ""}, {"graph", "ARANGO", "arango", "8529", "_system"},
    {"ticks", "QUESTDB", "questdb", "8812", "qdb"},
};

class Reader {
public:
    explicit Reader(const Environment& environment) : environment_(environment) {}

    // The first of `names` that is set and not empty.
    std::optional<std::string> first(const std::vector<std::string>& names) const {
        for (const std::string& name : names) {
            const auto found = environment_.find(name);
            if (found != environment_.end() && !found->second.empty()) return found->second;
        }
        return std::nullopt;
    }
    std::optional<std::string> name_of_first(const std::vector<std::string>& names) const {
        for (const std::string& name : names) {
            if (first({name})) return name;
        }
        return std::nullopt;
    }

private:
    const Environment& environment_;
};

// http://host:port -> scheme://host:port; a URL of the driver's own scheme stays.
std::string with_scheme(const std::string& url, const std::string& scheme) {
    if (url.starts_with("http://")) return scheme + url.substr(4);
    if (url.starts_with("https://")) return scheme + "s" + url.substr(5);
    return url;
}

std::string host_and_port(const std::string& host, const std::string& port) {
    const bool bare_ipv6 = host.find(':') != std::string::npos && !host.starts_with("[");
    return (bare_ipv6 ? "[" + host + "]" : host) + ":" + port;
}

std::string postgres_url(const Reader& read) {
    const std::string user = read.first({"POSTGRES_USER", "PGUSER"}).value_or("");
    const std::string host = read.first({"POSTGRES_HOST", "PGHOST"}).value_or("127.0.0.1");
    const std::string port = read.first({"POSTGRES_PORT", "PGPORT"}).value_or("5432");
    const std::string database = read.first({"POSTGRES_DB", "PGDATABASE"}).value_or("");
    const std::string login = user.empty() ? "" : percent_encode(user) + "@";
    if (const auto service = read.first({"PGSERVICE"}); service && !read.first({"POSTGRES_HOST", "PGHOST"})) {
        return "postgres://" + login + "/" + percent_encode(database) + "?service=" + percent_encode(*service);
    }
    if (host.starts_with("/")) {  // the directory of a Unix socket
        return "postgres://" + login + "/" + percent_encode(database) + "?host=" + percent_encode(host) + "&port=" + port;
    }
    return "postgres://" + login + host_and_port(host, port) + "/" + percent_encode(database);
}

std::string family_url(const Family& family, const Reader& read) {
    const std::string prefix = family.prefix;
    if (prefix == "POSTGRES") return postgres_url(read);
    const std::string user = read.first({prefix + "_USER"}).value_or("");
    const std::string scheme = read.first({prefix + "_SCHEME"}) == "https" ? std::string(family.scheme) + "s" : family.scheme;
    const std::string host = read.first({prefix + "_HOST"}).value_or("127.0.0.1");
    const std::string database = read.first({prefix + "_DB", prefix + "_DATABASE"}).value_or(family.database);
    return scheme + "://" + (user.empty() ? "" : percent_encode(user) + "@") +
           host_and_port(host, read.first({prefix + "_PORT"}).value_or(family.port)) + "/" + percent_encode(database);
}

// ARANGO_URL and the like may leave out user and database, which then have variables of their own.
std::string completed_url(const Family& family, const Reader& read, const std::string& given) {
    std::string url = with_scheme(given, family.scheme);
    const std::string prefix = family.prefix;
    const auto start = url.find("://");
    if (start == std::string::npos) return url;
    const auto path = url.find_first_of("/?", start + 3);
    if (const auto database = read.first({prefix + "_DB", prefix + "_DATABASE"});
        database && (path == std::string::npos || url.substr(path) == "/")) {
        url = url.substr(0, path) + "/" + percent_encode(*database);
    }
    const std::string authority = url.substr(start + 3, url.find_first_of("/?", start + 3) - start - 3);
    if (const auto user = read.first({prefix + "_USER"}); user && authority.find('@') == std::string::npos) {
        url.insert(start + 3, percent_encode(*user) + "@");
    }
    return url;
}

void borrow(const Family& family, const Reader& read, std::vector<BorrowedValue>& into) {
    const std::string prefix = family.prefix;
    const bool postgres = prefix == "POSTGRES";
    auto variable = read.name_of_first({prefix + "_URL", prefix + "_HOST", prefix + "_DB"});
    if (!variable && postgres) variable = read.name_of_first({"PGHOST", "PGSERVICE", "PGDATABASE"});
    if (!variable) return;
    const std::string store = std::string("stores.") + family.store;
    for (const BorrowedValue& earlier : into) {
        if (earlier.name == store + ".url") return;  // REDIS_* and DRAGONFLY_*: one cache
    }
    const auto url = read.first({prefix + "_URL"});
    into.push_back({store + ".url", url ? completed_url(family, read, *url) : family_url(family, read), *variable});
    const auto take = [&](const char* key, const std::vector<std::string>& names) {
        if (const auto name = read.name_of_first(names)) into.push_back({store + key, *read.first({*name}), *name});
    };
    take(".password", postgres ? std::vector<std::string>{"POSTGRES_PASSWORD", "PGPASSWORD"}
                               : std::vector<std::string>{prefix + "_PASSWORD", prefix + "_API_KEY"});
    take(".pool.max", {prefix + "_POOL_MAX"});
    if (postgres) {
        take(".sslmode", {"PGSSLMODE"});
        take(".sslrootcert", {"PGSSLROOTCERT"});
    }
}

}  // namespace

std::vector<BorrowedValue> borrowed_stores(const Environment& environment) {
    const Reader read(environment);
    std::vector<BorrowedValue> found;
    for (const Family& family : families) borrow(family, read, found);
    if (const auto brokers = read.first({"KAFKA_BROKERS"}))
        found.push_back({"stores.events.url", "kafka://" + *brokers, "KAFKA_BROKERS"});
    return found;
}

}  // namespace ysdb
