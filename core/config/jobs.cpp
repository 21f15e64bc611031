#include "core/config/jobs.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/time.h"

namespace ysdb {

namespace {

class Checker {
public:
    Checker(const Config& config, std::vector<ConfigProblem>& problems) : config_(config), problems_(problems) {
        for (const auto& [name, _] : config.stores) stores_.push_back(name);
    }

    void at(std::string place) { place_ = std::move(place); }
    void problem(const std::string& message, const std::string& hint = {}) {
        problems_.push_back({place_ + ": " + message, hint});
    }
    // An empty value is reported as missing; true when there is one.
    bool required(const std::string& what, const std::string& value) {
        if (value.empty()) problem(what + " is missing");
        return !value.empty();
    }
    void store(const std::string& what, const std::string& name) {
        if (config_.stores.contains(name)) return;
        problem(fmt::format("{}: no store named '{}' is configured{}", what, name, did_you_mean(name, stores_)),
                stores_.empty() ? "no store is configured at all" : "configured: " + join(stores_, ", "));
    }

private:
    const Config& config_;
    std::vector<ConfigProblem>& problems_;
    std::vector<std::string> stores_;
    std::string place_;
};

// a.b."c.d" -> {a, b, c.d}; nullopt when a part is empty or a quote stays open.
std::optional<std::vector<std::string>> name_parts(const std::string& text) {
    std::vector<std::string> parts(1);
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') {
            if (quoted && i + 1 < text.size() && text[i + 1] == '"')
                parts.back() += text[i++];
            else
                quoted = !quoted;
        } else if (text[i] == '.' && !quoted) {
            parts.emplace_back();
        } else {
            parts.back() += text[i];
        }
    }
    const bool bad = quoted || std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); });
    return bad ? std::nullopt : std::optional(std::move(parts));
}

constexpr std::array<std::string_view, 6> periods{"hour", "day", "week", "month", "quarter", "year"};

bool whole_number(std::string_view text) {
    return !text.empty() && text.size() < 19 && text[0] != '0' &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "7 days", "1 month"
bool span_of_time(const std::string& text) {
    const auto words = split(text, ' ');
    if (words.size() != 2 || !whole_number(words[0])) return false;
    return std::any_of(periods.begin(), periods.end(),
                       [&](std::string_view p) { return words[1] == p || words[1] == std::string(p) + "s"; });
}

void check_partition(const PartitionConfig& partition, Checker& check) {
    const bool named = check.required("partition: table", partition.table);
    const std::string what = "partition " + partition.table;
    if (named) {
        const auto parts = name_parts(partition.table);
        if (!parts || parts->size() < 2 || parts->size() > 3)
            check.problem(what + ": not a table's name", "write store.schema.table or store.table");
        else
            check.store(what, (*parts)[0]);
    }
    const auto& every = partition.every;
    const bool period = std::find(periods.begin(), periods.end(), every) != periods.end();
    if (check.required(what + ": every", every) && !period && !span_of_time(every) && !whole_number(every)) {
        check.problem(fmt::format("{}: every cannot be '{}'", what, every),
                      "hour, day, week, month, quarter, year, \"7 days\", or \"1000000\" for integers");
    }
    const auto& keep = partition.keep;
    if (!keep.empty() && !span_of_time(keep) && !whole_number(keep))
        check.problem(fmt::format("{}: keep cannot be '{}'", what, keep), "write it like \"24 months\"");
    if (!keep.empty() && partition.archive.empty()) {
        check.problem(what + ": keep without archive would delete for good", "name an archive, or say so: archive = \"none\"");
    }
    const auto& archive = partition.archive;
    if (archive.empty() || archive == "none" || archive.starts_with("file:///") || archive.starts_with("s3://")) return;
    const auto parts = name_parts(archive);
    if (archive.find("://") != std::string::npos || !parts || parts->size() < 2 || parts->size() > 3) {
        check.problem(fmt::format("{}: archive cannot be '{}'", what, archive),
                      "store.table, file:///dir, s3://bucket/dir or none");
    } else {
        check.store(what + ": archive", (*parts)[0]);
    }
}

// {column} placeholders: balanced, not empty, and nested only where braces stand around some of them, as a hash tag: {{user_id}}.
bool good_key(const std::string& key) {
    bool tag = false;
    for (std::size_t at = 0; at < key.size(); ++at) {
        if (key[at] == '}' && !std::exchange(tag, false)) return false;
        if (key[at] != '{') continue;
        const std::size_t brace = key.find_first_of("{}", at + 1);
        if (brace == std::string::npos || (key[brace] == '}' && brace == at + 1)) return false;
        if (key[brace] == '}') at = brace;
        else if (std::exchange(tag, true)) return false;
    }
    return !tag;
}

bool good_topic(const std::string& topic) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    };
    return topic.size() <= 249 && topic != "." && topic != ".." && std::all_of(topic.begin(), topic.end(), allowed);
}

