#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/config/jobs.h"
#include "core/config/resolved.h"
#include "core/config/secrets.h"

namespace ysdb {

namespace {

namespace fs = std::filesystem;

std::string shown_value(const ResolvedValue& value) {
    if (value.setting->type == SettingType::secret) return "***";
    if (value.setting->type == SettingType::url) return redact_url(value.text);
    if (value.setting->type == SettingType::list) return join(value.items, ", ");
    return value.text;
}

// Reads single values; what does not fit becomes a problem and the default stays.
class Values {
public:
    explicit Values(Resolved& resolved) : resolved_(resolved) {}

    const ResolvedValue* find(const std::string& name) const {
        const auto found = resolved_.values.find(name);
        return found == resolved_.values.end() ? nullptr : &found->second;
    }
    void problem(const ResolvedValue& value, const std::string& message, const std::string& hint = {}) {
        resolved_.problems.push_back({value.layer + ": " + message, hint});
    }

    void read(const std::string& name, std::string& into) {
        if (const ResolvedValue* value = find(name)) into = choice_holds(name, *value) ? value->text : into;
    }
    void read(const std::string& name, int& into) {
        const ResolvedValue* value = find(name);
        if (value == nullptr) return;
        int number = 0;
        const char* end = value->text.data() + value->text.size();
        const auto [stopped, failed] = std::from_chars(value->text.data(), end, number);
        if (failed == std::errc() && stopped == end && number >= 0)
            into = number;
        else
            problem(*value, fmt::format("{}: '{}' is no whole number from 0 up", name, value->text));
    }
    void read(const std::string& name, bool& into) {
        if (const ResolvedValue* value = find(name)) into = value->text == "true";   // nothing else passes for one
    }
    void read(const std::string& name, Millis& into) { parse(name, into, parse_duration); }
    void read(const std::string& name, std::uint64_t& into) { parse(name, into, parse_size); }
    template <class Value>
    void read(const std::string& name, std::optional<Value>& into) {
        if (find(name) == nullptr) return;
        into.emplace();
        read(name, *into);
    }
    void read(const std::string& name, std::vector<std::string>& into) {
        if (const ResolvedValue* value = find(name)) into = value->items;
    }
    // Relative paths of the configuration's own directory stay as typed; others become absolute.
    std::string path(const ResolvedValue& value) const {
        const fs::path typed(value.text);
        if (typed.is_absolute() || value.directory.empty() || value.directory == resolved_.directory) return value.text;
        return (value.directory / typed).lexically_normal().string();
    }

private:
    template <class Value, class Parse>
    void parse(const std::string& name, Value& into, const Parse& parse_text) {
        const ResolvedValue* value = find(name);
        if (value == nullptr) return;
        try {
            into = parse_text(value->text, name);
        } catch (const Error& error) {
            problem(*value, error.message(), error.hint());
        }
    }
    bool choice_holds(const std::string& name, const ResolvedValue& value) {
        const auto& choices = value.setting->choices;
        if (choices.empty() || std::find(choices.begin(), choices.end(), value.text) != choices.end()) return true;
        problem(value, fmt::format("{} cannot be '{}'{}", name, value.text, did_you_mean(value.text, choices)),
                "one of: " + join(choices, ", "));
        return false;
    }

