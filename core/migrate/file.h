// Migration files: migrations/<version>_<name>.sql, as the user wrote them.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/migrate/statement.h"

namespace ysdb::migrate {

// True when version `a` comes before `b`: by number, leading zeros aside; the names of repeatable files come after all numbers.
bool version_less(std::string_view a, std::string_view b);
bool same_version(std::string_view a, std::string_view b);
// "R__refresh_views": what stands for a version in the history of a file R__refresh_views.sql.
bool is_repeatable(std::string_view version);

enum class Direction { up, down };

struct Migration {
    std::string version;                   // digits, as in the file's name; "R__<name>" of a repeatable one; "before-up"
    std::string name;                      // "create_users"; empty: a callback
    Source source;
    std::string store;
    Dialect dialect = Dialect::postgres;
    bool transaction = true;               // false: said so, or the store has none
    std::optional<Millis> lock_timeout;
    std::vector<std::string> environments; // runs only there; empty: everywhere
    bool variables = true;                 // ${name} is one
    std::vector<Statement> up, down, verify;
    std::string checksum;                  // over the hashes of `up`

    std::string title() const { return name.empty() || is_repeatable(version) ? version : version + "_" + name; }
    bool runs_in(std::string_view environment) const;
    const std::vector<Statement>& section(Direction direction) const { return direction == Direction::up ? up : down; }
};

using DialectOf = std::function<Dialect(const std::string& store)>;

// Reads one file's text. `source.path` is what errors show. Throws Error(refused) with the place for what cannot be a migration.
Migration parse_migration(std::string version, std::string name, Source source, const std::string& default_store, const DialectOf& dialect_of);

struct MigrationDirectory {
    std::filesystem::path path;            // where it is
    std::string shown;                     // how people call it: "migrations"
};

// All files of the directory, by version. Throws Error(config) when it cannot be read, Error(refused) for two files of one version and
// for a file that parse_migration refuses.
std::vector<Migration> read_migrations(const MigrationDirectory& directory, const std::string& default_store, const DialectOf& dialect_of);

// before-up.sql, after-up.sql: run with every `up` that has something to apply. nullopt when there is none.
std::optional<Migration> read_callback(const MigrationDirectory& directory, const std::string& name, const std::string& default_store, const DialectOf& dialect_of);

// Splits "0001_create_users.sql" and "R__refresh_views.sql" into what stands for the version and the name; nullopt when the name is no migration's.
std::optional<std::pair<std::string, std::string>> split_file_name(const std::string& file_name);

}  // namespace ysdb::migrate
