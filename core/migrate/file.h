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

// True when version `a` comes before `b`: by number, leading zeros aside, and by the numbers between dots (Flyway's 1.10 is behind 1.9).
// What is repeatable (R__name) is behind all, by name.
bool version_less(std::string_view a, std::string_view b);
bool same_version(std::string_view a, std::string_view b);
// "R__refresh_views": what stands for a version in the history of a file R__refresh_views.sql.
bool is_repeatable(std::string_view version);

enum class Direction { up, down };

struct Migration {
    std::string version;                   // digits, as in the file's name, with dots between them in Flyway's layout; "R__<name>" of a repeatable one; "before-up"
    std::string name;                      // "create_users"; empty: a callback
    Source source;
    std::string store;
    Dialect dialect = Dialect::postgres;
    bool transaction = true;               // false: said so, or the store has none
    std::optional<Millis> lock_timeout;
    std::vector<std::string> environments; // runs only there; empty: everywhere
    bool variables = true;                 // ${name} is one
    bool may_be_empty = false;             // it says that it has no statement on purpose
    std::vector<Statement> up, down, verify;
    // BEGIN and COMMIT of sections, which are no statements of the migration: ysdb opens and ends transactions itself.
    struct Control {
        std::size_t begin, end;
        bool paired;                       // the other one is there
    };
    std::vector<Control> controls;
    std::string checksum;                  // over the hashes of `up`

    std::string title() const { return name.empty() || is_repeatable(version) ? version : version + "_" + name; }
    bool runs_in(std::string_view environment) const;
    const std::vector<Statement>& section(Direction direction) const { return direction == Direction::up ? up : down; }
};

using DialectOf = std::function<Dialect(const std::string& store)>;

// What a file says in other words than ours.
struct Manner {
    bool transaction = true;               // false: the file wants none
    bool variables = true;                 // ${name} stands for something
    bool own_transaction = false;          // BEGIN and COMMIT in it are left out: the file is one transaction anyway
    bool finds_out = false;                // no transaction when one of its statements takes none
    bool may_be_empty = false;             // a file without a statement counts as applied once it was its turn
};

// Reads one file's text. `source.path` is what errors show. Throws Error(refused) with the place for what cannot be a migration.
Migration parse_migration(std::string version, std::string name, Source source, const std::string& default_store, const DialectOf& dialect_of, const Manner& manner = {});

struct MigrationDirectory {
    std::filesystem::path path;            // where it is
    std::string shown;                     // how people call it: "migrations"
};

// The names of what the directory holds, sorted. Throws Error(config) when it cannot be read.
std::vector<std::string> names_in(const MigrationDirectory& directory);
// All files of the directory, by version: ours, dbmate's, and those of goose, golang-migrate, Flyway and sqitch (layout.h). Throws Error(config) when it cannot be read, Error(refused) for two files of one version and
// for a file that parse_migration refuses.
std::vector<Migration> read_migrations(const MigrationDirectory& directory, const std::string& default_store, const DialectOf& dialect_of);
// The same, where names_in() was asked already.
std::vector<Migration> read_migrations(const MigrationDirectory& directory, const std::vector<std::string>& names, const std::string& default_store, const DialectOf& dialect_of);

enum class Moment { before_up, after_up };
// before-up.sql or after-up.sql, then Flyway's of that moment: run with every `up` that has something to apply.
std::vector<Migration> read_callbacks(const MigrationDirectory& directory, const std::vector<std::string>& names, Moment moment, const std::string& default_store, const DialectOf& dialect_of);

// Splits "0001_create_users.sql", "1.2_more.sql" and "R__refresh_views.sql" into what stands for the version and the name; nullopt when the name is no migration's.
std::optional<std::pair<std::string, std::string>> split_file_name(const std::string& file_name);

}  // namespace ysdb::migrate
