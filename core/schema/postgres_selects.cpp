#include "core/schema/postgres_selects.h"

#include <fmt/format.h>

#include <vector>

#include "core/base/text.h"

namespace ysdb::schema {

namespace {

// Namespaces that count, and what extensions brought.
constexpr std::string_view with =
    "WITH ns AS MATERIALIZED (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'ysdb')),"
    " member AS MATERIALIZED (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),"
    " made AS MATERIALIZED (SELECT classid, objid FROM pg_depend WHERE deptype = 'i') ";

std::string no_member(const std::string& catalog, const std::string& oid) { return fmt::format(" AND ('{}'::regclass, {}) NOT IN (SELECT classid, objid FROM member)", catalog, oid); }
std::string not_made(const std::string& catalog, const std::string& oid) { return fmt::format(" AND ('{}'::regclass, {}) NOT IN (SELECT classid, objid FROM made)", catalog, oid); }

// "\nCOMMENT ON TABLE public.t IS 'it''s';" or nothing.
std::string comment(const std::string& what, const std::string& name, const std::string& catalog, const std::string& oid) {
    return fmt::format(" || coalesce(E'\\nCOMMENT ON {} ' || {} || ' IS ' || quote_literal(obj_description({}, '{}')) || ';', '')", what, name, oid, catalog);
}

// Of a view: comments and defaults of its columns.
const std::string view_columns =
    " || coalesce((SELECT string_agg(coalesce(E'\\nALTER VIEW ' || format('%I.%I', n.nspname, c.relname) || ' ALTER COLUMN ' || quote_ident(a.attname) || ' SET DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) || ';', '')"
    " || coalesce(E'\\nCOMMENT ON COLUMN ' || format('%I.%I.%I', n.nspname, c.relname, a.attname) || ' IS ' || quote_literal(col_description(c.oid, a.attnum)) || ';', ''), '' ORDER BY a.attnum)"
    " FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '')";

// Only what is not the default. `s` is a row of pg_sequence.
const std::string sequence_options =
    "concat(CASE WHEN s.seqstart <> CASE WHEN s.seqincrement > 0 THEN s.seqmin ELSE s.seqmax END THEN ' START WITH ' || s.seqstart END,"
    " CASE WHEN s.seqincrement <> 1 THEN ' INCREMENT BY ' || s.seqincrement END,"
    " CASE WHEN s.seqmin <> CASE WHEN s.seqincrement > 0 THEN 1 WHEN s.seqtypid = 'int2'::regtype THEN -32768 WHEN s.seqtypid = 'int4'::regtype THEN -2147483648 ELSE -9223372036854775808 END"
    " THEN ' MINVALUE ' || s.seqmin END,"
    " CASE WHEN s.seqmax <> CASE WHEN s.seqincrement < 0 THEN -1 WHEN s.seqtypid = 'int2'::regtype THEN 32767 WHEN s.seqtypid = 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END"
    " THEN ' MAXVALUE ' || s.seqmax END,"
    " CASE WHEN s.seqcache <> 1 THEN ' CACHE ' || s.seqcache END, CASE WHEN s.seqcycle THEN ' CYCLE' END)";

std::string options_of(const std::string& column) {
    return fmt::format("(SELECT string_agg(quote_ident(o.option_name) || '=' || quote_literal(o.option_value), ', ' ORDER BY o.option_name) FROM pg_options_to_table({}) o)", column);
}

const std::string type_name = "format('%I.%I', n.nspname, t.typname)";
const std::string class_name = "format('%I.%I', n.nspname, c.relname)";
// Collation `oid` unless it is `usual`, with COLLATE in front.
std::string collate(const std::string& oid, const std::string& usual) {
    return fmt::format("coalesce((SELECT format(' COLLATE %I.%I', cn.nspname, co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = {0} AND {0} <> {1}), '')", oid, usual);
}

struct Select {
    int phase;
    int place;
    std::string kind;        // an expression
    std::string key;         // an expression
    std::string table;       // an expression
    std::string name;        // an expression
    std::string ddl;         // an expression
    std::string needs;       // an expression
    std::string partition;   // an expression
    std::string from;
};

std::string text_of(const Select& s) {
    return fmt::format("SELECT {}, {}, {}, {}, {}, {}, {}, {}, {} FROM {}", s.phase, s.place, s.kind, s.key, s.table, s.name, s.ddl, s.needs, s.partition, s.from);
}

Select plain(int phase, const std::string& kind, const std::string& catalog, const std::string& oid, const std::string& name, const std::string& ddl, const std::string& from) {
    return {phase, 0, "'" + kind + "'", "'" + catalog + "/' || " + oid, "''", name, ddl, "''", "false", from};
}

// What belongs to a table `c` in `n`.
Select of_table(int phase, int place, const std::string& kind, const std::string& key, const std::string& name, const std::string& ddl, const std::string& needs, const std::string& from) {
    return {phase, place, kind, key, class_name, class_name + " || ' ' || " + name, ddl, needs, "c.relispartition", from};
}

void add_types(std::vector<std::string>& out) {
    const auto type = [&](const std::string& kind, const std::string& what, const std::string& ddl, const std::string& join, const std::string& where) {
        out.push_back(text_of(plain(3, kind, "pg_type", "t.oid", type_name, ddl + comment(what, type_name, "pg_type", "t.oid"),
                                    "pg_type t JOIN ns n ON n.oid = t.typnamespace " + join + " WHERE " + where + no_member("pg_type", "t.oid"))));
    };
    type("enum", "TYPE",
         "'CREATE TYPE ' || " + type_name + " || E' AS ENUM (\\n    ' || coalesce((SELECT string_agg(quote_literal(e.enumlabel), E',\\n    ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '') || E'\\n);'",
         "", "t.typtype = 'e'");
    type("domain", "DOMAIN",
         "concat('CREATE DOMAIN ', " + type_name + ", ' AS ', format_type(t.typbasetype, t.typtypmod), " +
             collate("t.typcollation", "(SELECT b.typcollation FROM pg_type b WHERE b.oid = t.typbasetype)") +
             ", ' DEFAULT ' || pg_get_expr(t.typdefaultbin, 0), CASE WHEN t.typnotnull THEN ' NOT NULL' END,"
             " (SELECT string_agg(E'\\n    CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid), '' ORDER BY k.conname COLLATE \"C\") FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' AND k.convalidated), ';',"
             " (SELECT string_agg(E'\\nALTER DOMAIN ' || " + type_name + " || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid) || ';', '' ORDER BY k.conname COLLATE \"C\") FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' AND NOT k.convalidated),"
             " (SELECT string_agg(E'\\nCOMMENT ON CONSTRAINT ' || quote_ident(k.conname) || ' ON DOMAIN ' || " + type_name + " || ' IS ' || quote_literal(obj_description(k.oid, 'pg_constraint')) || ';', '' ORDER BY k.conname COLLATE \"C\")"
             " FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))",
         "", "t.typtype = 'd'");
    type("composite type", "TYPE",
         "concat('CREATE TYPE ', " + type_name + ", E' AS (', (SELECT string_agg(E'\\n    ' || quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) || " +
             collate("a.attcollation", "(SELECT b.typcollation FROM pg_type b WHERE b.oid = a.atttypid)") + ", ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), E'\\n);',"
             " (SELECT string_agg(E'\\nCOMMENT ON COLUMN ' || " + type_name + " || '.' || quote_ident(a.attname) || ' IS ' || quote_literal(col_description(c.oid, a.attnum)) || ';', '' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))",
         "JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'", "t.typtype = 'c'");
    type("range type", "TYPE",
         "concat('CREATE TYPE ', " + type_name + ", E' AS RANGE (\\n    SUBTYPE = ', format_type(r.rngsubtype, NULL),"
             " E',\\n    MULTIRANGE_TYPE_NAME = ' || (SELECT format('%I.%I', mn.nspname, m.typname) FROM pg_type m JOIN pg_namespace mn ON mn.oid = m.typnamespace WHERE m.oid = r.rngmultitypid),"
             " (SELECT format(E',\\n    SUBTYPE_OPCLASS = %I.%I', qn.nspname, q.opcname) FROM pg_opclass q JOIN pg_namespace qn ON qn.oid = q.opcnamespace WHERE q.oid = r.rngsubopc AND NOT q.opcdefault),"
             " (SELECT format(E',\\n    COLLATION = %I.%I', cn.nspname, co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace JOIN pg_type b ON b.oid = r.rngsubtype WHERE co.oid = r.rngcollation AND co.oid <> b.typcollation),"
             " CASE WHEN r.rngcanonical <> 0 THEN E',\\n    CANONICAL = ' || r.rngcanonical::regproc END, CASE WHEN r.rngsubdiff <> 0 THEN E',\\n    SUBTYPE_DIFF = ' || r.rngsubdiff::regproc END, E'\\n);')",
         "JOIN pg_range r ON r.rngtypid = t.oid", "t.typtype = 'r'");
}

void add_routines(std::vector<std::string>& out) {
    const std::string name = "format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))";
    const std::string from = "pg_proc p JOIN ns n ON n.oid = p.pronamespace WHERE ";
    const std::string rest = no_member("pg_proc", "p.oid") + not_made("pg_proc", "p.oid");
    Select routine = plain(5, "", "pg_proc", "p.oid", name, "", from + "p.prokind <> 'a'" + rest);
    routine.kind = "CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END";
    routine.ddl = "rtrim(pg_get_functiondef(p.oid), E'\\n') || ';' || coalesce(E'\\nCOMMENT ON ' || CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || " + name + " || ' IS ' || quote_literal(obj_description(p.oid, 'pg_proc')) || ';', '')";
    out.push_back(text_of(routine));
    // An ordered-set aggregate's arguments hold ORDER BY; the catalog's own words are right for all kinds.
    const std::string aggregate_name = "format('%I.%I(%s)', n.nspname, p.proname, coalesce(nullif(pg_get_function_identity_arguments(p.oid), ''), '*'))";
    const auto function_option = [](const std::string& option, const std::string& column) { return fmt::format(" CASE WHEN a.{1} <> 0 THEN E',\\n    {0} = ' || a.{1}::regproc END,", option, column); };
    out.push_back(text_of(plain(5, "aggregate", "pg_proc", "p.oid", aggregate_name,
                                "concat('CREATE AGGREGATE ', " + aggregate_name + ", E' (\\n    SFUNC = ', a.aggtransfn::regproc, E',\\n    STYPE = ', format_type(a.aggtranstype, NULL)," +
                                    " CASE WHEN a.aggtransspace <> 0 THEN E',\\n    SSPACE = ' || a.aggtransspace END," + function_option("FINALFUNC", "aggfinalfn") +
                                    " CASE WHEN a.aggfinalextra THEN E',\\n    FINALFUNC_EXTRA' END, CASE WHEN a.aggfinalmodify <> CASE WHEN a.aggkind = 'n' THEN 'r' ELSE 'w' END THEN E',\\n    FINALFUNC_MODIFY = ' || CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END," +
                                    function_option("COMBINEFUNC", "aggcombinefn") + function_option("SERIALFUNC", "aggserialfn") + function_option("DESERIALFUNC", "aggdeserialfn") +
                                    " E',\\n    INITCOND = ' || quote_literal(a.agginitval)," + function_option("MSFUNC", "aggmtransfn") + function_option("MINVFUNC", "aggminvtransfn") +
                                    " CASE WHEN a.aggmtranstype <> 0 THEN E',\\n    MSTYPE = ' || format_type(a.aggmtranstype, NULL) END, CASE WHEN a.aggmtransspace <> 0 THEN E',\\n    MSSPACE = ' || a.aggmtransspace END," +
                                    function_option("MFINALFUNC", "aggmfinalfn") + " CASE WHEN a.aggmfinalextra THEN E',\\n    MFINALFUNC_EXTRA' END, E',\\n    MINITCOND = ' || quote_literal(a.aggminitval),"
                                    " (SELECT format(E',\\n    SORTOP = OPERATOR(%I.%s)', sn.nspname, so.oprname) FROM pg_operator so JOIN pg_namespace sn ON sn.oid = so.oprnamespace WHERE so.oid = a.aggsortop),"
                                    " CASE WHEN a.aggkind = 'h' THEN E',\\n    HYPOTHETICAL' END, CASE p.proparallel WHEN 's' THEN E',\\n    PARALLEL = SAFE' WHEN 'r' THEN E',\\n    PARALLEL = RESTRICTED' END, E'\\n);')" +
                                    comment("AGGREGATE", aggregate_name, "pg_proc", "p.oid"),
                                "pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN ns n ON n.oid = p.pronamespace WHERE true" + rest)));
    const std::string type_or_none = "CASE WHEN o.{0} = 0 THEN 'NONE' ELSE format_type(o.{0}, NULL) END";
    const std::string operator_name = fmt::format("format('%I.%s (%s, %s)', n.nspname, o.oprname, {}, {})", fmt::format(fmt::runtime(type_or_none), "oprleft"), fmt::format(fmt::runtime(type_or_none), "oprright"));
    const auto other_operator = [](const std::string& option, const std::string& column) {
        return fmt::format(" (SELECT format(E',\\n    {0} = OPERATOR(%I.%s)', xn.nspname, x.oprname) FROM pg_operator x JOIN pg_namespace xn ON xn.oid = x.oprnamespace WHERE x.oid = o.{1}),", option, column);
    };
    out.push_back(text_of(plain(5, "operator", "pg_operator", "o.oid", operator_name,
                                "concat(format('CREATE OPERATOR %I.%s (', n.nspname, o.oprname), E'\\n    FUNCTION = ', o.oprcode::regproc, CASE WHEN o.oprleft <> 0 THEN E',\\n    LEFTARG = ' || format_type(o.oprleft, NULL) END,"
                                " CASE WHEN o.oprright <> 0 THEN E',\\n    RIGHTARG = ' || format_type(o.oprright, NULL) END," + other_operator("COMMUTATOR", "oprcom") + other_operator("NEGATOR", "oprnegate") +
                                " CASE WHEN o.oprrest <> 0 THEN E',\\n    RESTRICT = ' || o.oprrest::regproc END, CASE WHEN o.oprjoin <> 0 THEN E',\\n    JOIN = ' || o.oprjoin::regproc END,"
                                " CASE WHEN o.oprcanhash THEN E',\\n    HASHES' END, CASE WHEN o.oprcanmerge THEN E',\\n    MERGES' END, E'\\n);')" + comment("OPERATOR", operator_name, "pg_operator", "o.oid"),
                                "pg_operator o JOIN ns n ON n.oid = o.oprnamespace WHERE o.oprcode <> 0" + no_member("pg_operator", "o.oid"))));
    const std::string cast_name = "format('(%s AS %s)', format_type(k.castsource, NULL), format_type(k.casttarget, NULL))";
    out.push_back(text_of(plain(5, "cast", "pg_cast", "k.oid", cast_name,
                                "concat('CREATE CAST ', " + cast_name + ", CASE k.castmethod WHEN 'f' THEN ' WITH FUNCTION ' || k.castfunc::regprocedure WHEN 'i' THEN ' WITH INOUT' ELSE ' WITHOUT FUNCTION' END,"
                                " CASE k.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' END, ';')" + comment("CAST", cast_name, "pg_cast", "k.oid"),
                                "pg_cast k WHERE k.oid >= 16384" + no_member("pg_cast", "k.oid") + not_made("pg_cast", "k.oid"))));
}

void add_relations(std::vector<std::string>& out) {
    const std::string from = "pg_class c JOIN ns n ON n.oid = c.relnamespace";
    out.push_back(text_of(plain(4, "sequence", "pg_class", "c.oid", class_name,
                                "concat('CREATE ', CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED ' END, 'SEQUENCE ', " + class_name + ", CASE WHEN s.seqtypid <> 'int8'::regtype THEN ' AS ' || format_type(s.seqtypid, NULL) END, " + sequence_options + ", ';')" +
                                    comment("SEQUENCE", class_name, "pg_class", "c.oid"),
                                from + " JOIN pg_sequence s ON s.seqrelid = c.oid WHERE true" + no_member("pg_class", "c.oid") + not_made("pg_class", "c.oid"))));
    out.push_back(text_of(of_table(6, 1, "'sequence owner'", "'owner/' || q.oid", "format('%I.%I', qn.nspname, q.relname)",
                                   "format('ALTER SEQUENCE %I.%I OWNED BY %I.%I.%I;', qn.nspname, q.relname, n.nspname, c.relname, a.attname)", "'pg_class/' || q.oid || ' pg_class/' || c.oid",
                                   "pg_depend d JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S' JOIN ns qn ON qn.oid = q.relnamespace JOIN pg_class c ON c.oid = d.refobjid JOIN ns n ON n.oid = c.relnamespace"
                                   " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'" + no_member("pg_class", "q.oid"))));
    out.push_back(text_of(plain(8, "view", "pg_class", "c.oid", class_name,
                                "concat('CREATE VIEW ', " + class_name + ", ' WITH (' || " + options_of("c.reloptions") + " || ')', E' AS\\n', pg_get_viewdef(c.oid))" + comment("VIEW", class_name, "pg_class", "c.oid") + view_columns,
                                from + " WHERE c.relkind = 'v'" + no_member("pg_class", "c.oid"))));
    Select materialized = plain(8, "materialized view", "pg_class", "c.oid", class_name,
                                "concat('CREATE MATERIALIZED VIEW ', " + class_name + ", CASE WHEN m.amname <> 'heap' THEN ' USING ' || quote_ident(m.amname) END, ' WITH (' || " + options_of("c.reloptions") +
                                    " || ')', E' AS\\n', rtrim(pg_get_viewdef(c.oid), ';'), E'\\nWITH NO DATA;')" + comment("MATERIALIZED VIEW", class_name, "pg_class", "c.oid") + view_columns,
                                from + " LEFT JOIN pg_am m ON m.oid = c.relam WHERE c.relkind = 'm'" + no_member("pg_class", "c.oid"));
    materialized.table = class_name;
    out.push_back(text_of(materialized));

    const std::string partition_of = "'pg_class/' || i.inhparent || ' pg_class/' || i.inhrelid";
    out.push_back(text_of(of_table(6, 2, "'partition'", "'attach/' || c.oid", "'of ' || format('%I.%I', pn.nspname, p.relname)",
                                   "format('ALTER TABLE ONLY %I.%I ATTACH PARTITION %I.%I %s;', pn.nspname, p.relname, n.nspname, c.relname, pg_get_expr(c.relpartbound, c.oid))", partition_of,
                                   from + " JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE c.relkind IN ('r', 'p') AND c.relispartition" + no_member("pg_class", "c.oid"))));
}

void add_parts_of_tables(std::vector<std::string>& out) {
    const std::string own = " JOIN ns n ON n.oid = c.relnamespace";
    const std::string not_extension = no_member("pg_class", "c.oid");
    // Indexes of a partitioned table come behind its partitions: they would make the partitions' indexes by themselves, under other names.
    const std::string attached = "coalesce((SELECT string_agg('attach/' || i.inhrelid, ' ') FROM pg_inherits i WHERE i.inhparent = c.oid AND c.relkind = 'p'), '')";
    const std::string uses = " || CASE WHEN x.indisclustered THEN format(E'\\nALTER TABLE %I.%I CLUSTER ON %I;', n.nspname, c.relname, ic.relname) ELSE '' END"
                             " || CASE WHEN x.indisreplident THEN format(E'\\nALTER TABLE ONLY %I.%I REPLICA IDENTITY USING INDEX %I;', n.nspname, c.relname, ic.relname) ELSE '' END";
    const std::string index_name = "format('%I.%I', n.nspname, ic.relname)";
    out.push_back(text_of(of_table(6, 3, "CASE k.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique constraint' ELSE 'exclusion constraint' END", "'pg_constraint/' || k.oid", "quote_ident(k.conname)",
                                   "format('ALTER TABLE ONLY %I.%I ADD CONSTRAINT %I %s;', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid))" + comment("CONSTRAINT", "format('%I ON %I.%I', k.conname, n.nspname, c.relname)", "pg_constraint", "k.oid") + uses,
                                   attached + " || ' pg_class/' || c.oid",
                                   "pg_constraint k JOIN pg_class c ON c.oid = k.conrelid" + own + " JOIN pg_index x ON x.indexrelid = k.conindid JOIN pg_class ic ON ic.oid = k.conindid WHERE k.contype IN ('p', 'u', 'x')" + not_extension)));
    out.push_back(text_of(of_table(6, 4, "'index'", "'pg_class/' || ic.oid", "quote_ident(ic.relname)",
                                   "pg_get_indexdef(ic.oid) || ';' || CASE WHEN x.indisvalid OR ic.relkind = 'I' THEN '' ELSE E'\\n-- INVALID: a build that was interrupted left it' END" +
                                       comment("INDEX", index_name, "pg_class", "ic.oid") + uses +
                                       " || coalesce((SELECT string_agg(format(E'\\nALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s;', n.nspname, ic.relname, a.attnum, a.attstattarget), '' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = ic.oid AND a.attstattarget >= 0), '')",
                                   attached + " || ' pg_class/' || c.oid",
                                   "pg_index x JOIN pg_class c ON c.oid = x.indrelid" + own + " JOIN pg_class ic ON ic.oid = x.indexrelid WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = ic.oid AND k.contype IN ('p', 'u', 'x'))" + not_extension + no_member("pg_class", "ic.oid"))));
    out.push_back(text_of(of_table(6, 5, "'index partition'", "'attach/' || ic.oid", "quote_ident(ic.relname)",
                                   "format('ALTER INDEX %I.%I ATTACH PARTITION %I.%I;', pn.nspname, pc.relname, n.nspname, ic.relname)", "'pg_class/' || i.inhparent || ' pg_class/' || ic.oid || ' attach/' || c.oid",
                                   "pg_inherits i JOIN pg_class ic ON ic.oid = i.inhrelid AND ic.relkind IN ('i', 'I') JOIN pg_class pc ON pc.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = pc.relnamespace"
                                   " JOIN pg_index x ON x.indexrelid = ic.oid JOIN pg_class c ON c.oid = x.indrelid" + own + " WHERE true" + not_extension)));
    const std::string statistics = "format('%I.%I', sn.nspname, s.stxname)";
    out.push_back(text_of(of_table(6, 6, "'statistics'", "'pg_statistic_ext/' || s.oid", statistics,
                                   "pg_get_statisticsobjdef(s.oid) || ';' || CASE WHEN coalesce(s.stxstattarget, -1) >= 0 THEN E'\\nALTER STATISTICS ' || " + statistics + " || ' SET STATISTICS ' || s.stxstattarget || ';' ELSE '' END" + comment("STATISTICS", statistics, "pg_statistic_ext", "s.oid"),
                                   "'pg_class/' || c.oid", "pg_statistic_ext s JOIN pg_namespace sn ON sn.oid = s.stxnamespace JOIN pg_class c ON c.oid = s.stxrelid" + own + " WHERE true" + not_extension)));
    const std::string relation = "CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END";
    const auto enabled = [&](const std::string& column, const std::string& word, const std::string& name) {
        return fmt::format(" || CASE {0} WHEN 'O' THEN '' ELSE format(E'\\nALTER TABLE %I.%I %s {1} %I;', n.nspname, c.relname, CASE {0} WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, {2}) END", column, word, name);
    };
    out.push_back(text_of(of_table(9, 2, "'trigger'", "'pg_trigger/' || t.oid", "quote_ident(t.tgname)",
                                   "pg_get_triggerdef(t.oid) || ';'" + enabled("t.tgenabled", "TRIGGER", "t.tgname") + comment("TRIGGER", "format('%I ON %I.%I', t.tgname, n.nspname, c.relname)", "pg_trigger", "t.oid"), attached + " || ' pg_class/' || c.oid",
                                   "pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid" + own + " WHERE NOT t.tgisinternal AND t.tgparentid = 0" + not_extension)));
    out.push_back(text_of(of_table(9, 1, "'rule'", "'pg_rewrite/' || r.oid", "quote_ident(r.rulename)",
                                   "pg_get_ruledef(r.oid)" + enabled("r.ev_enabled", "RULE", "r.rulename") + comment("RULE", "format('%I ON %I.%I', r.rulename, n.nspname, c.relname)", "pg_rewrite", "r.oid"), "'pg_class/' || c.oid",
                                   "pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class" + own + " WHERE r.rulename <> '_RETURN'" + not_extension)));
    out.push_back(text_of(of_table(9, 0, "'foreign key'", "'pg_constraint/' || k.oid", "quote_ident(k.conname)",
                                   "format('ALTER TABLE %s%I.%I ADD CONSTRAINT %I %s;', CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY ' END, n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid))" +
                                       comment("CONSTRAINT", "format('%I ON %I.%I', k.conname, n.nspname, c.relname)", "pg_constraint", "k.oid"),
                                   attached + " || ' pg_class/' || c.oid || ' pg_class/' || k.conindid || coalesce((SELECT string_agg(' attach/' || i.inhrelid, '') FROM pg_inherits i WHERE i.inhparent IN (k.confrelid, k.conindid)), '')",
                                   "pg_constraint k JOIN pg_class c ON c.oid = k.conrelid" + own + " WHERE k.contype = 'f' AND k.conparentid = 0" + not_extension)));
    out.push_back(text_of(of_table(9, 3, "'policy'", "'pg_policy/' || p.oid", "quote_ident(p.polname)",
                                   "concat(format('CREATE POLICY %I ON %I.%I', p.polname, n.nspname, c.relname), CASE WHEN NOT p.polpermissive THEN ' AS RESTRICTIVE' END, ' FOR ', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,"
                                   " ' TO ', (SELECT string_agg(CASE WHEN role = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END, ', ' ORDER BY pg_get_userbyid(role)) FROM unnest(p.polroles) role),"
                                   " E'\\n    USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', E'\\n    WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', ';')" +
                                       comment("POLICY", "format('%I ON %I.%I', p.polname, n.nspname, c.relname)", "pg_policy", "p.oid"),
                                   "'pg_class/' || c.oid", "pg_policy p JOIN pg_class c ON c.oid = p.polrelid" + own + " WHERE true" + not_extension)));
}

void add_server_wide(std::vector<std::string>& out, int version) {
    out.push_back(text_of(plain(10, "event trigger", "pg_event_trigger", "t.oid", "quote_ident(t.evtname)",
                                "concat('CREATE EVENT TRIGGER ', quote_ident(t.evtname), ' ON ', t.evtevent, (SELECT E'\\n    WHEN TAG IN (' || string_agg(quote_literal(tag), ', ' ORDER BY tag) || ')' FROM unnest(t.evttags) tag), E'\\n    EXECUTE FUNCTION ', t.evtfoid::regproc, '();',"
                                " CASE t.evtenabled WHEN 'O' THEN '' ELSE E'\\nALTER EVENT TRIGGER ' || quote_ident(t.evtname) || CASE t.evtenabled WHEN 'D' THEN ' DISABLE;' WHEN 'R' THEN ' ENABLE REPLICA;' ELSE ' ENABLE ALWAYS;' END END)" +
                                    comment("EVENT TRIGGER", "quote_ident(t.evtname)", "pg_event_trigger", "t.oid"),
                                "pg_event_trigger t WHERE true" + no_member("pg_event_trigger", "t.oid"))));
    if (version < 150000) return;  // publications there know neither columns nor schemas
    Select publication = plain(10, "publication", "pg_publication", "p.oid", "quote_ident(p.pubname)",
                               "concat('CREATE PUBLICATION ', quote_ident(p.pubname), CASE WHEN p.puballtables THEN ' FOR ALL TABLES' END, nullif(' FOR ' || concat_ws(', ',"
                               " (SELECT string_agg(format('TABLE %s%I.%I', CASE WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid) AND c.relkind = 'r' THEN 'ONLY ' END, n.nspname, c.relname)"
                               " || coalesce(' (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY(r.prattrs::int2[])) || ')', '') || coalesce(' WHERE ' || pg_get_expr(r.prqual, r.prrelid), ''), ', ' ORDER BY n.nspname, c.relname)"
                               " FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.prpubid = p.oid),"
                               " (SELECT string_agg('TABLES IN SCHEMA ' || quote_ident(n.nspname), ', ' ORDER BY n.nspname) FROM pg_publication_namespace r JOIN pg_namespace n ON n.oid = r.pnnspid WHERE r.pnpubid = p.oid)), ' FOR '),"
                               " format(E'\\n    WITH (publish = %L', concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END)),"
                               " CASE WHEN p.pubviaroot THEN ', publish_via_partition_root = true' END, CASE WHEN to_jsonb(p)->>'pubgencols' = 's' THEN ', publish_generated_columns = stored' END, ');')" +
                                   comment("PUBLICATION", "quote_ident(p.pubname)", "pg_publication", "p.oid"),
                               "pg_publication p WHERE true" + no_member("pg_publication", "p.oid"));
    publication.needs = "coalesce((SELECT string_agg('pg_class/' || r.prrelid, ' ') FROM pg_publication_rel r WHERE r.prpubid = p.oid), '')";
    out.push_back(text_of(publication));
}

// Owners and privileges, one object for each thing that has other than the usual ones.
void add_grants(std::vector<std::string>& out) {
    const auto grants = [&](const std::string& what, const std::string& name, const std::string& key, const std::string& acl, const std::string& usual, const std::string& owner, const std::string& owner_word, const std::string& from) {
        const std::string grantee = "CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END";
        out.push_back(text_of({11, 0, "'grants'", "'grants/' || " + key, "''", "lower(" + what + ") || ' ' || " + name,
                               "concat('ALTER ', " + owner_word + ", ' ', " + name + ", ' OWNER TO ', quote_ident(pg_get_userbyid(" + owner + ")), ';',"
                               " CASE WHEN " + acl + " IS NOT NULL THEN E'\\nREVOKE ALL ON ' || " + what + " || ' ' || " + name + " || ' FROM PUBLIC;' END,"
                               " (SELECT string_agg(E'\\nGRANT ' || privileges || ' ON ' || " + what + " || ' ' || " + name + " || ' TO ' || who || CASE WHEN grantable THEN ' WITH GRANT OPTION' ELSE '' END || ';', '' ORDER BY who COLLATE \"C\", grantable)"
                               " FROM (SELECT " + grantee + " AS who, g.is_grantable AS grantable, string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type) AS privileges"
                               " FROM aclexplode(coalesce(" + acl + ", acldefault('" + usual + "', " + owner + "))) g WHERE g.grantee <> " + owner + " AND g.privilege_type <> 'MAINTAIN' GROUP BY 1, 2) by_role))",
                               key, "false", from}));
    };
    grants("'SCHEMA'", "quote_ident(n.nspname)", "'pg_namespace/' || s.oid", "s.nspacl", "n", "s.nspowner", "'SCHEMA'", "pg_namespace s JOIN ns n ON n.oid = s.oid WHERE true" + no_member("pg_namespace", "s.oid"));
    grants("CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END", class_name, "'pg_class/' || c.oid", "c.relacl", "r", "c.relowner",
           "CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END",
           "pg_class c JOIN ns n ON n.oid = c.relnamespace WHERE (c.relkind IN ('r', 'p', 'v', 'm') OR (c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))))" + no_member("pg_class", "c.oid"));
    grants("'ROUTINE'", "format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))", "'pg_proc/' || p.oid", "p.proacl", "f", "p.proowner", "'ROUTINE'",
           "pg_proc p JOIN ns n ON n.oid = p.pronamespace WHERE p.prokind <> 'a'" + no_member("pg_proc", "p.oid") + not_made("pg_proc", "p.oid"));
    grants("'TYPE'", type_name, "'pg_type/' || t.oid", "t.typacl", "T", "t.typowner", "'TYPE'",
           "pg_type t JOIN ns n ON n.oid = t.typnamespace WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')))" + no_member("pg_type", "t.oid"));
}

}  // namespace

std::string objects_select(int version, bool grants) {
    std::vector<std::string> selects;
    selects.push_back(text_of(plain(0, "schema", "pg_namespace", "n.oid", "quote_ident(n.nspname)",
                                    "'CREATE SCHEMA ' || CASE n.nspname WHEN 'public' THEN 'IF NOT EXISTS ' ELSE '' END || quote_ident(n.nspname) || ';'" + comment("SCHEMA", "quote_ident(n.nspname)", "pg_namespace", "n.oid"),
                                    "ns n WHERE true" + no_member("pg_namespace", "n.oid"))));
    // No version: what is at hand differs between servers, and the schema is made by whichever it is.
    Select extension = plain(1, "extension", "pg_extension", "e.oid", "quote_ident(e.extname)",
                             "'CREATE EXTENSION IF NOT EXISTS ' || quote_ident(e.extname) || CASE WHEN ('pg_namespace'::regclass, e.extnamespace) IN (SELECT classid, objid FROM member) THEN '' ELSE ' WITH SCHEMA ' || quote_ident(n.nspname) END || ';'",
                             "pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql'");
    selects.push_back(text_of(extension));
    selects.push_back(text_of(plain(2, "collation", "pg_collation", "c.oid", "format('%I.%I', n.nspname, c.collname)",
                                    "concat('CREATE COLLATION ', format('%I.%I', n.nspname, c.collname), ' (provider = ', CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,"
                                    " ', locale = ' || quote_literal(coalesce(to_jsonb(c)->>'colllocale', to_jsonb(c)->>'colliculocale')), ', rules = ' || quote_literal(to_jsonb(c)->>'collicurules'),"
                                    " ', lc_collate = ' || quote_literal(c.collcollate), ', lc_ctype = ' || quote_literal(c.collctype), CASE WHEN NOT c.collisdeterministic THEN ', deterministic = false' END, ');')" +
                                        comment("COLLATION", "format('%I.%I', n.nspname, c.collname)", "pg_collation", "c.oid"),
                                    "pg_collation c JOIN ns n ON n.oid = c.collnamespace WHERE true" + no_member("pg_collation", "c.oid"))));
    add_types(selects);
    add_routines(selects);
    add_relations(selects);
    add_parts_of_tables(selects);
    add_server_wide(selects, version);
    if (grants) add_grants(selects);
    return std::string(with) + join(selects, " UNION ALL ");
}

std::string tables_select() {
    const std::string parents = "(SELECT string_agg(format('%I.%I', pn.nspname, p.relname), ', ' ORDER BY i.inhseqno) FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE i.inhrelid = c.oid AND NOT c.relispartition)";
    const std::string after =
        "concat(CASE WHEN c.relrowsecurity THEN 'ALTER TABLE ' || " + class_name + " || E' ENABLE ROW LEVEL SECURITY;\\n' END, CASE WHEN c.relforcerowsecurity THEN 'ALTER TABLE ONLY ' || " + class_name + " || E' FORCE ROW LEVEL SECURITY;\\n' END,"
        " CASE c.relreplident WHEN 'n' THEN 'ALTER TABLE ONLY ' || " + class_name + " || E' REPLICA IDENTITY NOTHING;\\n' WHEN 'f' THEN 'ALTER TABLE ONLY ' || " + class_name + " || E' REPLICA IDENTITY FULL;\\n' END,"
        " 'COMMENT ON TABLE ' || " + class_name + " || ' IS ' || quote_literal(obj_description(c.oid, 'pg_class')) || E';\\n')";
    const std::string options = "(SELECT string_agg(o, ', ' ORDER BY o) FROM (SELECT quote_ident(o.option_name) || '=' || quote_literal(o.option_value) AS o FROM pg_options_to_table(c.reloptions) o"
                                " UNION ALL SELECT 'toast.' || quote_ident(o.option_name) || '=' || quote_literal(o.option_value) FROM pg_class tc, pg_options_to_table(tc.reloptions) o WHERE tc.oid = c.reltoastrelid) both_options)";
    return std::string(with) + "SELECT 'pg_class/' || c.oid, " + class_name + ", concat('CREATE ', CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED ' END, 'TABLE ', " + class_name + "),"
           " concat(E'\\nINHERITS (' || " + parents + " || ')', E'\\nPARTITION BY ' || CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, CASE WHEN m.amname <> 'heap' THEN E'\\nUSING ' || quote_ident(m.amname) END, E'\\nWITH (' || " + options + " || ')'), " +
           after + ", c.relispartition FROM pg_class c JOIN ns n ON n.oid = c.relnamespace LEFT JOIN pg_am m ON m.oid = c.relam WHERE c.relkind IN ('r', 'p')" + no_member("pg_class", "c.oid") + " ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";
}

std::string columns_select() {
    const std::string alter = "'ALTER TABLE ONLY ' || " + class_name + " || ' ALTER COLUMN ' || quote_ident(a.attname) || ";
    const std::string inherited = "(NOT a.attislocal AND NOT c.relispartition)";
    const std::string identity =
        "(SELECT concat(' GENERATED ', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, ' AS IDENTITY', ' (' || nullif(ltrim(concat(CASE WHEN q.relname <> c.relname || '_' || a.attname || '_seq' OR q.relnamespace <> c.relnamespace THEN ' SEQUENCE NAME ' || format('%I.%I', qn.nspname, q.relname) END, " + sequence_options + ")), '') || ')')"
        " FROM pg_depend d JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S' JOIN pg_namespace qn ON qn.oid = q.relnamespace JOIN pg_sequence s ON s.seqrelid = q.oid"
        " WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype = 'i' AND a.attidentity <> '')";
    return std::string(with) + "SELECT 'pg_class/' || c.oid, concat(quote_ident(a.attname), ' ', format_type(a.atttypid, a.atttypmod), " + collate("a.attcollation", "t.typcollation") + ", " + identity +
           ", ' GENERATED ALWAYS AS (' || CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END || CASE a.attgenerated WHEN 's' THEN ') STORED' ELSE ') VIRTUAL' END)," +
           " CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, 'pg_attrdef/' || d.oid, a.attnotnull," +
           " concat(CASE WHEN a.attstorage <> t.typstorage THEN " + alter + "' SET STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END || E';\\n' END,"
           " CASE a.attcompression WHEN 'p' THEN " + alter + "E' SET COMPRESSION pglz;\\n' WHEN 'l' THEN " + alter + "E' SET COMPRESSION lz4;\\n' END,"
           " CASE WHEN a.attstattarget >= 0 THEN " + alter + "' SET STATISTICS ' || a.attstattarget || E';\\n' END,"
           " " + alter + "' SET (' || " + options_of("a.attoptions") + " || E');\\n',"
           " 'COMMENT ON COLUMN ' || format('%I.%I.%I', n.nspname, c.relname, a.attname) || ' IS ' || quote_literal(col_description(c.oid, a.attnum)) || E';\\n'), " + inherited + ", quote_ident(a.attname)"
           " FROM pg_class c JOIN ns n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid"
           " LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE c.relkind IN ('r', 'p')" + no_member("pg_class", "c.oid") + " ORDER BY c.oid, a.attnum";
}

std::string checks_select() {
    return std::string(with) + "SELECT 'pg_class/' || c.oid, 'pg_constraint/' || k.oid, quote_ident(k.conname), pg_get_constraintdef(k.oid), NOT k.convalidated,"
           " coalesce('COMMENT ON CONSTRAINT ' || format('%I ON %I.%I', k.conname, n.nspname, c.relname) || ' IS ' || quote_literal(obj_description(k.oid, 'pg_constraint')) || E';\\n', '')"
           " FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN ns n ON n.oid = c.relnamespace WHERE k.contype = 'c' AND c.relkind IN ('r', 'p') AND (k.conislocal OR c.relispartition)" +
           no_member("pg_class", "c.oid") + " ORDER BY c.oid, k.conname COLLATE \"C\"";
}

std::string dependencies_select() {
    // Of a sequence on the column that owns it: the other way round the column's default needs the sequence.
    return "SELECT DISTINCT d.classid::regclass || '/' || d.objid, d.refclassid::regclass || '/' || d.refobjid FROM pg_depend d WHERE d.deptype IN ('n', 'a', 'i', 'P', 'S') AND d.objid >= 16384 AND d.refobjid >= 16384"
           " AND NOT (d.deptype = 'a' AND d.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_class q WHERE q.oid = d.objid AND q.relkind = 'S'))";
}

std::string aliases_select() {
    return "SELECT 'pg_type/' || t.oid, 'pg_class/' || t.typrelid FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid WHERE t.oid >= 16384 AND c.relkind <> 'c'"
           " UNION ALL SELECT 'pg_class/' || t.typrelid, 'pg_type/' || t.oid FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid WHERE t.oid >= 16384 AND c.relkind = 'c'"
           " UNION ALL SELECT 'pg_type/' || t.oid, 'pg_type/' || t.typelem FROM pg_type t WHERE t.oid >= 16384 AND t.typcategory = 'A' AND t.typelem <> 0"
           " UNION ALL SELECT 'pg_type/' || r.rngmultitypid, 'pg_type/' || r.rngtypid FROM pg_range r WHERE r.rngtypid >= 16384"
           " UNION ALL SELECT 'pg_proc/' || d.objid, d.refclassid::regclass || '/' || d.refobjid FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'i'"
           " UNION ALL SELECT 'pg_rewrite/' || r.oid, 'pg_class/' || r.ev_class FROM pg_rewrite r WHERE r.oid >= 16384 AND r.rulename = '_RETURN'"
           " UNION ALL SELECT 'pg_class/' || k.conindid, 'pg_constraint/' || k.oid FROM pg_constraint k WHERE k.contype IN ('p', 'u', 'x')"
           " UNION ALL SELECT 'pg_class/' || d.objid, 'pg_class/' || d.refobjid FROM pg_depend d JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S' WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'"
           " UNION ALL SELECT 'pg_attrdef/' || d.oid, 'pg_class/' || d.adrelid FROM pg_attrdef d"
           " UNION ALL SELECT 'pg_constraint/' || k.oid, CASE WHEN k.contypid <> 0 THEN 'pg_type/' || k.contypid ELSE 'pg_class/' || k.conrelid END FROM pg_constraint k WHERE k.contype = 'c'"
           " UNION ALL SELECT 'pg_publication_rel/' || r.oid, 'pg_publication/' || r.prpubid FROM pg_publication_rel r"
           " UNION ALL SELECT d.classid::regclass || '/' || d.objid, d.refclassid::regclass || '/' || d.refobjid FROM pg_depend d WHERE d.deptype = 'e'";
}

std::string left_out_select() {
    const auto of = [](const std::string& what, const std::string& catalog, const std::string& name, const std::string& space, const std::string& more) {
        return fmt::format("SELECT '{} ' || format('%I.%I', n.nspname, x.{}) FROM {} x JOIN ns n ON n.oid = x.{} WHERE true{}{}", what, name, catalog, space, more, no_member(catalog, "x.oid"));
    };
    const auto global = [](const std::string& what, const std::string& catalog, const std::string& name, const std::string& more = {}) {
        return fmt::format("SELECT '{} ' || quote_ident(x.{}) FROM {} x WHERE x.oid >= 16384{}{}", what, name, catalog, more, no_member(catalog, "x.oid"));
    };
    const std::vector<std::string> selects{
        of("operator class", "pg_opclass", "opcname", "opcnamespace", ""),
        of("text search configuration", "pg_ts_config", "cfgname", "cfgnamespace", ""),
        of("text search dictionary", "pg_ts_dict", "dictname", "dictnamespace", ""),
        of("conversion", "pg_conversion", "conname", "connamespace", ""),
        of("base type", "pg_type", "typname", "typnamespace", " AND x.typtype = 'b' AND x.typcategory <> 'A'"),
        of("foreign table", "pg_class", "relname", "relnamespace", " AND x.relkind = 'f'"),
        global("language", "pg_language", "lanname"),
        global("foreign server", "pg_foreign_server", "srvname"),
        global("foreign-data wrapper", "pg_foreign_data_wrapper", "fdwname"),
        global("access method", "pg_am", "amname"),
    };
    return std::string(with) + join(selects, " UNION ALL ") + " ORDER BY 1";
}

}  // namespace ysdb::schema
