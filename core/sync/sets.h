// A sync set as its commands see it: its routes, where its changes come from, what it remembers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/store/lsn.h"
#include "core/sync/routes.h"
#include "core/sync/state.h"

namespace ysdb::sync {

struct SyncSet {
    std::string name;
    std::string capture_kind;
    const SyncConfig& config;
    Store& source;
    Store& home;                       // remembers where the set stands: the source, or the PostgreSQL beside a source that is polled
    ChangeCapture& capture;
    std::vector<Route> routes;         // of stores that take changes
    std::vector<TableRef> tables;      // of the source, once each
    std::vector<std::string> sinks;    // names, once each

    std::vector<std::unique_ptr<ChangeCapture>> own;   // captures that are the set's own, not the store's: `capture` may be one of them

    // Where the set's changes are told to a bus, `routes` lead there, and `configured` where its members take them; otherwise the two are the same.
    std::vector<Route> configured = {};
    std::shared_ptr<Store> bus = {};   // as a sink
    std::string bus_name = {};         // the store's; empty: none

    Store& sink(Context& context, const std::string& name) const { return bus != nullptr && bus->name() == name ? *bus : context.stores.get(name); }
    // What is written down of how the set is followed: "wal", or "wal>events" over a bus.
    std::string way() const { return bus_name.empty() ? capture_kind : capture_kind + ">" + bus_name; }
    std::vector<Route> routes_to(const std::string& sink) const;
    // The route that leads this table ("schema.table") to this sink; null: none does, any more.
    const Route* route_of(const std::string& table, const std::string& sink) const;
    // Whether a sink takes copies of its tables, or changes only.
    bool takes_copies(Context& context, const Route& route) const { return bus != nullptr || sink(context, route.sink).changes()->follow(route.landing, context.deadline())->takes_copies(); }
    // Who reads the tables of capture.snapshot().
    RowSource& rows() const { return capture.rows() != nullptr ? *capture.rows() : *source.rows(); }
};

// The set of that name, or the only one. Throws Error(usage) when there are several and none is named, Error(config) when a target cannot
// take changes.
SyncSet open_set(Context& context, const std::string& name);
// The same, with the bus of this store in the place of its sinks; `partitions` of a topic that is made, 0: the bus's default. Throws Error(config)
// for a store without one.
SyncSet open_set_to(Context& context, const std::string& name, const std::string& store, int partitions);
// Throws Error(config) when a sink of the set knows what it has by the version of the last change: members write a table's changes in no one order, and
// what comes from another partition later would be left out.
void refuse_ordered_sinks(Context& context, const SyncSet& set);
// The store of the bus in such a way; empty: none.
std::string bus_of(const std::string& way);
std::string bus_sink_name(const std::string& store);
// Throws Error(config) for a store without one.
ChangeBus& bus_at(Context& context, const std::string& set, const std::string& store);
// The group whose members take a set's changes from a bus, where none is named.
std::string group_of(const std::string& set);
// Whether the positions of such a capture are ticks, which are counted, not bytes of a log.
bool counts_ticks(const std::string& capture);
// A position of such a capture: "16/B374D848", or "tick 12".
std::string position_text(const std::string& capture, std::uint64_t position);
// The names of all sets, in the order of the configuration.
std::vector<std::string> set_names(const Config& config);

}  // namespace ysdb::sync
