#include "core/store/postgres/catalog.h"

#include <map>

#include "core/store/postgres/sql_build.h"
#include "core/value/columns.h"

namespace ysdb::postgres {

namespace {

const std::map<std::string_view, TypeKind>& plain_kinds() {
    static const std::map<std::string_view, TypeKind> kinds{
        {"bool", TypeKind::boolean},   {"int2", TypeKind::int16},          {"int4", TypeKind::int32},     {"int8", TypeKind::int64},
        {"float4", TypeKind::float32}, {"float8", TypeKind::float64},      {"text", TypeKind::text},      {"varchar", TypeKind::text},
        {"bpchar", TypeKind::text},    {"name", TypeKind::text},           {"bytea", TypeKind::bytes},    {"uuid", TypeKind::uuid},
        {"date", TypeKind::date},      {"time", TypeKind::time},           {"timestamp", TypeKind::timestamp},
        {"timestamptz", TypeKind::timestamptz}, {"interval", TypeKind::interval}, {"json", TypeKind::json}, {"jsonb", TypeKind::json},
    };
    return kinds;
}

// numeric(p,s): typmod holds (p << 16 | s as 11-bit signed) + 4.
void set_numeric(Type& type, int typmod) {
    type.kind = TypeKind::numeric;
    if (typmod < 4) return;
    const int precision = ((typmod - 4) >> 16) & 0xffff;
    int scale = (typmod - 4) & 0x7ff;
    if (scale >= 1024) scale -= 2048;
    if (precision > 76 || scale < 0 || scale > precision) return;
    type.kind = TypeKind::decimal;
    type.precision = static_cast<std::uint8_t>(precision);
    type.scale = static_cast<std::uint8_t>(scale);
}

}  // namespace

Type type_of(const std::string& base, char kind, int typmod, const std::string& formatted) {
    Type type;
    type.native = formatted;
    if (!base.empty() && base[0] == '_') {
        type.kind = TypeKind::array;
        std::string element_name = formatted.ends_with("[]") ? formatted.substr(0, formatted.size() - 2) : formatted;
        type.element = std::make_shared<const Type>(type_of(base.substr(1), kind, typmod, element_name));
        return type;
    }
    if (base == "numeric") {
        set_numeric(type, typmod);
        return type;
    }
    if (kind == 'e') {
        type.kind = TypeKind::enumeration;
        return type;
    }
    const auto plain = plain_kinds().find(base);
    type.kind = plain == plain_kinds().end() ? TypeKind::other : plain->second;
    if (type.kind == TypeKind::timestamp || type.kind == TypeKind::timestamptz || type.kind == TypeKind::time) type.scale = 6;
    return type;
}

std::vector<Type> types_of(SqlSession& session, std::span<const DeclaredType> declared, Deadline deadline) {
    std::string oids = "{", modifiers = "{";
    for (const DeclaredType& each : declared) {
        oids += (oids.size() > 1 ? "," : "") + std::to_string(each.oid);
        modifiers += (modifiers.size() > 1 ? "," : "") + std::to_string(each.modifier);
    }
    const SqlResult found = session.query(
        "WITH RECURSIVE base AS ("
        "  SELECT w.place, w.type AS declared, w.mod AS declared_mod, w.mod, t.typtype, t.typbasetype, t.typtypmod, t.typname, t.typelem"
        "  FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS w(type, mod, place) JOIN pg_type t ON t.oid = w.type"
        "  UNION ALL"
        "  SELECT b.place, b.declared, b.declared_mod, CASE WHEN b.mod >= 0 THEN b.mod ELSE b.typtypmod END, t.typtype, t.typbasetype, t.typtypmod, t.typname, t.typelem"
        "  FROM base b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd')"
        " SELECT b.place, b.typname, coalesce(e.typtype, b.typtype), b.mod, format_type(b.declared, b.declared_mod), b.typelem <> 0 AND b.typname LIKE '\\_%'"
        " FROM base b LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typname LIKE '\\_%' WHERE b.typtype <> 'd'",
        std::vector<std::optional<std::string>>{oids + "}", modifiers + "}"}, deadline);
    std::vector<Type> types(declared.size());
    for (std::size_t i = 0; i < found.rows(); ++i) {
        const SqlRow row = found.row(i);
        std::string base = row.text(1);
        if (!row.truth(5) && base.starts_with("_")) base = "other";  // a type somebody named like an array
        types[static_cast<std::size_t>(row.integer(0) - 1)] = type_of(base, row.text(2)[0], static_cast<int>(row.integer(3)), row.text(4));
    }
    return types;
}

TableInfo without_generated(const TableInfo& info) {
    return without_columns(info, [](const ColumnInfo& column) { return column.generated; });
}

TableInfo describe(SqlSession& session, const std::string& store, const TableRef& table, Deadline deadline) {
    const std::string schema = table.schema.empty() ? "public" : table.schema;
    const std::vector<std::optional<std::string>> name{schema, table.table};
    const SqlResult relation = session.query(
        // Takes no lock on the table, which pg_relation_size() and pg_partition_tree() do: whoever waits to alter it may wait for a view that the asker holds.
        "SELECT c.oid, c.relkind, has_table_privilege(c.oid, 'SELECT'), leaves.rows, leaves.pages * current_setting('block_size')::bigint"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL"
        "  (WITH RECURSIVE tree AS (SELECT c.oid AS relation"
        "    UNION ALL SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation JOIN pg_class p ON p.oid = i.inhrelid AND p.relispartition)"
        "   SELECT coalesce(sum(greatest(l.reltuples, 0)), 0)::bigint AS rows, coalesce(sum(greatest(l.relpages, 0)), 0)::bigint AS pages"
        "   FROM tree t JOIN pg_class l ON l.oid = t.relation WHERE l.relkind <> 'p') leaves"
        " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
        name, deadline);
    if (relation.rows() == 0) {
        throw Error(Code::refused, "store '" + store + "': there is no table " + schema + "." + table.table, "write it as schema.table; see: ysdb migrate status");
    }
    const SqlRow facts = relation.row(0);
    if (!facts.truth(2)) {
        throw Error(Code::refused, "store '" + store + "': no right to read " + schema + "." + table.table,
                    "GRANT SELECT ON " + quote(TableRef{schema, table.table}) + " to the store's user");
    }
    TableInfo info;
    info.ref = {schema, table.table};
    info.partitioned = facts.text(1) == "p";
    info.estimated_rows = static_cast<std::uint64_t>(facts.integer(3));
    info.bytes = static_cast<std::uint64_t>(facts.integer(4));

    // A domain is its base type, with the domain's modifier. For arrays the element decides whether it is an enum.
    const SqlResult columns = session.query(
        "WITH RECURSIVE base AS ("
        "  SELECT a.attnum, a.attname, a.attnotnull, a.attgenerated, a.atttypid AS declared, a.atttypmod AS declared_mod, t.oid AS type, a.atttypmod AS mod,"
        "         t.typtype, t.typbasetype, t.typtypmod, t.typname, t.typelem"
        "  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"
        "  UNION ALL"
        "  SELECT b.attnum, b.attname, b.attnotnull OR d.typnotnull, b.attgenerated, b.declared, b.declared_mod, t.oid, CASE WHEN b.mod >= 0 THEN b.mod ELSE b.typtypmod END,"
        "         t.typtype, t.typbasetype, t.typtypmod, t.typname, t.typelem"
        "  FROM base b JOIN pg_type d ON d.oid = b.type JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd')"
        " SELECT b.attname, b.attnotnull, b.attgenerated <> '', b.typname, coalesce(e.typtype, b.typtype), b.mod, format_type(b.declared, b.declared_mod),"
        "        coalesce(col_description($1::oid, b.attnum), ''), b.typelem <> 0 AND b.typname LIKE '\\_%', b.attnum"
        " FROM base b LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typname LIKE '\\_%' WHERE b.typtype <> 'd' ORDER BY b.attnum",
        std::vector<std::optional<std::string>>{facts.text(0)}, deadline);
    for (std::size_t i = 0; i < columns.rows(); ++i) {
        const SqlRow row = columns.row(i);
        ColumnInfo column;
        column.name = row.text(0);
        std::string base = row.text(3);
        if (!row.truth(8) && base.starts_with("_")) base = "other";  // a type somebody named like an array
        column.type = type_of(base, row.text(4)[0], static_cast<int>(row.integer(5)), row.text(6));
        column.type.nullable = !row.truth(1);
        column.generated = row.truth(2);
        column.comment = row.text(7);
        column.number = static_cast<int>(row.integer(9));
        info.columns.push_back(std::move(column));
    }
    const SqlResult key = session.query(
        "SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE i.indrelid = $1::oid AND i.indisprimary AND k.place <= i.indnkeyatts ORDER BY k.place",
        std::vector<std::optional<std::string>>{facts.text(0)}, deadline);
    for (std::size_t i = 0; i < key.rows(); ++i) {
        for (std::uint32_t c = 0; c < info.columns.size(); ++c) {
            if (info.columns[c].name == key.row(i).text(0)) info.key.push_back(c);
        }
    }
    return info;
}

}  // namespace ysdb::postgres
