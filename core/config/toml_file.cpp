#include "core/config/toml_file.h"

#include <fmt/core.h>

#include <toml++/toml.h>

#include "core/base/error.h"

namespace ysdb {

namespace {

using Path = std::vector<std::string>;

Path with(Path path, std::string part) {
    path.push_back(std::move(part));
    return path;
}

bool of_tables(const toml::array& array) {
    for (const toml::node& node : array) {
        if (!node.is_table()) return false;
    }
    return !array.empty();
}

void flatten(const toml::node& node, const Path& path, std::vector<TomlEntry>& into) {
    const auto line = static_cast<int>(node.source().begin.line);
    if (const toml::table* table = node.as_table()) {
        if (table->empty() && !path.empty()) into.push_back({path, TomlEntry::Kind::table, "", {}, line});
        for (const auto& [key, value] : *table) flatten(value, with(path, std::string(key.str())), into);
    } else if (const toml::array* array = node.as_array(); array != nullptr && of_tables(*array)) {
        for (std::size_t i = 0; i < array->size(); ++i) flatten((*array)[i], with(path, fmt::format("[{}]", i)), into);
    } else if (array != nullptr) {
        TomlEntry entry{path, TomlEntry::Kind::list, "", {}, line};
        for (const toml::node& item : *array) {
            if (const auto text = item.value_exact<std::string>())
                entry.items.push_back(*text);
            else
                entry.kind = TomlEntry::Kind::other;
        }
        into.push_back(std::move(entry));
    } else if (const auto text = node.value_exact<std::string>()) {
        into.push_back({path, TomlEntry::Kind::text, *text, {}, line});
    } else if (const auto number = node.value_exact<std::int64_t>()) {
        into.push_back({path, TomlEntry::Kind::integer, std::to_string(*number), {}, line});
    } else if (const auto truth = node.value_exact<bool>()) {
        into.push_back({path, TomlEntry::Kind::boolean, *truth ? "true" : "false", {}, line});
    } else {
        into.push_back({path, TomlEntry::Kind::other, "", {}, line});
    }
}

}  // namespace

std::vector<TomlEntry> parse_toml(std::string_view text, const std::string& file) {
    std::vector<TomlEntry> entries;
    try {
        flatten(toml::parse(text), {}, entries);
    } catch (const toml::parse_error& error) {
        const auto at = error.source().begin;
        // The parser's own words may quote the line, and the line may hold a password.
        throw Error(Code::config, fmt::format("{}:{}:{}: this is not TOML", file, at.line, at.column),
                    "texts need quotes, tables are written [like.this]");
    }
    return entries;
}

}  // namespace ysdb
