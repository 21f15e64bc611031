// The one table of settings. Parsing, `config show`, unknown-key errors, variables and docs/configuration.md come from it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ysdb {

enum class SettingType {
    text,
    integer,
    duration,
    size,      // of bytes
    choice,
    boolean,
    path,      // relative to the file that says it; from a variable, to the working directory
    url,       // shown without its password
    secret,    // never shown
    list,      // of texts
};

struct Setting {
    std::string_view name;      // "migrate.dir", "stores.NAME.pool.max", "partition[].every", "sync[].to[].store"
    SettingType type;
    std::string_view fallback;  // as typed; empty: none
    std::string_view help;      // one lowercase line
    bool required = false;
    std::vector<std::string> choices = {};
};

const std::vector<Setting>& setting_table();
// Throws nothing: nullptr for a name that is not in the table.
const Setting* find_setting(std::string_view name);
// "YSDB_MIGRATE_DIR", "YSDB_STORES_NAME_POOL_MAX"; "" for settings inside arrays, which have none.
std::string variable_of(const Setting& setting);
std::string_view type_name(SettingType type);

}  // namespace ysdb
