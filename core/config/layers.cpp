#include "core/config/layers.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/config/resolved.h"
#include "core/config/toml_file.h"

namespace ysdb {

namespace {

namespace fs = std::filesystem;

enum Rank { built_in, system_file, user_file, local_file, environment, flags };

// --- files ------------------------------------------------------------

// {"stores","main","pool","max"} -> "stores.NAME.pool.max"; {"sync","[0]","to","[1]","store"} -> "sync[].to[].store"
std::string pattern_of(const std::vector<std::string>& path) {
    std::string pattern;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i].starts_with("["))
            pattern += "[]";
        else if (i == 1 && path[0] == "stores")
            pattern += ".NAME";
        else if (i == 2 && path[0] == "migrate" && path[1] == "variables")
            pattern += ".NAME";
        else
            pattern += (i > 0 ? "." : "") + path[i];
    }
    return pattern;
}

std::string name_of(const std::vector<std::string>& path) {
    std::string name;
    for (const std::string& part : path) name += (name.empty() || part.starts_with("[") ? "" : ".") + part;
    return name;
}

// The known keys that stand where the last part of `pattern` stands ("stores.NAME." -> url, password, pool, ...).
std::vector<std::string> siblings(const std::string& parent) {
    std::set<std::string> names;
    for (const Setting& setting : setting_table()) {
        if (!setting.name.starts_with(parent)) continue;
        const std::string_view rest = setting.name.substr(parent.size());
        names.emplace(rest.substr(0, rest.find_first_of(".[")));
    }
    return {names.begin(), names.end()};
}

ConfigProblem unknown_key(const TomlEntry& entry, const std::string& where) {
    // Walk down to the first part that leads nowhere: that is the one mistyped.
    std::string parent;
    for (std::size_t i = 0; i < entry.path.size(); ++i) {
        const std::string pattern = pattern_of({entry.path.begin(), entry.path.begin() + static_cast<std::ptrdiff_t>(i) + 1});
        const bool leads_on = std::any_of(setting_table().begin(), setting_table().end(), [&](const Setting& setting) {
            const std::string_view rest = setting.name.starts_with(pattern) ? setting.name.substr(pattern.size()) : "?";
            return rest.empty() || rest[0] == '.' || rest[0] == '[';
        });
        if (!leads_on) {
            const auto known = siblings(parent);
            const std::string name = name_of({entry.path.begin(), entry.path.begin() + static_cast<std::ptrdiff_t>(i) + 1});
            return {fmt::format("{}: unknown key '{}'{}", where, name, did_you_mean(entry.path[i], known)),
                    known.empty() ? "" : "known here: " + join(known, ", ")};
        }
        parent = pattern + ".";
    }
    return {fmt::format("{}: '{}' is a section, not a value", where, name_of(entry.path)),
            "known inside: " + join(siblings(parent), ", ")};
}

bool fits(const Setting& setting, TomlEntry::Kind kind) {
    using Kind = TomlEntry::Kind;
    switch (setting.type) {
        case SettingType::integer:
            return kind == Kind::integer;
        case SettingType::boolean:
            return kind == Kind::boolean;
        case SettingType::list:
            return kind == Kind::list;
        case SettingType::text:
        case SettingType::secret:
        case SettingType::size:
            return kind == Kind::text || kind == Kind::integer;
        default:
            return kind == Kind::text;
    }
}

void merge_entry(const TomlEntry& entry, const std::string& file, const fs::path& directory, int rank, Resolved& into) {
    const std::string where = fmt::format("{}:{}", file, entry.line);
    const std::string name = name_of(entry.path);
    if (entry.path[0] == "stores" && entry.path.size() > 1 && !valid_store_name(entry.path[1])) {
        into.problems.push_back(
            {fmt::format("{}: '{}' is no name for a store", where, entry.path[1]), "use a-z, 0-9 and _, a letter first"});
        return;
    }
    if (entry.path[0] == "migrate" && entry.path.size() > 2 && entry.path[1] == "variables" && !valid_store_name(entry.path[2])) {
        into.problems.push_back({fmt::format("{}: '{}' is no name for a variable", where, entry.path[2]), "use a-z, 0-9 and _, a letter first; files may write it in capitals"});
        return;
    }
    if (entry.kind == TomlEntry::Kind::table) {
        if (siblings(pattern_of(entry.path) + ".").empty())
            into.problems.push_back(unknown_key(entry, where));
        else if (entry.path.size() == 2 && entry.path[0] == "stores")
            into.values[name + ".url"] = {find_setting("stores.NAME.url"), "", {}, where, rank, directory};
        return;
    }
    const Setting* setting = find_setting(pattern_of(entry.path));
    if (setting == nullptr) {
        into.problems.push_back(unknown_key(entry, where));
    } else if (!fits(*setting, entry.kind)) {
        into.problems.push_back(
            {fmt::format("{}: '{}' has to be a {}", where, name, type_name(setting->type)), std::string(setting->help)});
    } else {
        into.values[name] = {setting, entry.text, entry.items, where, rank, directory};
    }
}

