// Migration files: migrations/<version>_<name>.sql, as the user wrote them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
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

struct LaidOut;    // layout.h

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
    bool built_in_names = false;           // ${flyway:user} and its like stand for something, too: what built_in says, and filename
    std::shared_ptr<const std::map<std::string, std::string>> built_in;
    std::vector<Statement> up, down, verify;
    // BEGIN and COMMIT of sections, which are no statements of the migration: ysdb opens and ends transactions itself.
    struct Control {
        std::size_t begin, end;
        bool paired;                       // the other one is there
    };
    std::vector<Control> controls;
    std::string checksum;                  // over the hashes of `up`
    // Of an outline: the text and what points into it are left out, to be read again when their turn comes.
    bool outlined = false;
    std::shared_ptr<const LaidOut> origin; // where it is read again, in another tool's layout

    std::string title() const { return name.empty() || is_repeatable(version) ? version : version + "_" + name; }
    bool runs_in(std::string_view environment) const;
    // Flyway's repeatable scripts with the moment in them are other ones each time.
    bool runs_each_time() const { return moment_in_it && is_repeatable(version); }
    bool moment_in_it = false;             // ${flyway:timestamp}
    const std::vector<Statement>& section(Direction direction) const { return direction == Direction::up ? up : down; }
};

// Whether what is read is kept whole, or as outlines: thousands of files of which only a few are at work at a time.
enum class Keep { whole, outline };
// Leaves out what load_again() brings back. Large files stay whole: they are few, and reading them takes its time.
void outline(Migration& migration);

using DialectOf = std::function<Dialect(const std::string& store)>;

// What a file says in other words than ours.
struct Manner {
    bool transaction = true;               // false: the file wants none
    bool variables = true;                 // ${name} stands for something
    bool built_in_names = false;           // and Flyway's own names, ${flyway:user}
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

// The names of what the directory holds, sorted; of folders below it, those of Flyway's files, which are found in any depth ("v2/V2__more.sql"), but for what
// `adopt --convert` put aside. Throws Error(config) when it cannot be read.
std::vector<std::string> names_in(const MigrationDirectory& directory);
// All files of the directory, by version: ours, dbmate's, and those of goose, golang-migrate, Flyway and sqitch (layout.h). Throws Error(config) when it cannot be read, Error(refused) for two files of one version and
// for a file that parse_migration refuses.
std::vector<Migration> read_migrations(const MigrationDirectory& directory, const std::string& default_store, const DialectOf& dialect_of);
// The same, where names_in() was asked already.
std::vector<Migration> read_migrations(const MigrationDirectory& directory, const std::vector<std::string>& names, const std::string& default_store, const DialectOf& dialect_of, Keep keep = Keep::whole);
// An outline made whole. Throws Error(refused) when the file says something else by now, and as reading it does.
void load_again(Migration& migration, const MigrationDirectory& directory, const std::string& default_store, const DialectOf& dialect_of);

enum class Moment { before_up, after_up };
// before-up.sql or after-up.sql, then Flyway's of that moment: run with every `up` that has something to apply.
std::vector<Migration> read_callbacks(const MigrationDirectory& directory, const std::vector<std::string>& names, Moment moment, const std::string& default_store, const DialectOf& dialect_of);

// Splits "0001_create_users.sql", "1.2_more.sql" and "R__refresh_views.sql" into what stands for the version and the name; nullopt when the name is no migration's.
std::optional<std::pair<std::string, std::string>> split_file_name(const std::string& file_name);

}  // namespace ysdb::migrate
