// A sync set as its commands see it: its routes, where its changes come from, what it remembers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/context.h"
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

    std::vector<Route> routes_to(const std::string& sink) const;
    // Who reads the tables of capture.snapshot().
    RowSource& rows() const { return capture.rows() != nullptr ? *capture.rows() : *source.rows(); }
};

// The set of that name, or the only one. Throws Error(usage) when there are several and none is named, Error(config) when a target cannot
// take changes.
SyncSet open_set(Context& context, const std::string& name);
// A position as PostgreSQL writes it: "16/B374D848".
std::string lsn_text(std::uint64_t position);
// The names of all sets, in the order of the configuration.
std::vector<std::string> set_names(const Config& config);

}  // namespace ysdb::sync
