#include "core/config/jobs.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "core/base/text.h"

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

// {column} placeholders: balanced, not nested, not empty.
bool good_key(const std::string& key) {
    std::size_t open = std::string::npos;
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (key[i] == '{' && open != std::string::npos) return false;
        if (key[i] == '{') open = i;
        if (key[i] == '}' && (open == std::string::npos || open + 1 == i)) return false;
        if (key[i] == '}') open = std::string::npos;
    }
    return open == std::string::npos;
}

bool good_topic(const std::string& topic) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    };
    return topic.size() <= 249 && topic != "." && topic != ".." && std::all_of(topic.begin(), topic.end(), allowed);
}

void check_target(const std::string& what, const SyncConfig& sync, const SyncTarget& target, Checker& check) {
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
    if (!good_topic(target.topic))
        check.problem(fmt::format("{}: '{}' is no name for a topic", what, target.topic), "letters, digits, '.', '_' and '-'");
}

void check_sync(const SyncConfig& sync, std::set<std::string>& names, Checker& check) {
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
    if (sync.to.empty()) check.problem(what + " goes nowhere", "add [[sync.to]] with a store");
    for (const SyncTarget& target : sync.to) check_target(what, sync, target, check);
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
    for (std::size_t i = 0; i < config.syncs.size(); ++i) {
        check.at(place(fmt::format("sync[{}]", i)));
        check_sync(config.syncs[i], names, check);
    }
}

}  // namespace ysdb
