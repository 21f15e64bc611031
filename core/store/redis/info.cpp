#include "core/store/redis/info.h"

#include <cstdlib>
#include <map>

#include "core/base/text.h"

namespace ysdb::redis {

namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

Fields parse(std::string_view info) {
    Fields fields;
    for (const std::string& line : split(info, '\n')) {
        const std::string_view text = trim(line);
        const auto colon = text.find(':');
        if (colon == std::string_view::npos || text.starts_with('#')) continue;
        fields.emplace(text.substr(0, colon), text.substr(colon + 1));
    }
    return fields;
}

std::string value(const Fields& fields, std::string_view key) {
    const auto found = fields.find(key);
    return found == fields.end() ? std::string() : found->second;
}

void name_product(const Fields& fields, ProbeResult& result) {
    result.product = "Redis";
    result.version = value(fields, "redis_version");
    if (const std::string dragonfly = value(fields, "dragonfly_version"); !dragonfly.empty()) {
        result.product = "DragonflyDB";
        const auto digits = dragonfly.find_first_of("0123456789");  // "df-v1.27.1"
        result.version = digits == std::string::npos ? dragonfly : dragonfly.substr(digits);
    } else if (const std::string valkey = value(fields, "valkey_version"); !valkey.empty()) {
        result.product = "Valkey";
        result.version = valkey;
    }
}

}  // namespace

std::string info_value(std::string_view info, std::string_view key) { return value(parse(info), key); }

ProbeResult interpret_info(std::string_view info) {
    const Fields fields = parse(info);
    ProbeResult result;
    name_product(fields, result);
    const std::string role = value(fields, "role");
    if (role == "slave" || role == "replica") {
        result.role = "replica";
        const bool up = value(fields, "master_link_status") == "up";
        if (up && !value(fields, "master_last_io_seconds_ago").empty()) result.lag_s = std::atof(value(fields, "master_last_io_seconds_ago").c_str());
        result.detail = "of " + value(fields, "master_host") + ":" + value(fields, "master_port") + (up ? "" : ", link down");
    } else {
        result.role = role == "master" ? "primary" : role;
        const int replicas = std::atoi(value(fields, "connected_slaves").c_str());
        result.detail = replicas == 0 ? "no replicas" : std::to_string(replicas) + (replicas == 1 ? " replica" : " replicas");
    }
    if (value(fields, "redis_mode") == "cluster" || value(fields, "cluster_enabled") == "1") result.detail += ", of a cluster: redis+cluster:// follows it";
    if (value(fields, "loading") == "1") result.detail += ", loading";
    return result;
}

}  // namespace ysdb::redis
