#include "cmd/migrate_verbs.h"
#include "core/base/text.h"
#include "core/migrate/migrate.h"

namespace ysdb {

CommandSpec migrate_new_verb() {
    CommandSpec verb;
    verb.name = "new";
    verb.summary = "write a migration file, empty or by a recipe";
    verb.description =
        "Writes <time>_<name>.sql with its section lines into the directory of migrations.\n\n"
        "With --recipe the file changes a PostgreSQL table that is in use without holding it: constraints are added NOT VALID and validated by themselves, indexes are built "
        "CONCURRENTLY, rows are changed in batches, what waits for a lock gives way after a second. The table is looked up in the store; nothing is changed there. --dry-run shows the file. "
        "rename-column, rename-table and change-type are two files: the second half, written with --contract, is for when no program uses the old form any more. docs/expand-contract.md shows each.";
    verb.arguments = {{"NAME", "what it does: \"add users email\""}};
    verb.flags = {{"--store", "NAME", "the store it runs on", "store of [migrate]"},
                  {"--recipe", "RECIPE", "write the statements too", "", migrate::recipe_names()},
                  {"--table", "TABLE", "recipe: the table, as SQL names it", ""},
                  {"--column", "COLUMN", "recipe: the column; once for each", "", {}, true},
                  {"--to", "NAME", "rename-column, rename-table: the new name", ""},
                  {"--value", "SQL", "backfill, set-not-null: what rows get that have NULL", ""},
                  {"--check", "SQL", "add-check: the condition", ""},
                  {"--references", "TABLE(COLUMN)", "add-foreign-key: what it points to", ""},
                  {"--type", "TYPE", "change-type: the new type", ""},
                  {"--contract", "", "the second half of rename-column, rename-table, change-type", ""}};
    verb.examples = {{"ysdb migrate new add_users_email", "a file for the default store"},
                     {"ysdb migrate new hourly_prices --store analytics", "a file for another one"},
                     {"ysdb migrate new email_needed --recipe set-not-null --table users --column email", "NOT NULL without reading the table under a lock"}};
    verb.changes = true;
    verb.run = [](const Invocation& line, Context& context, Operator&) {
        const std::string given = line.has("--store") ? *line.text("--store") : std::string();
        if (!line.has("--recipe")) {
            for (const char* flag : {"--table", "--column", "--to", "--value", "--check", "--references", "--type", "--contract"}) {
                if (line.has(flag)) throw Error(Code::usage, std::string(flag) + " is for recipes", "which one? --recipe " + join(migrate::recipe_names(), ", "));
            }
            return migrate::create(context, line.arguments.at(0), given);
        }
        migrate::RecipeOptions options;
        options.recipe = *line.text("--recipe");
        options.store = given;
        options.table = line.text_or("--table", "");
        options.columns = line.all("--column");
        const auto text = [&](const char* flag) { return line.has(flag) ? line.text(flag) : std::nullopt; };
        options.to = text("--to");
        options.value = text("--value");
        options.check = text("--check");
        options.references = text("--references");
        options.type = text("--type");
        options.contract = line.has("--contract");
        return migrate::create(context, line.arguments.at(0), given, migrate::write_recipe(context, options));
    };
    return verb;
}

}  // namespace ysdb
