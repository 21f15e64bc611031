#include "core/base/text.h"
#include "core/schema_doc/read.h"

namespace ysdb::schema_doc {

namespace {

using Params = std::vector<std::optional<std::string>>;

// Tables and views of the schema that are no partitions and belong to no extension.
constexpr std::string_view relations =
    "WITH rel AS (SELECT c.oid, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition"
    " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'))";

SqlResult ask(SqlStore& sql, const std::string& text, const std::string& schema, Deadline deadline) {
    return sql.query(std::string(relations) + text, Params{schema}, deadline);
}

std::string value(const SqlRow& row, std::size_t i) { return row.text_or(i, ""); }

void read_tables(SqlStore& sql, SchemaModel& model, Deadline deadline) {
    const SqlResult tables = ask(sql,
                                 " SELECT relname, relkind, obj_description(oid, 'pg_class'), CASE WHEN relkind = 'p' THEN pg_get_partkeydef(oid) END"
                                 " FROM rel ORDER BY relname COLLATE \"C\"",
                                 model.schema, deadline);
    for (std::size_t i = 0; i < tables.rows(); ++i) {
        const SqlRow row = tables.row(i);
        DocumentedTable table;
        table.name = row.text(0);
        table.kind = row.text(1) == "v" ? Kind::view : row.text(1) == "m" ? Kind::materialized_view : Kind::table;
        table.comment = value(row, 2);
        if (!row.null(3)) table.facts.push_back({"partitioned by", row.text(3)});
        model.tables.push_back(std::move(table));
    }
}

void read_columns(SqlStore& sql, SchemaModel& model, Deadline deadline) {
    const SqlResult columns = ask(sql,
                                  " SELECT rel.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),"
                                  " col_description(a.attrelid, a.attnum),"
                                  " EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'p' AND a.attnum = ANY(k.conkey)),"
                                  " EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'u' AND k.conkey = ARRAY[a.attnum]),"
                                  " EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attnum = ANY(k.conkey))"
                                  " FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped"
                                  " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum ORDER BY rel.relname, a.attnum",
                                  model.schema, deadline);
    for (std::size_t i = 0; i < columns.rows(); ++i) {
        const SqlRow row = columns.row(i);
        DocumentedTable& table = table_named(model, row.text(0));
        // Columns of views never say NOT NULL: nothing is known about them.
        const bool nullable = table.kind == Kind::table && !row.truth(3);
        table.columns.push_back({row.text(1), row.text(2), nullable, value(row, 4), "", value(row, 5), row.truth(6), row.truth(7), row.truth(8)});
    }
}

void read_constraints(SqlStore& sql, SchemaModel& model, Deadline deadline) {
    const SqlResult constraints = ask(sql,
                                      " SELECT rel.relname, k.conname, k.contype, pg_get_constraintdef(k.oid), parent.relname,"
                                      " (SELECT string_agg(a.attname, ',' ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY u (num, place)"
                                      "   JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num),"
                                      " (SELECT bool_or(NOT a.attnotnull) FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey))"
                                      " FROM rel JOIN pg_constraint k ON k.conrelid = rel.oid AND k.contype IN ('p', 'u', 'f', 'c') AND k.conparentid = 0"
                                      " LEFT JOIN pg_class parent ON parent.oid = k.confrelid"
                                      " ORDER BY rel.relname, array_position(ARRAY['p', 'u', 'f', 'c'], k.contype::text), k.conname COLLATE \"C\"",
                                      model.schema, deadline);
    for (std::size_t i = 0; i < constraints.rows(); ++i) {
        const SqlRow row = constraints.row(i);
        DocumentedTable& table = table_named(model, row.text(0));
        table.constraints.push_back({row.text(1), row.text(3)});
        if (row.text(2) == "f") table.references.push_back({row.text(1), split(row.text(5), ','), row.text(4), row.truth(6)});
    }
}

void read_indexes(SqlStore& sql, SchemaModel& model, Deadline deadline) {
    const SqlResult indexes = ask(sql,
                                  " SELECT rel.relname, i.relname, x.indisunique, regexp_replace(pg_get_indexdef(x.indexrelid), '^.*? USING ', '')"
                                  " FROM rel JOIN pg_index x ON x.indrelid = rel.oid JOIN pg_class i ON i.oid = x.indexrelid"
                                  " WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))"
                                  " ORDER BY rel.relname, i.relname COLLATE \"C\"",
                                  model.schema, deadline);
    for (std::size_t i = 0; i < indexes.rows(); ++i) {
        const SqlRow row = indexes.row(i);
        table_named(model, row.text(0)).indexes.push_back({row.text(1), (row.truth(2) ? "unique, " : "") + row.text(3)});
    }
    const SqlResult triggers = ask(sql,
                                   " SELECT rel.relname, t.tgname, regexp_replace(pg_get_triggerdef(t.oid, true), '^CREATE (CONSTRAINT )?TRIGGER \\S+ ', '')"
                                   " FROM rel JOIN pg_trigger t ON t.tgrelid = rel.oid AND NOT t.tgisinternal ORDER BY rel.relname, t.tgname COLLATE \"C\"",
                                   model.schema, deadline);
    for (std::size_t i = 0; i < triggers.rows(); ++i) {
        const SqlRow row = triggers.row(i);
        table_named(model, row.text(0)).triggers.push_back({row.text(1), row.text(2)});
    }
}

void read_view_sources(SqlStore& sql, SchemaModel& model, Deadline deadline) {
    const SqlResult sources = ask(sql,
                                  " SELECT DISTINCT v.relname, s.relname FROM rel v JOIN pg_rewrite r ON r.ev_class = v.oid"
                                  " JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass"
                                  " JOIN rel s ON s.oid = d.refobjid AND s.oid <> v.oid ORDER BY 1, 2",
                                  model.schema, deadline);
    for (std::size_t i = 0; i < sources.rows(); ++i) table_named(model, sources.row(i).text(0)).reads.push_back(sources.row(i).text(1));
}

void read_types_and_functions(SqlStore& sql, SchemaModel& model, Deadline deadline) {
    const SqlResult types = sql.query(
        "SELECT t.typname, string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder), obj_description(t.oid, 'pg_type')"
        " FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_enum e ON e.enumtypid = t.oid WHERE n.nspname = $1"
        " GROUP BY t.oid, t.typname ORDER BY t.typname COLLATE \"C\"",
        Params{model.schema}, deadline);
    for (std::size_t i = 0; i < types.rows(); ++i) {
        const SqlRow row = types.row(i);
        model.types.push_back({row.text(0), (row.null(2) ? "" : row.text(2) + ": ") + row.text(1)});
    }
    const SqlResult functions = sql.query(
        "SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', obj_description(p.oid, 'pg_proc')"
        " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1"
        " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e') ORDER BY 1",
        Params{model.schema}, deadline);
    for (std::size_t i = 0; i < functions.rows(); ++i) model.functions.push_back({functions.row(i).text(0), value(functions.row(i), 1)});
}

}  // namespace

SchemaModel read_postgres(SqlStore& sql, const std::string& schema, Deadline deadline) {
    SchemaModel model;
    model.product = "PostgreSQL";
    model.schema = schema.empty() ? "public" : schema;
    read_tables(sql, model, deadline);
    read_columns(sql, model, deadline);
    read_constraints(sql, model, deadline);
    read_indexes(sql, model, deadline);
    read_view_sources(sql, model, deadline);
    read_types_and_functions(sql, model, deadline);
    return model;
}

}  // namespace ysdb::schema_doc
