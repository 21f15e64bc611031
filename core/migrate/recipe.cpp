#include "core/migrate/recipe.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "core/migrate/words.h"

namespace ysdb::migrate {

namespace {

using Params = std::vector<std::optional<std::string>>;

constexpr std::size_t longest_name = 63;

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

    Relation relation(const std::string& written) const {
        const SqlResult found = ask("SELECT c.oid, c.relkind::text, n.nspname, c.relname, quote_ident(n.nspname), quote_ident(c.relname), CASE WHEN r.rolname <> current_user THEN quote_ident(r.rolname) END, c.relrowsecurity"
                                    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = to_regclass($1)", {written});
        if (found.rows() == 0) throw Error(Code::refused, "no table " + written + " in the store", "write it as SQL does: --table schema.table");
        const SqlRow row = found.row(0);
        Relation relation{row.text(0), row.text(1), row.text(2), row.text(3), {}, {}, row.text_or(6, ""), row.truth(7), {}, {}};
        if (Words(written, Dialect::postgres).has(".")) relation.prefix = row.text(4) + ".";
        relation.shown = relation.prefix + row.text(5);
        const SqlResult columns = ask("SELECT attname, quote_ident(attname), format_type(atttypid, atttypmod), attnotnull, atthasdef, attgenerated <> '' OR attidentity <> '' FROM pg_attribute"
                                      " WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum", {relation.oid});
        for (std::size_t i = 0; i < columns.rows(); ++i) {
            const SqlRow column = columns.row(i);
            relation.columns.push_back({column.text(0), column.text(1), column.text(2), column.truth(3), column.truth(4), column.truth(5)});
        }
        const SqlResult grants = ask("SELECT string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END, a.is_grantable FROM pg_class c, aclexplode(c.relacl) a"
                                     " LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE c.oid = $1::oid AND a.grantee <> c.relowner AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') GROUP BY 2, 3 ORDER BY 2", {relation.oid});
        for (std::size_t i = 0; i < grants.rows(); ++i) relation.grants.push_back(grants.row(i).text(0) + " ON {} TO " + grants.row(i).text(1) + (grants.row(i).truth(2) ? " WITH GRANT OPTION" : ""));
        return relation;
    }

    Context& context() const { return context_; }

private:
    Context& context_;
    SqlStore& sql_;
};

const Column& column_of(const Relation& table, const std::string& written) {
    const bool quoted = written.size() > 2 && written.starts_with('"') && written.ends_with('"');
    const std::string name = quoted ? written.substr(1, written.size() - 2) : written;
    for (const Column& column : table.columns) {
        if (column.name == name || (!quoted && column.name == lower(name))) return column;
    }
    std::vector<std::string> names;
    for (const Column& column : table.columns) names.push_back(column.name);
    throw Error(Code::refused, table.shown + " has no column " + written + did_you_mean(name, names));
}

// What stays within a name's length of "orders_total_check".
std::string short_name(const std::string& table, const std::string& middle, const std::string& suffix) {
    std::string name = table + "_" + middle;
    if (name.size() + suffix.size() > longest_name) name.resize(longest_name - suffix.size());
    return name + suffix;
}

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

// --- one file ------------------------------------------------------------------------------------------------------------------------

void backfill_into(Text& text, const Work& work, const Column& column, const std::string& value, const std::string& where) {
    text.say("migrate:batch");
    text.run("UPDATE " + work.table.shown + " SET " + column.quoted + " = " + value + " WHERE " + where);
}

void prove_not_null(Text& text, const Work& work, const std::string& column, const std::string& constraint) {
    text.say("New rows obey it from now on; those that are there are looked at by VALIDATE, which blocks nobody.");
    text.run(work.alter() + "ADD CONSTRAINT " + constraint + " CHECK (" + column + " IS NOT NULL) NOT VALID");
    text.run(work.alter() + "VALIDATE CONSTRAINT " + constraint);
    text.say("The CHECK is the proof: the table is not read.");
    text.run(work.alter() + "ALTER COLUMN " + column + " SET NOT NULL");
    text.run(work.alter() + "DROP CONSTRAINT " + constraint);
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

// --- two files: expand, contract -------------------------------------------------------------------------------------------------------

// A view in the place of a table, as its programs saw it.
void view_for(Text& text, const std::string& view, const std::string& select, const Relation& seen) {
    const bool invoker = seen.row_security;
    text.run("CREATE VIEW " + view + (invoker ? " WITH (security_invoker = true)" : "") + " AS " + select);
    if (!seen.owner.empty()) text.run("ALTER VIEW " + view + " OWNER TO " + seen.owner);
    for (const std::string& grant : seen.grants) {
        if (grant.find(" TO PUBLIC") != std::string::npos) text.run("GRANT " + fmt::format(fmt::runtime(grant), view), "grant-to-public", "as the table has it");
        else text.run("GRANT " + fmt::format(fmt::runtime(grant), view));
    }
}

void check_for_view(Work& work) {
    const Relation& table = work.table;
    if (table.kind != "r" && table.kind != "p") throw Error(Code::refused, table.shown + " is no table");
    if (table.row_security && std::stoi(work.catalog.one("SELECT current_setting('server_version_num')", {})) < 150000) {
        throw Error(Code::refused, table.shown + " has row-level security, and a view before PostgreSQL 15 reads with its owner's rights", "add a new column or table, keep it equal by a trigger, and backfill it");
    }
    if (work.catalog.one("SELECT EXISTS (SELECT FROM pg_publication_tables WHERE schemaname = $1 AND tablename = $2)", {table.schema, table.name}) == "t") {
        work.recipe.warnings.push_back(table.shown + " is in a publication: its subscribers will meet the table under its new name");
    }
    if (work.catalog.one("SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = $1::oid)", {table.oid}) == "t") throw Error(Code::refused, table.shown + " is a partition or inherits: rename its parent");
}

std::string command_for_contract(const Work& work) {
    std::string command = "ysdb migrate new NAME --recipe " + work.options.recipe + " --contract --table " + work.options.table;
    for (const std::string& column : work.options.columns) command += " --column " + column;
    if (work.options.to) command += " --to " + *work.options.to;
    return command + (work.options.store.empty() ? "" : " --store " + work.options.store);
}

std::string definition_of(const Work& view) {
    std::string text(trim(view.catalog.one("SELECT pg_get_viewdef($1::oid)", {view.table.oid})));
    while (text.ends_with(';')) text.pop_back();
    return text;
}

// The relation that stands behind a view's place after the expansion.
std::string data_name(const Work& work) { return work.catalog.quoted(short_name(work.table.name, "data", "")); }

std::string rename_column(Work& work) {
    check_for_view(work);
    const Column& old = work.column();
    const std::string fresh = work.catalog.quoted(*work.options.to);
    for (const Column& column : work.table.columns) {
        if (column.quoted == fresh) throw Error(Code::refused, work.table.shown + " has a column " + fresh + " already");
    }
    const std::string data = data_name(work), full = work.table.prefix + data;
    std::string select = "SELECT ";
    for (const Column& column : work.table.columns) select += (&column == &old ? fresh + " AS " + old.quoted : column.quoted) + ", ";
    select += fresh + " FROM " + full;
    Text text(work.options, true);
    text.say("The table's place is taken by a view with both names: programs read and write through it, old ones and new ones, by column names.");
    text.say("COPY into it and TRUNCATE are not for views, and further changes of the table go to " + full + ": do not stay here for long.");
    text.run(work.alter() + "RENAME TO " + data, "rename-table", "a view takes its place in the same transaction");
    text.run("ALTER TABLE " + full + " RENAME COLUMN " + old.quoted + " TO " + fresh, "rename-column", "the view has both names");
    view_for(text, work.table.shown, select, work.table);
    text.down();
    text.run("DROP VIEW " + work.table.shown, "drop-object", "the table comes back in the same transaction");
    text.run("ALTER TABLE " + full + " RENAME COLUMN " + fresh + " TO " + old.quoted, "rename-column", "the old name comes back");
    text.run("ALTER TABLE " + full + " RENAME TO " + work.catalog.quoted(work.table.name), "rename-table", "the old name comes back");
    work.recipe.next = command_for_contract(work);
    return text.text();
}

std::string rename_column_contract(Work& work) {
    if (work.table.kind != "v") throw Error(Code::refused, work.table.shown + " is no view: the first half was not applied", "ysdb migrate new NAME --recipe rename-column, without --contract");
    work.column();
    const std::string data = data_name(work), full = work.table.prefix + data;
    work.catalog.relation(full);
    const std::string select = definition_of(work);
    Text text(work.options, true);
    text.say("For when no program uses the name " + work.column().quoted + " any more.");
    text.run("DROP VIEW " + work.table.shown, "drop-object", "the table takes its place in the same transaction");
    text.run("ALTER TABLE " + full + " RENAME TO " + work.catalog.quoted(work.table.name), "rename-table", "to the name that programs use");
    text.down();
    text.run(work.alter() + "RENAME TO " + data, "rename-table", "a view takes its place in the same transaction");
    Relation seen = work.table;
    seen.row_security = work.catalog.one("SELECT coalesce('security_invoker=true' = ANY (reloptions), false) FROM pg_class WHERE oid = $1::oid", {work.table.oid}) == "t";
    view_for(text, work.table.shown, select, seen);
    return text.text();
}

std::string rename_table(Work& work) {
    check_for_view(work);
    const std::string fresh = work.catalog.quoted(*work.options.to), full = work.table.prefix + fresh;
    std::string select = "SELECT ";
    for (const Column& column : work.table.columns) select += (&column == &work.table.columns.front() ? "" : ", ") + column.quoted;
    Text text(work.options, true);
    text.say("The old name is a view from now on: programs read and write through it. COPY into it and TRUNCATE are not for views.");
    text.run(work.alter() + "RENAME TO " + fresh, "rename-table", "a view keeps the old name, in the same transaction");
    view_for(text, work.table.shown, select + " FROM " + full, work.table);
    text.down();
    text.run("DROP VIEW " + work.table.shown, "drop-object", "the table comes back in the same transaction");
    text.run("ALTER TABLE " + full + " RENAME TO " + work.catalog.quoted(work.table.name), "rename-table", "the old name comes back");
    work.recipe.next = command_for_contract(work);
    return text.text();
}

std::string rename_table_contract(Work& work) {
    if (work.table.kind != "v") throw Error(Code::refused, work.table.shown + " is no view: the first half was not applied", "ysdb migrate new NAME --recipe rename-table, without --contract");
    const std::string select = definition_of(work);
    Text text(work.options, true);
    text.say("For when no program uses the name " + work.table.shown + " any more.");
    text.run("DROP VIEW " + work.table.shown, "drop-object", "no program uses the old name any more");
    text.down();
    view_for(text, work.table.shown, select, work.table);
    return text.text();
}

// What else knows the column by itself: its type cannot be changed by a swap behind their backs.
void refuse_used(const Work& work, const Column& column) {
    const SqlResult used = work.catalog.ask("SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
                                            " WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::oid AND a.attname = $2 AND d.classid <> 'pg_attrdef'::regclass ORDER BY 1", {work.table.oid, column.name});
    if (used.rows() == 0) return;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < used.rows(); ++i) names.push_back(used.row(i).text(0));
    throw Error(Code::refused, work.table.shown + "." + column.quoted + " is used by " + join(names, ", "), "this recipe swaps the column for a new one: indexes, constraints and views would stay with the old one; take its file for a pattern");
}

struct Names {
    std::string fresh, old, follow, back;
};

Names names_for(const Work& work, const Column& column) {
    return {work.catalog.quoted(short_name(column.name, "new", "")), work.catalog.quoted(short_name(column.name, "old", "")), work.name(column.name, "_follow"), work.name(column.name, "_back")};
}

// A value that the other type does not hold becomes NULL there: no program's write fails for it.
void follow(Text& text, const Work& work, const std::string& name, const std::string& target, const std::string& expression) {
    text.run("CREATE FUNCTION " + work.table.prefix + name + "() RETURNS trigger LANGUAGE plpgsql AS\n    $$ BEGIN NEW." + target + " := " + expression +
             "; RETURN NEW; EXCEPTION WHEN data_exception THEN NEW." + target + " := NULL; RETURN NEW; END $$");
    text.run("CREATE TRIGGER " + name + " BEFORE INSERT OR UPDATE ON " + work.table.shown + " FOR EACH ROW EXECUTE FUNCTION " + work.table.prefix + name + "()", "create-trigger", "it is there until the columns are swapped");
}

void unfollow(Text& text, const Work& work, const std::string& name) {
    text.run("DROP TRIGGER " + name + " ON " + work.table.shown, "drop-object", "no program knows it");
    text.run("DROP FUNCTION " + work.table.prefix + name + "()", "drop-object", "no program knows it");
}

std::string change_type(Work& work) {
    work.refuse_partitioned("its columns are swapped for all partitions at once");
    const Column& column = work.column();
    if (column.generated) throw Error(Code::refused, work.table.shown + "." + column.quoted + " is generated");
    refuse_used(work, column);
    const Names names = names_for(work, column);
    const std::string type = *work.options.type;
    Text text(work.options, false);
    text.say("A new column that a trigger keeps equal. When it is filled, --contract swaps the two by renaming.");
    text.run(work.alter() + "ADD COLUMN " + names.fresh + " " + type);
    follow(text, work, names.follow, names.fresh, "NEW." + column.quoted + "::" + type);
    text.say("migrate:batch");
    text.run("UPDATE " + work.table.shown + " SET " + names.fresh + " = " + column.quoted + "::" + type + " WHERE " + names.fresh + " IS DISTINCT FROM " + column.quoted + "::" + type);
    if (column.not_null) prove_not_null(text, work, names.fresh, work.name(column.name, "_new_not_null"));
    text.down();
    unfollow(text, work, names.follow);
    text.run(work.alter() + "DROP COLUMN " + names.fresh, "drop-column", "what it holds is in the old column");
    work.recipe.next = command_for_contract(work) + " --type '" + type + "'";
    return text.text();
}

std::string change_type_contract(Work& work) {
    const Column& column = work.column();
    const Names names = names_for(work, column);
    const Column* fresh = nullptr;
    for (const Column& one : work.table.columns) {
        if (one.quoted == names.fresh) fresh = &one;
    }
    if (fresh == nullptr) throw Error(Code::refused, work.table.shown + " has no column " + names.fresh + ": the first half was not applied", "ysdb migrate new NAME --recipe change-type, without --contract");
    refuse_used(work, column);
    const std::string fallback = work.catalog.one("SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = $1::oid AND a.attname = $2"
                                                  " UNION ALL SELECT '' LIMIT 1", {work.table.oid, column.name});
    Text text(work.options, true);
    const auto swap = [&](bool there) {
        unfollow(text, work, there ? names.follow : names.back);
        text.run(work.alter() + "RENAME COLUMN " + column.quoted + " TO " + (there ? names.old : names.fresh), "rename-column", "the other column takes the name in the same transaction");
        text.run(work.alter() + "RENAME COLUMN " + (there ? names.fresh : names.old) + " TO " + column.quoted, "rename-column", "it takes the name that programs use");
        const std::string& left = there ? names.old : names.fresh;
        if (!fallback.empty()) {
            text.run(work.alter() + "ALTER COLUMN " + column.quoted + " SET DEFAULT " + fallback);
            text.run(work.alter() + "ALTER COLUMN " + left + " DROP DEFAULT", "drop-default", "the trigger fills it");
        }
        if (there && column.not_null) text.run(work.alter() + "ALTER COLUMN " + left + " DROP NOT NULL", "drop-not-null", "only the way back uses it");
        follow(text, work, there ? names.back : names.follow, left, "NEW." + column.quoted + "::" + (there ? column.type : fresh->type));
    };
    text.say("The columns change names in one short transaction. The old one is kept equal, so that migrate:down loses nothing;");
    text.say("drop it and the trigger " + names.back + " in a later migration.");
    swap(true);
    text.down();
    swap(false);
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