// What the target's URL says it is; unknown schemes are told where stores are opened.
enum class Product { redis, kafka, postgres, other, unknown };

Product product_of(const Config& config, const std::string& store) {
    const auto found = config.stores.find(store);
    if (found == config.stores.end()) return Product::unknown;
    const std::string scheme = found->second.url.substr(0, found->second.url.find("://"));
    if (scheme.starts_with("redis")) return Product::redis;
    if (scheme.starts_with("postgres")) return Product::postgres;
    return scheme == "kafka" || scheme == "kafkas" ? Product::kafka : Product::other;
}

std::string without_placeholders(std::string text) {
    for (const std::string_view name : {"{schema}", "{table}"}) {
        for (auto at = text.find(name); at != std::string::npos; at = text.find(name)) text.replace(at, name.size(), "x");
    }
    return text;
}

void check_format(const std::string& what, const SyncTarget& target, std::span<const std::string> formats, Checker& check) {
    if (target.format.empty() || std::find(formats.begin(), formats.end(), target.format) != formats.end()) return;
    check.problem(fmt::format("{}: '{}' has no format {}{}", what, target.store, target.format, did_you_mean(target.format, formats)),
                  formats.empty() ? "only Redis and Kafka targets have one: remove it" : "one of: " + join(formats, ", "));
}

// Settings that only another kind of store reads.
void check_strangers(const std::string& what, const SyncTarget& target, Product product, Checker& check) {
    const auto stranger = [&](bool set, Product owner, std::string_view setting, std::string_view whose) {
        if (set && product != owner) check.problem(fmt::format("{}: {} of '{}' is a setting for {}", what, setting, target.store, whose), "remove it");
    };
    stranger(!target.into.empty(), Product::postgres, "into", "PostgreSQL");
    stranger(!target.key.empty(), Product::redis, "key", "Redis");
    stranger(target.ttl.has_value(), Product::redis, "ttl", "Redis");
    stranger(!target.channel.empty(), Product::redis, "channel", "Redis");
    stranger(!target.tags.empty(), Product::redis, "tags", "Redis");
    stranger(!target.topic.empty(), Product::kafka, "topic", "Kafka");
    stranger(target.partitions != 0, Product::kafka, "partitions", "Kafka");
    stranger(target.retention.has_value(), Product::kafka, "retention", "Kafka");
    stranger(target.transactional, Product::kafka, "transactional", "Kafka");
}