    Resolved& resolved_;
};

// The names between `prefix` and the next dot: {"analytics", "main"} for "stores.".
std::set<std::string> names_below(const Resolved& resolved, const std::string& prefix) {
    std::set<std::string> names;
    for (const auto& [name, _] : resolved.values) {
        if (name.starts_with(prefix)) names.insert(name.substr(prefix.size(), name.find('.', prefix.size()) - prefix.size()));
    }
    return names;
}

// How many elements "sync[" has: indexes are dense.
std::size_t count_elements(const Resolved& resolved, const std::string& array) {
    std::size_t count = 0;
    while (true) {
        const std::string prefix = fmt::format("{}[{}].", array, count);
        const auto next = resolved.values.lower_bound(prefix);
        if (next == resolved.values.end() || !next->first.starts_with(prefix)) return count;
        ++count;
    }
}

// "sync[1]" -> "ysdb.toml:31", the line of the first key that a file says.
std::string place_of(const Resolved& resolved, const std::string& element) {
    auto value = resolved.values.lower_bound(element + ".");
    while (value != resolved.values.end() && value->first.starts_with(element + ".") && value->second.rank == 0) ++value;
    return value != resolved.values.end() && value->first.starts_with(element + ".") ? value->second.layer : element;
}

// The most important layer that says a password wins; on the same layer the explicit one before the URL's.
void read_password(const std::string& prefix, Values& values, int url_rank, Secret from_url, StoreConfig& store) {
    const ResolvedValue* plain = values.find(prefix + "password");
    const ResolvedValue* file = values.find(prefix + "password_file");
    if (plain != nullptr && file != nullptr && plain->rank == file->rank) {
        values.problem(*file, fmt::format("store '{}' has both password and password_file", store.name), "keep one");
        return;
    }
    if (plain != nullptr && file != nullptr) (plain->rank > file->rank ? file : plain) = nullptr;
    const int rank = plain != nullptr ? plain->rank : file != nullptr ? file->rank : -1;
    if (!from_url.empty() && url_rank > rank) {
        store.password = std::move(from_url);
    } else if (plain != nullptr) {
        store.password = Secret(plain->text);
    } else if (file != nullptr) {
        store.password_file = (file->directory / file->text).lexically_normal().string();
        try {
            std::string text = read_file(store.password_file);
            text.erase(text.find_last_not_of("\r\n") + 1);
            if (text.empty())
                values.problem(*file, fmt::format("store '{}': the password file '{}' is empty", store.name, file->text));
            store.password = Secret(std::move(text));
        } catch (const Error& error) {
            values.problem(*file, fmt::format("store '{}': {}", store.name, error.message()),
                           "the file must be readable by the user that runs ysdb");
        }
    }
}

void read_options(const std::string& prefix, const Resolved& resolved, Values& values, StoreConfig& store) {
    for (const Setting& setting : setting_table()) {
        if (!setting.name.starts_with("stores.NAME.")) continue;
        const std::string key(setting.name.substr(std::string_view("stores.NAME.").size()));
        if (key == "url" || key.starts_with("password") || key.starts_with("pool.")) continue;
        const auto found = resolved.values.find(prefix + key);
        if (found == resolved.values.end()) continue;
        std::string text;
        values.read(prefix + key, text);
        if (setting.type == SettingType::path && !text.empty())
            text = (found->second.directory / text).lexically_normal().string();
        if (!text.empty()) store.options[key] = text;
    }
}

void read_store(const std::string& name, Resolved& resolved, Values& values, Config& config) {
    const std::string prefix = "stores." + name + ".";
    const ResolvedValue* url = values.find(prefix + "url");
    if (url == nullptr || url->text.empty()) {
        resolved.problems.push_back({fmt::format("{}: store '{}' has no url", place_of(resolved, "stores." + name), name),
                                     "write url = \"postgres://user@host:5432/database\""});
        return;
    }
    StoreConfig store;
    store.name = name;
    try {
        UrlParts parts = split_password(url->text);
        store.url = std::move(parts.url);
        read_password(prefix, values, url->rank, std::move(parts.password), store);
    } catch (const Error& error) {
        values.problem(*url, fmt::format("store '{}': {}", name, error.message()), error.hint());
    }
    values.read(prefix + "pool.min", store.pool.min);
    values.read(prefix + "pool.max", store.pool.max);
    values.read(prefix + "pool.idle", store.pool.idle);
    values.read(prefix + "pool.connect_timeout", store.pool.connect_timeout);
    // Whoever lowers max alone means fewer connections, not a mistake.
    if (values.find(prefix + "pool.min")->rank == 0) store.pool.min = std::min(store.pool.min, store.pool.max);
    if (store.pool.max < 1 || store.pool.min > store.pool.max) {
        values.problem(*url,
                       fmt::format("store '{}': pool.min {} and pool.max {} do not fit", name, store.pool.min, store.pool.max),
                       "max is at least 1 and at least min");
    }
    read_options(prefix, resolved, values, store);
    config.stores.emplace(name, std::move(store));
}

// Each element of an array, by what reads the one whose keys begin with `prefix`.
template <class Element, class Read>
std::vector<Element> read_elements(const Resolved& resolved, const std::string& array, const Read& read) {
    std::vector<Element> elements(count_elements(resolved, array));
    for (std::size_t i = 0; i < elements.size(); ++i) read(fmt::format("{}[{}].", array, i), elements[i]);
    return elements;
}

void read_partitions(const Resolved& resolved, Values& values, Config& config) {
    config.partitions = read_elements<PartitionConfig>(resolved, "partition", [&](const std::string& prefix, PartitionConfig& partition) {
        values.read(prefix + "table", partition.table);
        values.read(prefix + "by", partition.by);
        values.read(prefix + "every", partition.every);
        values.read(prefix + "ahead", partition.ahead);
        values.read(prefix + "keep", partition.keep);
        values.read(prefix + "archive", partition.archive);
    });
}

void read_syncs(const Resolved& resolved, Values& values, Config& config) {
    config.syncs = read_elements<SyncConfig>(resolved, "sync", [&](const std::string& set, SyncConfig& sync) {
        values.read(set + "name", sync.name);
        values.read(set + "from", sync.from);
        values.read(set + "capture", sync.capture);
        values.read(set + "tables", sync.tables);
        values.read(set + "spill", sync.spill);
        values.read(set + "when_full", sync.when_full);
        values.read(set + "when_halted", sync.when_halted);
        values.read(set + "max_slot_wal", sync.max_slot_wal);
        values.read(set + "every", sync.every);
        values.read(set + "state", sync.state);
        sync.table = read_elements<SyncTable>(resolved, set + "table", [&](const std::string& prefix, SyncTable& table) {
            values.read(prefix + "name", table.name);
            values.read(prefix + "key", table.key);
            values.read(prefix + "cursor", table.cursor);
            values.read(prefix + "overlap", table.overlap);
            values.read(prefix + "columns", table.columns);
            values.read(prefix + "except", table.except);
        });
        sync.to = read_elements<SyncTarget>(resolved, set + "to", [&](const std::string& prefix, SyncTarget& target) {
            values.read(prefix + "store", target.store);
            values.read(prefix + "table", target.table);
            values.read(prefix + "into", target.into);
            values.read(prefix + "key", target.key);
            values.read(prefix + "ttl", target.ttl);
            values.read(prefix + "topic", target.topic);
            values.read(prefix + "format", target.format);
            values.read(prefix + "channel", target.channel);
            values.read(prefix + "tags", target.tags);
            values.read(prefix + "partitions", target.partitions);
            values.read(prefix + "retention", target.retention);
            values.read(prefix + "transactional", target.transactional);
        });
    });
}

}  // namespace

bool valid_store_name(const std::string& name) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    return !name.empty() && name[0] >= 'a' && name[0] <= 'z' && std::all_of(name.begin(), name.end(), allowed);
}

