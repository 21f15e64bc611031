// Checks of [[partition]], [[sync]] and [migrate] that need the whole configuration.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/config/config.h"

namespace ysdb {

// `place("sync[1]")` says where the element stands, for messages: "ysdb.toml:31".
void check_jobs(const Config& config, const std::function<std::string(const std::string&)>& place, std::vector<ConfigProblem>& problems);

}  // namespace ysdb
