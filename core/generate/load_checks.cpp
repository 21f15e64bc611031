#include "core/generate/load_checks.h"

namespace ysdb::generate {

namespace {

SqlStore& sql_of(Store& store) {
    if (store.sql() == nullptr) throw Error(Code::refused, "store '" + store.name() + "' has no SQL, so no table can be loaded into it");
    return *store.sql();
}

std::string quoted(const SqlStore& sql, const TableRef& table) {
    return (table.schema.empty() ? "" : sql.quote_identifier(table.schema) + ".") + sql.quote_identifier(table.table);
}

// For `= ANY($1::regclass[])`.
std::string regclass_list(const SqlStore& sql, const std::vector<TableRef>& tables) {
    std::string list;
    for (const TableRef& table : tables) {
        std::string element;
        for (const char c : quoted(sql, table)) element += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
        list += (list.empty() ? "\"" : ",\"") + element + "\"";
    }
    return "{" + list + "}";
}

}  // namespace

std::uint64_t count_rows(Store& store, const TableRef& table, Deadline deadline) {
    SqlStore& sql = sql_of(store);
    return static_cast<std::uint64_t>(sql.query("SELECT count(*) FROM " + quoted(sql, table), deadline).row(0).integer(0));
}

bool holds_rows(Store& store, const TableRef& table, Deadline deadline) {
    SqlStore& sql = sql_of(store);
    return sql.query("SELECT 1 FROM " + quoted(sql, table) + " LIMIT 1", deadline).rows() > 0;
}

bool holds_id(Store& store, const TableRef& table, const std::string& column, const std::string& uuid, Deadline deadline) {
    SqlStore& sql = sql_of(store);
    const std::vector<std::optional<std::string>> id{uuid};
    return sql.query("SELECT 1 FROM " + quoted(sql, table) + " WHERE " + sql.quote_identifier(column) + " = $1::uuid", id, deadline).rows() > 0;
}

std::optional<StoreConfig> without_foreign_key_checks(Store& postgres, const std::vector<TableRef>& tables, Deadline deadline) {
    SqlStore& sql = sql_of(postgres);
    const std::vector<std::optional<std::string>> names{regclass_list(sql, tables)};
    // tgtype 4: fires on INSERT. Enabled 'A' fires under session_replication_role = replica too.
    const SqlResult facts = sql.query(
        "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
        " AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = ANY($1::regclass[]) AND NOT tgisinternal AND tgenabled = 'O' AND tgtype & 4 <> 0)",
        names, deadline);
    if (!facts.row(0).truth(0)) return std::nullopt;
    StoreConfig config = postgres.config();
    std::string& options = config.options["options"];
    options += std::string(options.empty() ? "" : " ") + "-c session_replication_role=replica";
    return config;
}

std::vector<ForeignKeyCheck> count_orphans(Store& postgres, const std::vector<TableRef>& tables, Deadline deadline) {
    SqlStore& sql = sql_of(postgres);
    const std::vector<std::optional<std::string>> names{regclass_list(sql, tables)};
    const SqlResult keys = sql.query(
        "SELECT c.conname, c.conrelid::regclass::text, c.confrelid::regclass::text,"
        " string_agg(format('p.%I = c.%I', f.attname, k.attname), ' AND ' ORDER BY u.place),"
        " string_agg(format('c.%I IS NOT NULL', k.attname), ' AND ' ORDER BY u.place)"
        " FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY u (child, parent, place)"
        " JOIN pg_attribute k ON k.attrelid = c.conrelid AND k.attnum = u.child"
        " JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = u.parent"
        " WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY($1::regclass[])"
        " GROUP BY c.oid, c.conname, c.conrelid, c.confrelid ORDER BY 2, 1",
        names, deadline);
    std::vector<ForeignKeyCheck> checks;
    for (std::size_t i = 0; i < keys.rows(); ++i) {
        const SqlRow key = keys.row(i);
        const SqlResult orphans = sql.query("SELECT count(*) FROM " + key.text(1) + " c WHERE " + key.text(4) + " AND NOT EXISTS (SELECT FROM " + key.text(2) +
                                                " p WHERE " + key.text(3) + ")",
                                            deadline);
        checks.push_back({key.text(0), key.text(1), static_cast<std::uint64_t>(orphans.row(0).integer(0))});
    }
    return checks;
}

bool settle(Store& postgres, const std::vector<TableRef>& tables, Deadline deadline) {
    SqlStore& sql = sql_of(postgres);
    for (const TableRef& table : tables) {
        const std::vector<std::optional<std::string>> name{quoted(sql, table)};
        const SqlResult sequences = sql.query(
            "SELECT pg_get_serial_sequence($1, attname), quote_ident(attname) FROM pg_attribute"
            " WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND pg_get_serial_sequence($1, attname) IS NOT NULL",
            name, deadline);
        for (std::size_t i = 0; i < sequences.rows(); ++i) {
            const std::vector<std::optional<std::string>> sequence{sequences.row(i).text(0)};
            sql.query("SELECT setval($1::regclass, max(" + sequences.row(i).text(1) + ")) FROM " + *name[0], sequence, deadline);
        }
        sql.query("ANALYZE " + *name[0], deadline);
    }
    if (sql.query("SELECT to_regprocedure('refresh_summaries()')", deadline).row(0).null(0)) return true;
    try {
        sql.query("SELECT refresh_summaries()", deadline);
    } catch (const Error& error) {
        if (error.server_code() != "42501") throw;  // only their owner may
        return false;
    }
    return true;
}

}  // namespace ysdb::generate