// Arrays of tables are not merged across files: a file that has any replaces those of the files before it.
void forget_arrays(const std::vector<TomlEntry>& entries, Resolved& into) {
    for (const char* array : {"partition", "sync"}) {
        const bool replaced =
            std::any_of(entries.begin(), entries.end(), [&](const TomlEntry& entry) { return entry.path[0] == array; });
        if (replaced)
            std::erase_if(into.values, [&](const auto& value) { return value.first.starts_with(std::string(array) + "["); });
    }
}

void merge_file(const fs::path& path, const fs::path& working_directory, int rank, Resolved& into) {
    const fs::path absolute = fs::absolute(working_directory / path).lexically_normal();
    const bool local = absolute.parent_path() == working_directory.lexically_normal();
    const std::string shown = local ? absolute.filename().string() : absolute.string();
    try {
        const std::vector<TomlEntry> entries = parse_toml(read_file(absolute), shown);
        forget_arrays(entries, into);
        for (const TomlEntry& entry : entries) merge_entry(entry, shown, absolute.parent_path(), rank, into);
        into.files.push_back(shown);
        into.directory = absolute.parent_path();
    } catch (const Error& error) {
        into.problems.push_back({error.message(), error.hint()});
    }
}

std::string value_or(const std::map<std::string, std::string>& environment, const std::string& name,
                     const std::string& fallback = {}) {
    const auto found = environment.find(name);
    return found == environment.end() || found->second.empty() ? fallback : found->second;
}

void merge_files(const ConfigSources& sources, Resolved& into) {
    const std::string variable = value_or(sources.environment, "YSDB_CONFIG");
    if (sources.file || !variable.empty()) {
        merge_file(sources.file.value_or(variable), sources.working_directory, local_file, into);
        return;
    }
    const std::string home = value_or(sources.environment, "HOME");
    const std::string user = value_or(sources.environment, "XDG_CONFIG_HOME", home.empty() ? "" : home + "/.config");
    std::error_code ignored;
    if (fs::exists(sources.system_file, ignored)) merge_file(sources.system_file, sources.working_directory, system_file, into);
    if (!user.empty() && fs::exists(fs::path(user) / "ysdb/ysdb.toml", ignored)) {
        merge_file(fs::path(user) / "ysdb/ysdb.toml", sources.working_directory, user_file, into);
    }
    if (fs::exists(sources.working_directory / "ysdb.toml", ignored))
        merge_file("ysdb.toml", sources.working_directory, local_file, into);
}

// --- environment ------------------------------------------------------------

constexpr std::string_view store_variable_prefix = "YSDB_STORES_";
constexpr std::string_view migrate_variable_prefix = "YSDB_MIGRATE_VARIABLES_";
const std::size_t store_setting_prefix = std::string_view("stores.NAME").size();

// "_POOL_MAX" for stores.NAME.pool.max
std::string store_suffix(const Setting& setting) {
    return variable_of(setting).substr(std::string_view("YSDB_STORES_NAME").size());
}

struct StoreVariable {
    std::string store;
    const Setting* setting = nullptr;
};

// YSDB_STORES_<NAME>_<KEY>: the longest known key wins.
StoreVariable read_store_variable(const std::string& variable) {
    StoreVariable best;
    std::size_t longest = 0;
    const std::string rest = variable.substr(store_variable_prefix.size());
    for (const Setting& setting : setting_table()) {
        if (!setting.name.starts_with("stores.NAME.")) continue;
        const std::string suffix = store_suffix(setting);
        if (!rest.ends_with(suffix) || rest.size() == suffix.size() || suffix.size() <= longest) continue;
        longest = suffix.size();
        best = {lower(rest.substr(0, rest.size() - suffix.size())), &setting};
    }
    return best;
}

std::string store_setting_name(const std::string& store, const Setting& setting) {
    return "stores." + store + std::string(setting.name.substr(store_setting_prefix));
}

std::set<std::string> store_names(const Resolved& resolved) {
    std::set<std::string> names;
    for (const auto& [name, value] : resolved.values) {
        if (name.starts_with("stores.")) names.insert(split(name, '.')[1]);
    }
    return names;
}