void check_landing(const std::string& what, const SyncConfig& sync, const SyncTarget& target, Product product, Checker& check) {
    static const std::vector<std::string> of_redis{"hash", "json"}, of_kafka{"json", "debezium"};
    const bool several = target.table.empty() && sync.tables.size() > 1;
    if (product == Product::unknown) return;
    check_strangers(what, target, product, check);
    if (product == Product::other || product == Product::postgres) check_format(what, target, {}, check);
    if (product == Product::postgres && !target.into.empty()) {
        const auto parts = name_parts(target.into);
        if (!parts || parts->size() > 2) check.problem(fmt::format("{}: '{}' is not a table's name", what, target.into), "write schema.table");
        if (several) check.problem(fmt::format("{}: '{}' would be the table of several", what, target.into), "one [[sync.to]] with table and into for each");
    }
    if (product == Product::redis) {
        check_format(what, target, of_redis, check);
        if (target.key.find('{') == std::string::npos)
            check.problem(fmt::format("{}: '{}' needs a key with columns", what, target.store), "key = \"portfolio:{user_id}:{asset_id}\"");
        else if (several)
            check.problem(fmt::format("{}: the key '{}' would be that of several tables", what, target.key), "one [[sync.to]] with table and key for each");
        for (const std::string& tag : target.tags) {
            if (!good_key(tag) || tag.find('{') == std::string::npos) check.problem(fmt::format("{}: the tag '{}' names no column: every row would have it", what, tag), "write it like user:{user_id}");
            if (tag == target.key) check.problem(fmt::format("{}: the tag '{}' is the row's own key", what, tag), "give it a name of its own");
        }
        if (target.ttl && target.ttl->count() == 0) check.problem(fmt::format("{}: ttl of '{}' is nothing", what, target.store), "leave it out: rows stay");
    }
    if (product == Product::kafka) {
        check_format(what, target, of_kafka, check);
        if (target.topic.empty())
            check.problem(fmt::format("{}: '{}' needs a topic", what, target.store), "topic = \"changes.{table}\"");
        else if (several && target.topic.find("{table}") == std::string::npos)
            check.problem(fmt::format("{}: the topic '{}' would be that of several tables", what, target.topic), "topic = \"changes.{table}\", or table = \"...\"");
    }
}

void check_target(const std::string& what, const SyncConfig& sync, const SyncTarget& target, Product product, Checker& check) {
    if (check.required(what + ": store of a [[sync.to]]", target.store)) check.store(what, target.store);
    if (target.store == sync.from) check.problem(fmt::format("{}: '{}' cannot be both source and target", what, target.store));
    if (!target.table.empty() && std::find(sync.tables.begin(), sync.tables.end(), target.table) == sync.tables.end()) {
        check.problem(
            fmt::format("{}: '{}' is not among its tables{}", what, target.table, did_you_mean(target.table, sync.tables)),
            "tables: " + join(sync.tables, ", "));
    }
    if (!good_key(target.key))
        check.problem(fmt::format("{}: the key '{}' has unmatched braces", what, target.key),
                      "write it like portfolio:{user_id}");
    if (!good_topic(without_placeholders(target.topic)))
        check.problem(fmt::format("{}: '{}' is no name for a topic", what, target.topic), "letters, digits, '.', '_' and '-'; {schema} and {table}");
    check_landing(what, sync, target, product, check);
}

