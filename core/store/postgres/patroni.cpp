#include "core/store/postgres/patroni.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/http.h"
#include "core/base/text.h"
#include "core/base/url.h"

namespace ysdb::postgres {

namespace {

constexpr std::string_view scheme = "postgres+patroni://";

std::string text_of(const nlohmann::json& member, const char* key) {
    const auto found = member.find(key);
    return found != member.end() && found->is_string() ? found->get<std::string>() : "";
}

// The member that leads, from GET /cluster.
std::optional<Endpoint> leader_in(const std::string& body) {
    const auto cluster = nlohmann::json::parse(body, nullptr, false);
    if (!cluster.is_object() || !cluster.contains("members") || !cluster["members"].is_array()) return std::nullopt;
    for (const auto& member : cluster["members"]) {
        if (!member.is_object()) continue;
        const std::string role = text_of(member, "role");
        const std::string host = text_of(member, "host");
        if (host.empty() || (role != "leader" && role != "primary" && role != "master")) continue;
        const auto port = member.find("port");
        return Endpoint{host, port != member.end() && port->is_number_integer() ? port->get<int>() : 5432};
    }
    return std::nullopt;
}

}  // namespace

Locator::Locator(const StoreConfig& config) : config_(config) {
    if (!config.url.starts_with(scheme)) {
        parse_target(config);  // a bad URL is told now
        return;
    }
    const std::string rest = config.url.substr(scheme.size());
    const auto slash = rest.find_first_of("/?");
    std::string authority = rest.substr(0, slash);
    if (slash != std::string::npos) rest_of_url_ = rest.substr(slash);
    if (const auto at = authority.rfind('@'); at != std::string::npos) {
        user_ = authority.substr(0, at + 1);
        authority.erase(0, at + 1);
    }
    if (authority.empty()) {
        throw Error(Code::config, "store '" + config.name + "': the url names no Patroni member", "write it like postgres+patroni://host1:8008,host2:8008/database");
    }
    for (const std::string& member : split(authority, ',')) members_.push_back(parse_endpoint(member, "store '" + config.name + "'", 8008).text());
}

Target Locator::target(Deadline deadline) const {
    if (members_.empty()) return parse_target(config_);
    std::string reasons;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        try {
            // Each member gets its share of what is left, so that a dead one does not use up the time of the others and of PostgreSQL.
            const Deadline share = Deadline::after(std::min(config_.pool.connect_timeout, deadline.left() / static_cast<int>(members_.size() - i + 1)));
            const HttpResponse answer = http_get("http://" + members_[i] + "/cluster", share);
            if (const auto leader = leader_in(answer.body)) {
                StoreConfig direct = config_;
                direct.url = "postgres://" + user_ + leader->text() + rest_of_url_;
                Target target = parse_target(direct);
                // What Patroni says may be a moment old.
                if (!target.has("target_session_attrs")) target.keywords.emplace_back("target_session_attrs", "primary");
                return target;
            }
            reasons += "; " + members_[i] + " knows no leader";
        } catch (const Error& error) {
            reasons += "; " + error.message();
        }
    }
    throw Error(Code::connect, "store '" + config_.name + "': Patroni names no primary" + reasons, "is the cluster healthy? see: patronictl list").with_retryable();
}

}  // namespace ysdb::postgres
