#include "core/store/redis/target.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb::redis {

namespace {

constexpr int server_port = 6379;
constexpr int sentinel_port = 26379;

int parse_database(const std::string& text, const std::string& what) {
    int database = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), database);
    if (error != std::errc() || end != text.data() + text.size() || database < 0) {
        throw Error(Code::config, what + ": the database '" + text + "' in the url is not a number", "write it like redis://host:6379/0");
    }
    return database;
}

}  // namespace

Target parse_target(const StoreConfig& config) {
    const std::string what = "store '" + config.name + "'";
    const bool sentinel = config.url.find("+sentinel://") != std::string::npos;
    const bool cluster = config.url.find("+cluster://") != std::string::npos;
    const Url url = parse_url(config.url, what, sentinel ? sentinel_port : server_port);
    Target target;
    target.store = config.name;
    target.redacted_url = url.redacted();
    target.hosts = url.hosts;
    target.user = url.user;
    target.password = config.password.empty() ? Secret(url.password) : config.password;
    target.connect_timeout = config.pool.connect_timeout;

    std::string database = url.path;
    if (sentinel) {
        const auto slash = url.path.find('/');
        target.master = url.path.substr(0, slash);
        database = slash == std::string::npos ? "" : url.path.substr(slash + 1);
        if (target.master.empty()) {
            throw Error(Code::config, what + ": the url names no master", "write it like redis+sentinel://host1:26379,host2:26379/mymaster/0");
        }
    } else if (url.hosts.size() > 1 && !cluster) {
        throw Error(Code::config, what + ": the url names several servers",
                    "for a group with failover name its sentinels: redis+sentinel://host1:26379,host2:26379/mymaster/0, for a cluster some of its nodes: redis+cluster://host1:6379,host2:6379/");
    }
    if (!database.empty()) target.database = parse_database(database, what);
    if (cluster && target.database != 0) throw Error(Code::config, what + ": the url names database " + database + ", and a Redis Cluster has none but 0", "write it like redis+cluster://host1:6379,host2:6379/");
    target.cluster = cluster;

    if (url.scheme.starts_with("rediss")) target.tls.emplace();
    auto options = config.options;
    options.insert(url.query.begin(), url.query.end());
    for (const auto& [key, value] : options) {
        static const std::vector<std::string> known{"tls_ca", "tls_cert", "tls_key"};
        if (std::find(known.begin(), known.end(), key) == known.end()) {
            throw Error(Code::config, what + ": unknown option '" + key + "'" + did_you_mean(key, known), "options of a Redis store: " + join(known, ", "));
        }
        if (!target.tls) throw Error(Code::config, what + ": " + key + " is set, but the url is not encrypted", "write rediss:// in the url, or remove " + key);
        (key == "tls_ca" ? target.tls->ca_file : key == "tls_cert" ? target.tls->cert_file : target.tls->key_file) = value;
    }
    return target;
}

}  // namespace ysdb::redis