// "1m", or "1000"
bool good_overlap(const std::string& text) {
    if (text.empty() || std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return text.size() < 19;
    try {
        parse_duration(text, "overlap");
        return true;
    } catch (const Error&) {
        return false;
    }
}

// What [[sync.table]] says, and what only a set that is polled may say.
void check_tables(const Config& config, const std::string& what, const SyncConfig& sync, Checker& check) {
    const bool polled = sync.capture == "poll";
    std::set<std::string> seen;
    for (const SyncTable& table : sync.table) {
        const std::string place = what + ": [[sync.table]] " + table.name;
        if (std::find(sync.tables.begin(), sync.tables.end(), table.name) == sync.tables.end()) {
            check.problem(fmt::format("{}: '{}' is not among its tables{}", what, table.name, did_you_mean(table.name, sync.tables)), "tables: " + join(sync.tables, ", "));
        }
        if (!seen.insert(table.name).second) check.problem(place + " is there twice", "keep one");
        for (const auto& [set, name] : {std::pair(!table.key.empty(), "key"), std::pair(!table.cursor.empty(), "cursor"), std::pair(!table.overlap.empty(), "overlap")}) {
            if (set && !polled) check.problem(fmt::format("{}: {} is for capture = \"poll\"", place, name), "remove it");
        }
        if (!table.columns.empty() && !table.except.empty()) check.problem(place + ": columns and except say the same in two ways", "keep one");
        if (!table.overlap.empty() && table.cursor.empty()) check.problem(place + ": overlap without cursor: everything is read each time", "remove it, or name the cursor");
        if (!good_overlap(table.overlap)) check.problem(fmt::format("{}: overlap cannot be '{}'", place, table.overlap), "write it like \"1m\", or \"1000\" for a cursor of integers");
    }
    if (!polled) return;
    if (sync.every.count() == 0) check.problem(what + ": every is nothing", "every = \"5s\"");
    if (product_of(config, sync.from) != Product::other && product_of(config, sync.from) != Product::unknown) {
        check.problem(fmt::format("{}: capture = \"poll\" reads ClickHouse, and '{}' is none", what, sync.from), "PostgreSQL tells its changes: capture = \"wal\" or \"trigger\"");
    }
    const Product home = product_of(config, sync.state);
    if (home == Product::unknown) {
        check.problem(fmt::format("{}: no store named '{}' remembers what was told", what, sync.state), "state = \"NAME\" of a PostgreSQL store");
    } else if (home != Product::postgres) {
        check.problem(fmt::format("{}: '{}' is not a PostgreSQL store, which remembers what was told", what, sync.state), "state = \"NAME\" of one");
    }
}

void check_sync(const Config& config, const SyncConfig& sync, std::set<std::string>& names, Checker& check) {
    const std::string what = "sync " + sync.name;
    if (check.required("sync: name", sync.name) && !names.insert(sync.name).second)
        check.problem(what + " is there twice", "names are unique");
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    if (!std::all_of(sync.name.begin(), sync.name.end(), allowed) || sync.name.size() > 40) {
        check.problem(fmt::format("'{}' is no name for a sync", sync.name),
                      "a-z, 0-9 and _, at most 40: it becomes part of the slot's name");
    }
    check.store(what, sync.from);
    if (sync.tables.empty()) check.problem(what + ": tables is missing", "tables = [\"public.transactions\"]");
    for (const std::string& table : sync.tables) {
        const auto parts = name_parts(table);
        if (!parts || parts->size() > 2)
            check.problem(fmt::format("{}: '{}' is not a table's name", what, table), "write schema.table");
    }
    check_tables(config, what, sync, check);
    if (sync.to.empty()) check.problem(what + " goes nowhere", "add [[sync.to]] with a store");
    for (const SyncTarget& target : sync.to) check_target(what, sync, target, product_of(config, target.store), check);
}

// Two tables in one key or topic would overwrite each other's rows.
void check_shared(const Config& config, std::map<std::string, std::string>& owners, const SyncConfig& sync, Checker& check) {
    for (const SyncTarget& target : sync.to) {
        const std::string& name = target.key.empty() ? target.topic : target.key;
        if (name.empty() || !config.stores.contains(target.store)) continue;
        const std::string owner = fmt::format("{} of sync {}", target.table.empty() ? "the tables" : target.table, sync.name);
        const bool by_table = name.find("{table}") != std::string::npos && !target.table.empty();
        const auto [found, is_new] = owners.emplace(target.store + "\n" + name + (by_table ? "\n" + target.table : ""), owner);
        if (!is_new) check.problem(fmt::format("sync {}: '{}' of '{}' is taken twice: by {} and by {}", sync.name, name, target.store, found->second, owner), "each table needs its own");
    }
}

}  // namespace

void check_jobs(const Config& config, const std::function<std::string(const std::string&)>& place,
                std::vector<ConfigProblem>& problems) {
    Checker check(config, problems);
    for (std::size_t i = 0; i < config.partitions.size(); ++i) {
        check.at(place(fmt::format("partition[{}]", i)));
        check_partition(config.partitions[i], check);
    }
    std::set<std::string> names;
    std::map<std::string, std::string> owners;
    for (std::size_t i = 0; i < config.syncs.size(); ++i) {
        check.at(place(fmt::format("sync[{}]", i)));
        check_sync(config, config.syncs[i], names, check);
        check_shared(config, owners, config.syncs[i], check);
    }
}

}  // namespace ysdb
