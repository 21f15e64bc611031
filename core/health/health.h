// Is everything there that the configuration needs? Reads only.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/context.h"
#include "core/report/report.h"

namespace ysdb {

struct StoreHealth {
    std::string url;                     // redacted; empty when the store cannot even be opened
    std::optional<ProbeResult> probe;    // nothing: see `error`
    std::optional<Error> error;
};

// Probes every configured store at once; returns within the context's timeout. Errors are in the result, but Error(config) is
// thrown when no store is configured. By name.
std::map<std::string, StoreHealth> probe_stores(Context& context);

// One table of all stores. Code: ok; connect when none answers; differences when some do not; config when a store is misconfigured.
Report status_report(Context& context);

// Checks of everything the configuration needs. Code: ok, or differences when a check failed.
Report doctor_report(Context& context);

}  // namespace ysdb
