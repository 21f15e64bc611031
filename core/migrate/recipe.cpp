#include "core/migrate/recipe.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "core/migrate/recipe_expand.h"
#include "core/migrate/recipe_parts.h"
#include "core/migrate/words.h"

namespace ysdb::migrate {

using namespace recipes;

namespace {

// --- one file ------------------------------------------------------------------------------------------------------------------------

void backfill_into(Text& text, const Work& work, const Column& column, const std::string& value, const std::string& where) {
    text.say("migrate:batch");
    text.run("UPDATE " + work.table.shown + " SET " + column.quoted + " = " + value + " WHERE " + where);
}

std::string set_not_null(Work& work) {
    const Column& column = work.column();
    if (column.not_null) throw Error(Code::refused, work.table.shown + "." + column.quoted + " is NOT NULL already");
    Text text(work.options, false);
    text.say("Programs must write " + column.quoted + " by now: a row without it is refused from the CHECK on.");
    if (work.options.value) backfill_into(text, work, column, *work.options.value, column.quoted + " IS NULL");
    prove_not_null(text, work, column.quoted, work.name(column.name, "_not_null"));
    text.down();
    text.run(work.alter() + "ALTER COLUMN " + column.quoted + " DROP NOT NULL", "drop-not-null", "as it was before");
    return text.text();
}

std::string backfill(Work& work) {
    const Column& column = work.column();
    Text text(work.options, false);
    text.say("Rows that programs write meanwhile are theirs: have them write " + column.quoted + " before this runs.");
    backfill_into(text, work, column, *work.options.value, column.quoted + " IS NULL");
    text.down();
    text.say("The values may stay.");
    text.run("SELECT 1");
    return text.text();
}

std::string add_check(Work& work) {
    const std::string name = work.name(work.options.columns.empty() ? "rule" : work.column_words(), "_check");
    Text text(work.options, false);
    text.say("New rows obey it from now on; those that are there are looked at by VALIDATE, which blocks nobody.");
    text.run(work.alter() + "ADD CONSTRAINT " + name + " CHECK (" + *work.options.check + ") NOT VALID");
    text.run(work.alter() + "VALIDATE CONSTRAINT " + name);
    text.down();
    text.run(work.alter() + "DROP CONSTRAINT " + name, "drop-constraint", "as it was before");
    return text.text();
}

bool has_index(const Work& work) {
    Params params{work.table.oid};
    std::string names;
    for (std::size_t i = 0; i < work.options.columns.size(); ++i) {
        params.push_back(work.column(i).name);
        names += fmt::format("{}${}::name", i == 0 ? "" : ", ", params.size());
    }
    return work.catalog.one("SELECT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = $1::oid AND x.indisvalid AND x.indpred IS NULL AND ARRAY[" + names +
                                "] = ARRAY(SELECT a.attname FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, n) LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum"
                                " WHERE k.n <= " + std::to_string(work.options.columns.size()) + " ORDER BY k.n))", params) == "t";
}

std::string add_foreign_key(Work& work) {
    work.refuse_partitioned("a foreign key of it cannot be NOT VALID on every server");
    Words words(*work.options.references, Dialect::postgres);
    const Name target = words.take_name();
    std::string columns;
    for (words.take("("); !words.at_end() && !words.is(")"); words.take(",")) {
        const Name column = words.take_name();
        if (column.empty()) break;
        columns += (columns.empty() ? "" : ", ") + column.written;
    }
    if (target.empty()) throw Error(Code::usage, "--references names no table", "--references 'users(id)'");
    const Relation other = work.catalog.relation(target.written);
    const std::string name = work.name(work.column_words(), "_fkey"), index = work.name(work.column_words(), "_idx");
    const bool indexed = has_index(work);
    Text text(work.options, false);
    if (!indexed) {
        text.say("Without it each DELETE in " + other.shown + " would read all of " + work.table.shown + ".");
        text.run("CREATE INDEX CONCURRENTLY " + index + " ON " + work.table.shown + " (" + work.columns() + ")");
    }
    text.say("New rows obey it from now on; those that are there are looked at by VALIDATE, which blocks nobody.");
    text.run(work.alter() + "ADD CONSTRAINT " + name + " FOREIGN KEY (" + work.columns() + ") REFERENCES " + other.shown + (columns.empty() ? "" : " (" + columns + ")") + " NOT VALID");
    text.run(work.alter() + "VALIDATE CONSTRAINT " + name);
    text.down();
    text.run(work.alter() + "DROP CONSTRAINT " + name, "drop-constraint", "as it was before");
    if (!indexed) text.run("DROP INDEX CONCURRENTLY " + work.table.prefix + index);
    return text.text();
}

std::string add_unique(Work& work) {
    work.refuse_partitioned("no index of it can be built CONCURRENTLY");
    const std::string name = work.name(work.column_words(), "_key");
    Text text(work.options, false);
    text.run("CREATE UNIQUE INDEX CONCURRENTLY " + name + " ON " + work.table.shown + " (" + work.columns() + ")", "unique-index-duplicates", "a build that meets one is dropped, and built again by the next up");
    text.run(work.alter() + "ADD CONSTRAINT " + name + " UNIQUE USING INDEX " + name);
    text.down();
    text.run(work.alter() + "DROP CONSTRAINT " + name, "drop-constraint", "as it was before");
    return text.text();
}

std::string add_index(Work& work) {
    work.refuse_partitioned("no index of it can be built CONCURRENTLY");
    const std::string name = work.name(work.column_words(), "_idx");
    Text text(work.options, false);
    text.run("CREATE INDEX CONCURRENTLY " + name + " ON " + work.table.shown + " (" + work.columns() + ")");
    text.down();
    text.run("DROP INDEX CONCURRENTLY " + work.table.prefix + name);
    return text.text();
}

// --- the table of recipes -----------------------------------------------------------------------------------------------------------------

struct Entry {
    std::string_view name;
    int columns;                 // how many it needs; -1: one or more; -2: any number
    std::string_view needs;      // what else: t(o) v(alue) c(heck) r(eferences) y(type)
    std::string_view takes;
    std::string (*write)(Work&);
    std::string (*contract)(Work&);
};

constexpr auto entries = std::to_array<Entry>({
    {"set-not-null", 1, "", "v", set_not_null, nullptr},
    {"backfill", 1, "v", "", backfill, nullptr},
    {"add-check", -2, "c", "", add_check, nullptr},
    {"add-foreign-key", -1, "r", "", add_foreign_key, nullptr},
    {"add-unique", -1, "", "", add_unique, nullptr},
    {"add-index", -1, "", "", add_index, nullptr},
    {"rename-column", 1, "t", "", rename_column, rename_column_contract},
    {"rename-table", 0, "t", "", rename_table, rename_table_contract},
    {"change-type", 1, "y", "", change_type, change_type_contract},
});

void check_options(const Entry& entry, const RecipeOptions& options) {
    const std::string recipe = "recipe " + std::string(entry.name);
    if (options.table.empty()) throw Error(Code::usage, recipe + " needs --table");
    const auto count = static_cast<int>(options.columns.size());
    if (entry.columns >= 0 && count != entry.columns) throw Error(Code::usage, recipe + (entry.columns == 0 ? " takes no --column" : " needs --column, once"));
    if (entry.columns == -1 && count == 0) throw Error(Code::usage, recipe + " needs --column");
    const auto check = [&](char letter, const char* flag, bool given) {
        const bool needed = entry.needs.find(letter) != std::string_view::npos;
        if (needed && !given) throw Error(Code::usage, recipe + " needs " + flag);
        if (!needed && given && entry.takes.find(letter) == std::string_view::npos) throw Error(Code::usage, recipe + " takes no " + flag);
    };
    check('t', "--to", options.to.has_value());
    check('v', "--value", options.value.has_value());
    check('c', "--check", options.check.has_value());
    check('r', "--references", options.references.has_value());
    check('y', "--type", options.type.has_value());
    if (options.contract && entry.contract == nullptr) throw Error(Code::usage, recipe + " is one file: it has no --contract");
}

}  // namespace

std::vector<std::string> recipe_names() {
    std::vector<std::string> names;
    for (const Entry& entry : entries) names.emplace_back(entry.name);
    return names;
}

Recipe write_recipe(Context& context, const RecipeOptions& options) {
    const auto entry = std::find_if(entries.begin(), entries.end(), [&](const Entry& one) { return one.name == options.recipe; });
    if (entry == entries.end()) throw Error(Code::usage, "no recipe '" + options.recipe + "'" + did_you_mean(options.recipe, recipe_names()));
    check_options(*entry, options);
    const std::string store = options.store.empty() ? context.config.migrate.store : options.store;
    const SqlStore* sql = context.stores.get(store).sql();
    if (sql == nullptr || sql->dialect() != Dialect::postgres) throw Error(Code::refused, "store '" + store + "' is no PostgreSQL: recipes are for its locks", "name one: --store");
    const Catalog catalog(context, store);
    Work work{catalog, options, catalog.relation(options.table), {}};
    work.recipe.text = (options.contract ? entry->contract : entry->write)(work);
    return std::move(work.recipe);
}

}  // namespace ysdb::migrate
