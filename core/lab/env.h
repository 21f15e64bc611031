// What `ysdb lab env` prints: the lab's stores as a configuration file, as shell exports, as JSON.
#pragma once

#include <string>
#include <vector>

#include "core/lab/site.h"

namespace ysdb::lab {

// A complete ysdb.toml. Passwords stay in their 0600 files.
std::string env_toml(const std::vector<LabStore>& stores);
// `export NAME='value'` lines: YSDB_STORES_*, and the variables that client programs know. Holds passwords.
std::string env_shell(const std::vector<LabStore>& stores);
// {"schema":1,"stores":{"main":{"url":...}}} with URLs that work as they are. Holds passwords.
std::string env_json(const std::vector<LabStore>& stores);
// The URL with the password in it.
std::string url_with_password(const LabStore& store);

}  // namespace ysdb::lab
