// Variables of migration files: ${name} stands for what [migrate.variables] or YSDB_MIGRATE_VARIABLES_<NAME> says.
// Statements are cut and hashed as the file has them, so that a value never reaches history or journal, and a changed one is no edit.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config.h"
#include "core/migrate/file.h"

namespace ysdb::migrate {

// By name, in lower case: a file may write ${APP_SCHEMA} for app_schema.
using Variables = std::map<std::string, Secret>;

// A text with the values put in, and where its bytes come from.
struct Expanded {
    std::string text;
    // The byte of the source from which the byte `at` of `text` comes; within a value: where its ${name} begins.
    std::size_t source_of(std::size_t at) const;

    struct Piece {
        std::size_t begin = 0;      // in `text`
        std::size_t source = 0;
        bool verbatim = true;
    };
    std::vector<Piece> pieces;
};

// Flyway's names: ${flyway:user}. What they stand for where a migration is run; `filename` is told by the file.
constexpr std::string_view built_in_prefix = "flyway:";

// The bytes [begin, end) of the file with its variables' values. Values are put in as they are, in literals too; comments and the tags of dollar quotes are
// left alone; `$${` becomes `${`. A file that says variables:false stays as it is.
// Throws Error(refused) with the place for a name that is none or that nobody gave a value.
Expanded expand(const Migration& file, std::size_t begin, std::size_t end, const Variables& variables);
// The same for a text that is no part of the file (a probe); a fault is shown at the file's byte `at`.
std::string expand_text(const Migration& file, std::string_view text, std::size_t at, const Variables& variables);
// With names for values: [begin, end) as it may be shown, with words in place of ${name} that show() turns back.
std::string masked(const Migration& file, std::size_t begin, std::size_t end);
std::string show(std::string text);
// A server's message may quote what it was sent: the values of variables are named instead. Values below four characters stay.
std::string without_values(std::string text, const Variables& variables);

}  // namespace ysdb::migrate
