#include "core/migrate/recipe_expand.h"

#include <fmt/core.h>

#include "core/base/text.h"

namespace ysdb::migrate::recipes {

namespace {

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

}  // namespace

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

}  // namespace ysdb::migrate::recipes
