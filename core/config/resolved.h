// The layers on top of each other: one value a setting, each with its origin. Between reading (layers.cpp) and Config (build.cpp).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/config/settings.h"

namespace ysdb {

struct ResolvedValue {
    const Setting* setting = nullptr;
    std::string text;
    std::vector<std::string> items;        // lists
    std::string layer;                     // "ysdb.toml:7"
    int rank = 0;                          // of the layer; higher wins, 0 is built-in
    std::filesystem::path directory;       // what a relative path is relative to
};

struct Resolved {
    std::map<std::string, ResolvedValue> values;   // "stores.main.url", "sync[0].to[1].store"
    std::vector<std::string> files;
    std::filesystem::path directory;               // of the most important file, else the working directory
    std::vector<std::string> warnings;
    std::vector<ConfigProblem> problems;
};

// Stores from the variables that people already have (POSTGRES_*, PG*, CLICKHOUSE_*, ...), as settings: "stores.main.url" -> value.
struct BorrowedValue {
    std::string name;
    std::string text;
    std::string variable;                  // the one that gave it
};
std::vector<BorrowedValue> borrowed_stores(const std::map<std::string, std::string>& environment);

// Typed values, defaults and checks. Moves warnings and problems over and adds its own.
Config build_config(Resolved resolved);

// "main", "analytics_2"
bool valid_store_name(const std::string& name);

}  // namespace ysdb
