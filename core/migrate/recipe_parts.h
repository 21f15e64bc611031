// What recipes are written with: the catalog's view of a table, and the file that grows. For recipe*.cpp alone.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/migrate/recipe.h"
#include "core/store/store.h"

namespace ysdb::migrate::recipes {

using Params = std::vector<std::optional<std::string>>;

struct Column {
    std::string name, quoted, type;
    bool not_null = false, has_default = false, generated = false;
};

// A relation as the catalog has it.
struct Relation {
    std::string oid, kind, schema, name;         // name without quotes
    std::string shown;                           // as SQL names it, qualified when the user did
    std::string prefix;                          // "public." when the user did
    std::string owner;                           // empty: who runs migrations is
    bool row_security = false;
    std::vector<Column> columns;
    std::vector<std::string> grants;             // "SELECT ON %s TO app", with the table's place open
};

class Catalog {
public:
    Catalog(Context& context, const std::string& store) : context_(context), sql_(*context.stores.get(store).sql()) {}

    SqlResult ask(std::string_view sql, const Params& params) const { return sql_.query(sql, params, context_.deadline()); }
    std::string one(std::string_view sql, const Params& params) const { return ask(sql, params).row(0).text_or(0, ""); }
    std::string quoted(const std::string& name) const { return one("SELECT quote_ident($1)", {name}); }

    // Throws Error(refused) where there is none.
    Relation relation(const std::string& written) const;
    Context& context() const { return context_; }

private:
    Context& context_;
    SqlStore& sql_;
};

// Throws Error(refused) with the nearest name.
const Column& column_of(const Relation& table, const std::string& written);

// What stays within a name's length of "orders_total_check".
std::string short_name(const std::string& table, const std::string& middle, const std::string& suffix);

// A file, statement by statement.
class Text {
public:
    Text(const RecipeOptions& options, bool transaction) {
        text_ = "-- migrate:up" + std::string(transaction ? "" : " transaction:false") + (options.store.empty() ? "" : " store:" + options.store) + " lock-timeout:1s\n";
    }
    void say(const std::string& comment) { text_ += "-- " + comment + "\n"; }
    void run(const std::string& sql, const std::string& allow = {}, const std::string& reason = {}) {
        if (!allow.empty() && !way_back_) text_ += "-- ysdb:allow " + allow + " " + reason + "\n";
        text_ += sql + ";\n";
    }
    void down() {
        text_ += "\n-- migrate:down\n";
        way_back_ = true;
    }
    const std::string& text() const { return text_; }

private:
    std::string text_;
    bool way_back_ = false;   // where lint asks only who waits and what is lost, which these do not
};

struct Work {
    const Catalog& catalog;
    const RecipeOptions& options;
    Relation table;
    Recipe recipe;

    const Column& column(std::size_t i = 0) const { return column_of(table, options.columns.at(i)); }
    std::string columns() const {
        std::string list;
        for (const std::string& written : options.columns) list += (list.empty() ? "" : ", ") + column_of(table, written).quoted;
        return list;
    }
    std::string column_words() const {
        std::string words;
        for (const std::string& written : options.columns) words += (words.empty() ? "" : "_") + column_of(table, written).name;
        return words;
    }
    std::string name(const std::string& middle, const std::string& suffix) const { return catalog.quoted(short_name(table.name, middle, suffix)); }
    std::string alter() const { return "ALTER TABLE " + table.shown + " "; }
    void refuse_partitioned(const std::string& what) const {
        if (table.kind == "p") throw Error(Code::refused, table.shown + " is partitioned: " + what, "do it partition by partition, each with this recipe");
    }
};

void prove_not_null(Text& text, const Work& work, const std::string& column, const std::string& constraint);

}  // namespace ysdb::migrate::recipes
