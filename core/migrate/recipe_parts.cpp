#include "core/migrate/recipe_parts.h"

#include "core/base/text.h"
#include "core/migrate/words.h"

namespace ysdb::migrate::recipes {

namespace {

constexpr std::size_t longest_name = 63;

}  // namespace

Relation Catalog::relation(const std::string& written) const {
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

std::string short_name(const std::string& table, const std::string& middle, const std::string& suffix) {
    std::string name = table + "_" + middle;
    if (name.size() + suffix.size() > longest_name) name.resize(longest_name - suffix.size());
    return name + suffix;
}

void prove_not_null(Text& text, const Work& work, const std::string& column, const std::string& constraint) {
    text.say("New rows obey it from now on; those that are there are looked at by VALIDATE, which blocks nobody.");
    text.run(work.alter() + "ADD CONSTRAINT " + constraint + " CHECK (" + column + " IS NOT NULL) NOT VALID");
    text.run(work.alter() + "VALIDATE CONSTRAINT " + constraint);
    text.say("The CHECK is the proof: the table is not read.");
    text.run(work.alter() + "ALTER COLUMN " + column + " SET NOT NULL");
    text.run(work.alter() + "DROP CONSTRAINT " + constraint);
}

}  // namespace ysdb::migrate::recipes
