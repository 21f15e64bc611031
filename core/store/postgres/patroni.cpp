#include "core/store/postgres/patroni.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/http.h"
#include "core/base/text.h"

namespace ysdb::postgres {

namespace {

constexpr std::string_view scheme = "postgres+patroni://";

// "host:port" of the member that leads, from GET /cluster.
std::optional<std::string> leader_in(const std::string& body) {
    const auto cluster = nlohmann::json::parse(body, nullptr, false);
    if (!cluster.is_object() || !cluster.contains("members")) return std::nullopt;
    for (const auto& member : cluster["members"]) {
        const std::string role = member.value("role", "");
        if ((role == "leader" || role == "primary" || role == "master") && member.contains("host")) {
            return member["host"].get<std::string>() + ":" + std::to_string(member.value("port", 5432));
        }
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
    for (const std::string& member : split(authority, ',')) members_.push_back(member.find(':') == std::string::npos ? member + ":8008" : member);
    if (authority.empty()) {
        throw Error(Code::config, "store '" + config.name + "': the url names no Patroni member", "write it like postgres+patroni://host1:8008,host2:8008/database");
    }
}

Target Locator::target(Deadline deadline) const {
    if (members_.empty()) return parse_target(config_);
    std::string reasons;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        try {
            // Each member gets its share of what is left, so that a dead one does not use up the others' time.
            const Deadline share = Deadline::after(deadline.left() / static_cast<int>(members_.size() - i));
            const HttpResponse answer = http_get("http://" + members_[i] + "/cluster", share);
            if (const auto leader = leader_in(answer.body)) {
                StoreConfig direct = config_;
                direct.url = "postgres://" + user_ + *leader + rest_of_url_;
                return parse_target(direct);
            }
            reasons += "; " + members_[i] + " knows no leader";
        } catch (const Error& error) {
            reasons += "; " + error.message();
        }
    }
    throw Error(Code::connect, "store '" + config_.name + "': Patroni names no primary" + reasons, "is the cluster healthy? see: patronictl list").with_retryable();
}

}  // namespace ysdb::postgres