void merge_store_variables(const ConfigSources& sources, Resolved& into) {
    std::vector<std::pair<std::string, StoreVariable>> found;
    std::set<std::string> names = store_names(into);
    for (const auto& [variable, text] : sources.environment) {
        if (!variable.starts_with(store_variable_prefix)) continue;
        const StoreVariable read = read_store_variable(variable);
        if (read.setting == nullptr || !valid_store_name(read.store)) {
            into.warnings.push_back(variable + " is no setting of a store; it is ignored");
            continue;
        }
        found.emplace_back(variable, read);
        if (read.setting->name == "stores.NAME.url") names.insert(read.store);
    }
    for (const auto& [variable, read] : found) {
        if (!names.contains(read.store)) {
            into.warnings.push_back(fmt::format("{} is ignored: no store '{}' is configured", variable, read.store));
            continue;
        }
        into.values[store_setting_name(read.store, *read.setting)] = {
            read.setting, sources.environment.at(variable), {}, variable, environment, sources.working_directory};
    }
}

void merge_scalar_variables(const ConfigSources& sources, Resolved& into) {
    std::vector<std::string> known;
    for (const Setting& setting : setting_table()) {
        const std::string variable = variable_of(setting);
        if (variable.empty() || variable.starts_with(store_variable_prefix) || variable.starts_with(migrate_variable_prefix)) continue;
        known.push_back(variable);
        const auto found = sources.environment.find(variable);
        if (found == sources.environment.end()) continue;
        into.values[std::string(setting.name)] = {&setting, found->second, {}, variable, environment, sources.working_directory};
    }
    for (const auto& [variable, text] : sources.environment) {
        if (variable.starts_with(migrate_variable_prefix)) {
            const std::string name = lower(variable.substr(migrate_variable_prefix.size()));
            if (valid_store_name(name)) into.values["migrate.variables." + name] = {find_setting("migrate.variables.NAME"), text, {}, variable, environment, sources.working_directory};
            else into.warnings.push_back(variable + " names no variable of migration files; it is ignored");
            continue;
        }
        const bool reserved = variable == "YSDB_CONFIG" || variable == "YSDB_FAULT" || variable == "YSDB_SOAK" || variable.starts_with("YSDB_TEST_");
        if (!variable.starts_with("YSDB_") || reserved || variable.starts_with(store_variable_prefix)) continue;
        if (std::find(known.begin(), known.end(), variable) == known.end()) {
            into.warnings.push_back("the variable " + variable + " is no setting; it is ignored" + did_you_mean(variable, known));
        }
    }
}

void merge_borrowed(const ConfigSources& sources, Resolved& into) {
    if (!store_names(into).empty()) return;
    for (const BorrowedValue& value : borrowed_stores(sources.environment)) {
        const std::size_t key = value.name.find('.', std::string_view("stores.").size());
        const Setting* setting = find_setting("stores.NAME" + value.name.substr(key));
        into.values[value.name] = {setting, value.text, {}, value.variable, environment, sources.working_directory};
    }
}

// --- built-in ------------------------------------------------------------

// "stores.main.pool.max" -> "stores.main"; "sync[1].to[0].store" -> "sync[1]"; "migrate.dir" -> "".
std::string element_of(const std::string& name) {
    if (name.starts_with("stores.")) return name.substr(0, name.find('.', std::string_view("stores.").size()));
    const auto bracket = name.find(']');
    return bracket == std::string::npos ? "" : name.substr(0, bracket + 1);
}

// Defaults of what is not set: of scalars, and of every store and array element that some layer has.
void merge_built_in(Resolved& into) {
    std::set<std::string> elements;
    for (const auto& [name, _] : into.values) elements.insert(element_of(name));
    elements.insert("");
    for (const Setting& setting : setting_table()) {
        const std::string pattern = element_of(std::string(setting.name));
        if (setting.fallback.empty()) continue;
        for (const std::string& element : elements) {
            if (element.substr(0, element.find_first_of(".[")) != pattern.substr(0, pattern.find_first_of(".["))) continue;
            const std::string name = element + std::string(setting.name.substr(pattern.size()));
            into.values.insert({name, {&setting, std::string(setting.fallback), {}, "built-in", built_in, {}}});
        }
    }
}

}  // namespace

Config load_config(const ConfigSources& sources) {
    Resolved resolved;
    resolved.directory = sources.working_directory;
    merge_files(sources, resolved);
    merge_store_variables(sources, resolved);
    merge_borrowed(sources, resolved);
    merge_scalar_variables(sources, resolved);
    for (const auto& [name, value] : sources.flags) {
        resolved.values[name] = {find_setting(name), value.text, {}, value.flag, flags, sources.working_directory};
    }
    merge_built_in(resolved);
    return build_config(std::move(resolved));
}

void require_good_config(const Config& config) {
    if (config.problems.empty()) return;
    const ConfigProblem& first = config.problems.front();
    std::string hint = first.hint;
    if (config.problems.size() > 1) {
        hint += fmt::format("{}{} more: ysdb config check", hint.empty() ? "" : "; ", config.problems.size() - 1);
    }
    throw Error(Code::config, first.message, hint);
}

}  // namespace ysdb
