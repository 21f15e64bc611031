#include "core/sync/routes.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb {

namespace {

void require_known(const std::vector<std::string>& wanted, const std::set<std::string>& known, const std::string& what) {
    const std::vector<std::string> names(known.begin(), known.end());
    for (const std::string& name : wanted) {
        if (!known.contains(name)) {
            throw Error(Code::usage, "no sync set has the " + what + " '" + name + "'" + did_you_mean(name, names), "configured: " + join(names, ", "));
        }
    }
}

bool chosen(const std::vector<std::string>& filter, const std::string& name) {
    return filter.empty() || std::find(filter.begin(), filter.end(), name) != filter.end();
}

std::string fill_in(std::string text, const TableRef& table) {
    for (const auto& [name, value] : {std::pair<std::string_view, const std::string&>("{schema}", table.schema), {"{table}", table.table}}) {
        for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size())) text.replace(at, name.size(), value);
    }
    return text;
}

}  // namespace

Landing landing_of(const SyncConfig& sync, const SyncTarget& to, const TableRef& table) {
    Landing landing;
    landing.set = sync.name;
    landing.source = table;
    landing.target = to.into.empty() ? TableRef{"", table.table} : parse_table_ref(to.into, "[[sync.to]] into");
    landing.key = to.key;
    landing.format = to.format;
    landing.ttl = to.ttl;
    landing.topic = fill_in(to.topic, table);
    landing.channel = fill_in(to.channel, table);
    landing.tags = to.tags;
    landing.partitions = to.partitions;
    landing.retention = to.retention;
    landing.transactional = to.transactional;
    return landing;
}

std::vector<Route> find_routes(const Config& config, const RouteFilter& filter) {
    if (config.syncs.empty()) {
        throw Error(Code::config, "no [[sync]] set is configured", "add one to ysdb.toml: name, from, tables and a [[sync.to]] store; see docs/sync.md");
    }
    std::vector<Route> all;
    std::set<std::string> sets, tables, sinks;
    for (const SyncConfig& sync : config.syncs) {
        sets.insert(sync.name);
        for (const std::string& table : sync.tables) {
            tables.insert(table);
            for (const SyncTarget& to : sync.to) {
                sinks.insert(to.store);
                if (!to.table.empty() && to.table != table) continue;
                const TableRef ref = parse_table_ref(table, "[[sync]] " + sync.name + ": tables");
                const Landing landing = landing_of(sync, to, ref);
                all.push_back({sync.name, sync.from, ref, to.store, landing.target, landing});
            }
        }
    }
    require_known(filter.sets, sets, "name");
    require_known(filter.tables, tables, "table");
    require_known(filter.sinks, sinks, "target store");

    std::map<std::pair<std::string, std::string>, std::string> owners;
    std::vector<Route> routes;
    for (const Route& route : all) {
        // Where a store keeps rows under keys or in topics, the tables' names do not matter.
        const std::string place = !route.landing.key.empty() ? route.landing.key : !route.landing.topic.empty() ? route.landing.topic : route.target.text();
        const auto [owner, is_new] = owners.emplace(std::pair(route.sink, place), route.source + ":" + route.table.text());
        if (!is_new && owner->second != route.source + ":" + route.table.text()) {
            throw Error(Code::config, "two tables would be written to " + route.sink + "." + place + ": " + owner->second + " and " + route.source + ":" + route.table.text(),
                        "sync them into different stores or databases");
        }
        if (chosen(filter.sets, route.set) && chosen(filter.tables, route.table.text()) && chosen(filter.sinks, route.sink)) routes.push_back(route);
    }
    return routes;
}

}  // namespace ysdb
