#include "core/store/postgres/ways.h"

#include <algorithm>
#include <random>

#include "core/base/text.h"
#include "core/store/postgres/errors.h"

namespace ysdb::postgres {

namespace {

constexpr int default_port = 5432;

Target with(Target target, const std::string& key, const std::string& value) {
    std::erase_if(target.keywords, [&](const auto& entry) { return entry.first == key; });
    if (!value.empty()) target.keywords.emplace_back(key, value);
    return target;
}

std::vector<std::string> list(const Target& target, std::string_view key) {
    const std::string value = target.value(key);
    return value.empty() ? std::vector<std::string>{} : split(value, ',');
}

bool is_socket(const std::string& host) { return host.empty() || host[0] == '/' || host[0] == '@'; }

void add_ways(std::vector<Way>& ways, const Target& one, const std::string& host, const std::string& port, Deadline deadline) {
    if (is_socket(host)) {
        ways.push_back({one});
        return;
    }
    try {
        for (const Address& address : look_up({host, port.empty() ? default_port : std::stoi(port)}, deadline)) ways.push_back({with(one, "hostaddr", address.host())});
    } catch (const Error& error) {
        ways.push_back({one, connect_error(one.store, one.redacted_url, error.message())});
    } catch (const std::exception&) {
        ways.push_back({one});  // a port that is no number: libpq says so
    }
}

}  // namespace

std::vector<Way> ways_to(const Target& target, Deadline deadline) {
    const std::vector<std::string> hosts = list(target, "host"), addresses = list(target, "hostaddr"), ports = list(target, "port");
    const std::size_t count = std::max(hosts.size(), addresses.size());
    const bool odd = (!hosts.empty() && !addresses.empty() && hosts.size() != addresses.size()) || (ports.size() > 1 && ports.size() != count);
    if (count == 0 || odd || target.has("service")) return {{target}};  // libpq knows, or says what is wrong

    std::vector<Way> ways;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string host = hosts.empty() ? "" : hosts[i];
        const std::string port = ports.empty() ? "" : ports[ports.size() == 1 ? 0 : i];
        const Target one = with(with(with(target, "host", host), "port", port), "hostaddr", addresses.empty() ? "" : addresses[i]);
        if (addresses.empty() || addresses[i].empty()) add_ways(ways, one, host, port, share_of(deadline, count - i + 1));
        else ways.push_back({one});
    }
    if (target.value("load_balance_hosts") == "random") std::shuffle(ways.begin(), ways.end(), std::mt19937(std::random_device{}()));
    if (target.value("target_session_attrs") == "prefer-standby") {
        const std::vector<Way> any = ways;
        for (Way& way : ways) way.target = with(way.target, "target_session_attrs", "standby");
        for (const Way& way : any) ways.push_back({with(way.target, "target_session_attrs", "any"), way.error});
    }
    return ways;
}

Error all_failed(const Target& target, const std::vector<Error>& errors) {
    const std::string start = connect_error(target.store, target.redacted_url, "").message();
    std::vector<std::string> reasons;
    for (const Error& error : errors) {
        std::string reason = error.message();
        if (reason.starts_with(start)) reason.erase(0, start.size());
        if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end()) reasons.push_back(reason);
    }
    return Error(Code::connect, start + join(reasons, "; "), errors.back().hint()).with_retryable();
}

}  // namespace ysdb::postgres
