#include "core/store/clickhouse/target.h"

#include <array>
#include <map>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/url.h"

namespace ysdb::clickhouse {

namespace {

constexpr std::string_view how_to_write = "write it like clickhouse://user@host:8123/database, clickhouses:// for TLS, or chdb:///directory";

bool is_loopback(const std::string& host) { return host == "localhost" || host.starts_with("127.") || host == "::1"; }

void set_option(Target& target, const std::string& key, const std::string& value) {
    if (key == "compression") {
        if (value != "zstd" && value != "none") throw Error(Code::config, "store '" + target.store + "': compression is '" + value + "'", "known: zstd, none");
        target.compress = value == "zstd";
    } else if (key == "tls_ca") {
        target.tls_ca = value;
    } else if (key == "database") {
        target.database = value;
    } else if (key == "library") {
        target.library = value;
    } else {
        static const auto known = std::to_array<std::string>({"compression", "tls_ca", "database", "library"});
        throw Error(Code::config, "store '" + target.store + "': unknown option '" + key + "'" + did_you_mean(key, known), "known: " + join(known, ", "));
    }
}

// chdb:///directory?key=value has no host for the common reader.
std::map<std::string, std::string> read_embedded(Target& target, std::string_view rest) {
    const auto mark = rest.find('?');
    const std::string_view directory = rest.substr(0, mark);
    if (!directory.starts_with('/') || directory.size() < 2) throw Error(Code::config, "store '" + target.store + "': chdb:// takes an absolute directory", std::string(how_to_write));
    target.directory = percent_decode(directory);
    std::map<std::string, std::string> options;
    if (mark == std::string_view::npos) return options;
    for (const std::string& option : split(rest.substr(mark + 1), '&')) {
        const auto equals = option.find('=');
        options[option.substr(0, equals)] = equals == std::string::npos ? "" : percent_decode(option.substr(equals + 1));
    }
    return options;
}

std::map<std::string, std::string> read_server(Target& target, const std::string& text) {
    const Url url = parse_url(text, "store '" + target.store + "'", text.starts_with("clickhouses://") ? 8443 : 8123);
    if (url.hosts.size() > 1) throw Error(Code::config, "store '" + target.store + "': ClickHouse takes one host", "name a load balancer, or one replica");
    target.tls = url.scheme == "clickhouses";
    target.host = url.hosts[0].host;
    target.port = url.hosts[0].port;
    if (!url.user.empty()) target.user = url.user;
    if (!url.password.empty()) target.password = Secret(url.password);
    if (!url.path.empty()) target.database = url.path;
    target.compress = !is_loopback(target.host);
    return url.query;
}

}  // namespace

std::string Target::origin() const {
    return (tls ? "https://" : "http://") + Endpoint{host, port}.text();
}

std::string Target::redacted_url() const {
    if (embedded) return "chdb://" + directory + (database == "default" ? "" : "?database=" + database);
    return (tls ? "clickhouses://" : "clickhouse://") + percent_encode(user) + "@" + Endpoint{host, port}.text() + "/" + percent_encode(database);
}

Target parse_target(const StoreConfig& config) {
    Target target;
    target.store = config.name;
    target.pool = config.pool;
    constexpr std::string_view chdb = "chdb://";
    target.embedded = config.url.starts_with(chdb);
    const auto options = target.embedded ? read_embedded(target, std::string_view(config.url).substr(chdb.size())) : read_server(target, config.url);
    for (const auto& [key, value] : options) set_option(target, key, value);
    for (const auto& [key, value] : config.options) set_option(target, key, value);
    if (!config.password.empty()) target.password = config.password;
    return target;
}

}  // namespace ysdb::clickhouse
