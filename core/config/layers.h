// The layers of the configuration, least important first: built-in, /etc/ysdb/ysdb.toml, $XDG_CONFIG_HOME/ysdb/ysdb.toml,
// ./ysdb.toml, environment, flags.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/config/config.h"

namespace ysdb {

struct FlagValue {
    std::string flag;   // "--timeout"
    std::string text;   // as typed
};

struct ConfigSources {
    std::map<std::string, std::string> environment;
    std::optional<std::string> file;                  // --config: replaces the file layers, as YSDB_CONFIG does
    std::map<std::string, FlagValue> flags;           // by setting name: {"run.timeout", {"--timeout", "5s"}}
    std::filesystem::path working_directory;          // absolute
    std::filesystem::path system_file = "/etc/ysdb/ysdb.toml";
};

// Reads files; connects to nothing. What is wrong is listed in Config::problems, so that all of it can be shown at once; the values
// concerned keep their defaults. Nothing in problems, warnings or values holds a secret.
Config load_config(const ConfigSources& sources);

// The first problem as an Error(config); its hint says how many more there are. Only when there is one.
void require_good_config(const Config& config);

}  // namespace ysdb
