// Migration files that change a table in use without holding it: written from what the catalog says of the table, to be read and kept like any other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/report/report.h"

namespace ysdb::migrate {

struct RecipeOptions {
    std::string recipe;                     // one of recipe_names()
    std::string store;                      // empty: the default one
    std::string table;                      // as SQL names it
    std::vector<std::string> columns;
    std::optional<std::string> to;          // rename-*: the new name
    std::optional<std::string> value;       // backfill, set-not-null: SQL
    std::optional<std::string> check;       // add-check: SQL
    std::optional<std::string> references;  // add-foreign-key: "table(column)"
    std::optional<std::string> type;        // change-type
    bool contract = false;                  // the second half, once no program uses the old form
};

std::vector<std::string> recipe_names();

struct Recipe {
    std::string text;                       // of the file
    std::vector<std::string> warnings;
    std::string next;                       // the command for later; empty: none
};

// Reads the catalog and changes nothing. Throws Error(usage) for options that a recipe lacks or does not know, Error(refused) for a table it is not for.
Recipe write_recipe(Context& context, const RecipeOptions& options);

}  // namespace ysdb::migrate
