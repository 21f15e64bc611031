// Which table goes where: the [[sync]] sets, flattened. Shared by sync, validate and reconcile.
#pragma once

#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/store/changes.h"
#include "core/value/type.h"

namespace ysdb {

struct Route {
    std::string set;      // name of the [[sync]] set
    std::string source;   // store
    TableRef table;       // in the source
    std::string sink;     // store
    TableRef target;      // in the sink; its schema is the store's own database
    Landing landing;      // what the sink's driver is told
};

struct RouteFilter {
    std::vector<std::string> sets;     // empty: all
    std::vector<std::string> tables;   // "schema.table"; empty: all
    std::vector<std::string> sinks;    // empty: all
};

// Throws Error(config) when nothing is configured, Error(usage) for a name the configuration does not have, with the nearest, and
// Error(config) when two source tables would meet in one target.
std::vector<Route> find_routes(const Config& config, const RouteFilter& filter);

// Where one table of a set goes at one of its targets: {schema} and {table} of the topic and the channel are filled in.
Landing landing_of(const SyncConfig& sync, const SyncTarget& to, const TableRef& table);

}  // namespace ysdb
