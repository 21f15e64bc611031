// Which table goes where: the [[sync]] sets, flattened. Shared by sync, validate and reconcile.
#pragma once

#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/value/type.h"

namespace ysdb {

struct Route {
    std::string set;      // name of the [[sync]] set
    std::string source;   // store
    TableRef table;       // in the source
    std::string sink;     // store
    TableRef target;      // in the sink; its schema is the store's own database
};

struct RouteFilter {
    std::vector<std::string> sets;     // empty: all
    std::vector<std::string> tables;   // "schema.table"; empty: all
    std::vector<std::string> sinks;    // empty: all
};

// Throws Error(config) when nothing is configured, Error(usage) for a name the configuration does not have, with the nearest, and
// Error(config) when two source tables would meet in one target.
std::vector<Route> find_routes(const Config& config, const RouteFilter& filter);

}  // namespace ysdb
