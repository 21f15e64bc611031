#include "core/sync/sets.h"

#include <algorithm>

#include "core/base/text.h"
#include "core/sync/poll/poll_capture.h"
#include "core/sync/selection.h"

namespace ysdb::sync {

std::vector<Route> SyncSet::routes_to(const std::string& sink) const {
    std::vector<Route> found;
    std::copy_if(routes.begin(), routes.end(), std::back_inserter(found), [&](const Route& route) { return route.sink == sink; });
    return found;
}

const Route* SyncSet::route_of(const std::string& table, const std::string& sink) const {
    const auto found = std::find_if(routes.begin(), routes.end(), [&](const Route& route) { return route.sink == sink && route.table.text() == table; });
    return found == routes.end() ? nullptr : &*found;
}

bool counts_ticks(const std::string& capture) { return capture != "wal"; }
std::string position_text(const std::string& capture, std::uint64_t position) { return counts_ticks(capture) ? "tick " + std::to_string(position) : lsn_text(position); }

std::vector<std::string> set_names(const Config& config) {
    std::vector<std::string> names;
    for (const SyncConfig& sync : config.syncs) names.push_back(sync.name);
    return names;
}

namespace {

// A store's bus as a sink among sinks, under a name of its own: the store may be a sink of the set as well.
class BusTarget final : public Store {
public:
    explicit BusTarget(Store& store) : Store(named(store)), store_(store) {}
    std::string redacted_url() const override { return store_.redacted_url(); }
    ProbeResult probe(Deadline deadline) override { return store_.probe(deadline); }
    ChangeSink* changes() override { return &store_.bus()->sink(); }

private:
    static StoreConfig named(const Store& store) {
        StoreConfig config = store.config();
        config.name = bus_sink_name(store.name());
        return config;
    }
    Store& store_;
};

}  // namespace

std::string bus_sink_name(const std::string& store) { return "bus:" + store; }

std::string bus_of(const std::string& way) {
    const auto arrow = way.find('>');
    return arrow == std::string::npos ? "" : way.substr(arrow + 1);
}

ChangeBus& bus_at(Context& context, const std::string& set, const std::string& store) {
    ChangeBus* bus = context.stores.get(store).bus();
    if (bus == nullptr) throw Error(Code::config, "sync " + set + ": store '" + store + "' cannot be a bus", "Kafka can");
    return *bus;
}

std::string group_of(const std::string& set) { return "ysdb." + set; }

void refuse_ordered_sinks(Context& context, const SyncSet& set) {
    for (const Route& route : set.configured) {
        const std::string who = "sync " + set.name + ": store '" + route.sink + "' ";
        if (context.stores.get(route.sink).changes()->needs_order()) {
            throw Error(Code::config, who + "takes a table's changes in the source's order only, and a bus keeps that of each row", "give it a set of its own, followed without a bus");
        }
        if (!route.landing.transactional) continue;
        throw Error(Code::config, who + "is transactional, which only a run without a bus can be: members write a table's changes in no one order", "take transactional out of its [[sync.to]]");
    }
}

SyncSet open_set_to(Context& context, const std::string& name, const std::string& store, int partitions) {
    SyncSet set = open_set(context, name);
    bus_at(context, set.name, store);
    refuse_ordered_sinks(context, set);
    set.bus = std::make_shared<BusTarget>(context.stores.get(store));
    set.bus_name = store;
    set.sinks = {set.bus->name()};
    set.routes.clear();
    for (const TableRef& table : set.tables) {
        Route route{set.name, set.source.name(), table, set.bus->name(), {"", table.table}, {}};
        route.landing.set = set.name;
        route.landing.source = table;
        route.landing.partitions = partitions;
        set.routes.push_back(std::move(route));
    }
    return set;
}

SyncSet open_set(Context& context, const std::string& name) {
    const std::vector<std::string> names = set_names(context.config);
    if (name.empty() && names.size() > 1) throw Error(Code::usage, "there are several sync sets", "name one with --set: " + join(names, ", "));
    const std::vector<Route> routes = find_routes(context.config, {name.empty() ? std::vector<std::string>() : std::vector{name}, {}, {}});
    const std::string& set = routes.front().set;
    const auto config = std::find_if(context.config.syncs.begin(), context.config.syncs.end(), [&](const SyncConfig& sync) { return sync.name == set; });
    Store& source = context.stores.get(config->from);
    std::vector<std::unique_ptr<ChangeCapture>> own;
    const bool polled = config->capture == "poll";
    if (polled && config->when_halted == "copy") {
        throw Error(Code::config, "sync " + set + ": when_halted = \"copy\" is for sources that tell their changes; a polled table is halted for what a new copy does not mend", "take when_halted out, or capture = \"wal\" or \"trigger\"");
    }
    Store& home = polled ? context.stores.get(config->state) : source;
    if (polled) own.push_back(poll_capture(source, home, *config, context.timeout));
    if (!polled && selects(*config)) own.push_back(selecting(*source.capture(config->capture), *config));
    ChangeCapture& capture = own.empty() ? *source.capture(config->capture) : *own.back();
    SyncSet found{set, config->capture, *config, source, home, capture, routes, {}, {}, std::move(own)};
    found.configured = routes;
    for (const Route& route : routes) {
        if (context.stores.get(route.sink).changes() == nullptr) {
            throw Error(Code::config, "sync " + set + ": store '" + route.sink + "' cannot follow changes", "ClickHouse, PostgreSQL, Redis and Kafka can; take it out of [[sync.to]]");
        }
        if (std::find(found.tables.begin(), found.tables.end(), route.table) == found.tables.end()) found.tables.push_back(route.table);
        if (std::find(found.sinks.begin(), found.sinks.end(), route.sink) == found.sinks.end()) found.sinks.push_back(route.sink);
    }
    return found;
}

}  // namespace ysdb::sync
