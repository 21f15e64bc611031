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

// True when version `a` comes before `b`: by number, leading zeros aside. Both are digits.
bool version_less(std::string_view a, std::string_view b);
bool same_version(std::string_view a, std::string_view b);

struct Migration {
    std::string version;                   // digits, as in the file's name
    std::string name;                      // "create_users"
    Source source;
    std::string store;
    Dialect dialect = Dialect::postgres;
    bool transaction = true;               // false: said so, or the store has none
    std::optional<Millis> lock_timeout;
    std::vector<Statement> up, down, verify;
    std::string checksum;                  // over the hashes of `up`

    std::string title() const { return version + "_" + name; }
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

// Splits "0001_create_users.sql"; nullopt when the name is no migration's.
std::optional<std::pair<std::string, std::string>> split_file_name(const std::string& file_name);

}  // namespace ysdb::migrate
