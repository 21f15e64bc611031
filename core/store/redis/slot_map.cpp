#include "core/store/redis/slot_map.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb::redis {

namespace {

template <class Number>
std::optional<Number> number_in(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

// [preferred endpoint or nil, port, id, [name, value, ...]]
std::optional<Endpoint> node_in(const Reply& node, const Endpoint& asked) {
    if (node.elements.size() < 2 || node.elements[1].kind != Reply::Kind::integer) return std::nullopt;
    Endpoint endpoint{node.elements[0].text, static_cast<int>(node.elements[1].integer)};
    if (endpoint.host == "?") {
        endpoint.host.clear();
        if (node.elements.size() < 4) return std::nullopt;
        const std::vector<Reply>& beside = node.elements[3].elements;
        for (std::size_t i = 0; i + 1 < beside.size(); i += 2) {
            if (beside[i].text == "ip") endpoint.host = beside[i + 1].text;
        }
        if (endpoint.host.empty()) return std::nullopt;
    }
    if (endpoint.host.empty()) endpoint.host = asked.host;
    if (endpoint.port <= 0 || endpoint.port > 65535) return std::nullopt;
    return endpoint;
}

std::size_t index_of(std::vector<Endpoint>& endpoints, const Endpoint& endpoint) {
    const auto index = static_cast<std::size_t>(std::find(endpoints.begin(), endpoints.end(), endpoint) - endpoints.begin());
    if (index == endpoints.size()) endpoints.push_back(endpoint);
    return index;
}

}  // namespace

SlotMap parse_slots(const Reply& reply, const Endpoint& asked) {
    const auto strange = [] { return Error(Code::connect, "CLUSTER SLOTS answered something else than slots and their servers"); };
    if (reply.kind != Reply::Kind::array) throw strange();
    SlotMap map;
    for (const Reply& range : reply.elements) {
        if (range.elements.size() < 3 || range.elements[0].kind != Reply::Kind::integer || range.elements[1].kind != Reply::Kind::integer) throw strange();
        const std::int64_t first = range.elements[0].integer, last = range.elements[1].integer;
        if (first < 0 || last < first || last >= static_cast<std::int64_t>(slot_count)) throw strange();
        for (std::size_t i = 3; i < range.elements.size(); ++i) {
            if (const auto replica = node_in(range.elements[i], asked)) index_of(map.replicas, *replica);
        }
        const auto master = node_in(range.elements[2], asked);
        if (!master) continue;
        const std::size_t owner = index_of(map.masters, *master);
        for (std::int64_t slot = first; slot <= last; ++slot) {
            std::uint16_t& at = map.owners[static_cast<std::size_t>(slot)];
            map.served += at == SlotMap::nobody ? 1 : 0;
            at = static_cast<std::uint16_t>(owner);
        }
    }
    return map;
}

std::optional<Redirection> parse_redirection(std::string_view reply, const Endpoint& from) {
    const auto words = split(reply, ' ');
    if (words.size() != 3 || (words[0] != "MOVED" && words[0] != "ASK")) return std::nullopt;
    const auto slot = number_in<std::uint16_t>(words[1]);
    const std::string_view where = words[2];
    const auto colon = where.rfind(':');   // an IPv6 address has several, and comes without brackets
    if (!slot || *slot >= slot_count || colon == std::string_view::npos) return std::nullopt;
    const auto port = number_in<int>(where.substr(colon + 1));
    if (!port || *port <= 0 || *port > 65535) return std::nullopt;
    std::string host(where.substr(0, colon));
    if (host == "?") return std::nullopt;
    return Redirection{words[0] == "ASK", *slot, {host.empty() ? from.host : host, *port}};
}

std::vector<std::uint16_t> open_slots(std::string_view cluster_nodes) {
    std::vector<std::uint16_t> slots;
    for (const std::string& line : split(cluster_nodes, '\n')) {
        if (line.find("myself") == std::string::npos) continue;
        for (const std::string& word : split(line, ' ')) {
            if (!word.starts_with('[')) continue;
            if (const auto slot = number_in<std::uint16_t>(std::string_view(word).substr(1, word.find('-') - 1))) slots.push_back(*slot);
        }
    }
    std::sort(slots.begin(), slots.end());
    return slots;
}

}  // namespace ysdb::redis
