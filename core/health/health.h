// Is everything there that the configuration needs? Reads only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/report/report.h"

namespace ysdb {

struct StoreHealth {
    std::string url;                     // redacted; empty when the store cannot even be opened
    std::optional<ProbeResult> probe;    // nothing: see `error`
    std::optional<Error> error;
};

// Probes the named stores, or every configured one when none is named, all at once; returns within the context's timeout. Errors are in
// the result, but Error(config) is thrown when no store is configured or a name is unknown. By name.
std::map<std::string, StoreHealth> probe_stores(Context& context, const std::vector<std::string>& names = {});

// One table of these stores. Code: ok; connect when none answers; differences when some do not; config when a store is misconfigured.
Report status_report(Context& context, const std::vector<std::string>& names = {});

// Checks of everything the configuration needs. Code: ok, or differences when a check failed.
Report doctor_report(Context& context);

}  // namespace ysdb
