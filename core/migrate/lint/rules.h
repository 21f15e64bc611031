// Everything `migrate lint` knows to say, as one table: docs/lint.md is made from it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/store/store.h"

namespace ysdb::migrate::lint {

enum class Severity { note, warning, error };
std::string_view severity_name(Severity severity);
// Throws Error(usage) for any other word.
Severity severity_of(std::string_view name);

struct Rule {
    std::string_view id;              // "index-not-concurrent"
    std::optional<Dialect> dialect;   // none: of every file
    Severity severity;                // of a table nobody knows the size of
    bool sized;                       // how bad it is depends on how large the table is
    std::string_view summary;         // one lowercase line; {} stands for the table or column
    std::string_view why;
    std::string_view instead;
};

std::span<const Rule> rule_table();
// Null for a name that is not in the table.
const Rule* find_rule(std::string_view id);
std::vector<std::string> rule_ids();
// The summary with the table or column in its place.
std::string message_of(const Rule& rule, std::string_view subject);

}  // namespace ysdb::migrate::lint