Config build_config(Resolved resolved) {
    Config config;
    config.directory = resolved.directory.string();
    Values values(resolved);
    values.read("run.timeout", config.run.timeout);
    std::string log_format = "text";
    values.read("log.format", log_format);
    config.run.log_json = log_format == "json";
    config.migrate.dir = values.path(*values.find("migrate.dir"));
    values.read("migrate.store", config.migrate.store);
    values.read("migrate.lint_ignore", config.migrate.lint_ignore);
    values.read("migrate.environment", config.migrate.environment);
    values.read("migrate.guard", config.migrate.guard);
    for (const std::string& name : names_below(resolved, "migrate.variables.")) {
        config.migrate.variables.emplace(name, Secret(values.find("migrate.variables." + name)->text));
    }
    for (const std::string& name : names_below(resolved, "stores.")) read_store(name, resolved, values, config);
    read_partitions(resolved, values, config);
    read_syncs(resolved, values, config);
    check_jobs(
        config, [&](const std::string& element) { return place_of(resolved, element); }, resolved.problems);

    for (const auto& [name, value] : resolved.values) config.values.push_back({name, shown_value(value), value.layer});
    config.files = std::move(resolved.files);
    config.warnings = std::move(resolved.warnings);
    config.problems = std::move(resolved.problems);
    return config;
}

}  // namespace ysdb
