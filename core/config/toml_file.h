// A TOML text as a flat list of keys, so that only one file needs the parser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ysdb {

struct TomlEntry {
    enum class Kind { text, integer, boolean, list, table, other };
    // {"stores", "main", "url"}, {"sync", "[0]", "to", "[1]", "store"}
    std::vector<std::string> path;
    Kind kind = Kind::other;
    std::string text;                 // texts as they are, integers in decimal, booleans as true/false
    std::vector<std::string> items;   // list of texts
    int line = 0;
};

// In the file's order of names; a table without keys appears as one entry. Throws Error(config) naming `file`, line and column.
std::vector<TomlEntry> parse_toml(std::string_view text, const std::string& file);

}  // namespace ysdb
