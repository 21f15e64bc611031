#include <algorithm>

#include "core/schema_doc/read.h"

namespace ysdb::schema_doc {

namespace {

using Params = std::vector<std::optional<std::string>>;

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// Names are found as whole words: the catalog has no list of what a view reads.
bool mentions(const std::string& text, const std::string& name) {
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
        const auto end = at + name.size();
        if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) return true;
    }
    return false;
}

void add_fact(DocumentedTable& table, const std::string& name, const std::string& text) {
    if (!text.empty()) table.facts.push_back({name, text});
}

// "MergeTree PARTITION BY ... ORDER BY ... TTL toDateTime(timestamp) + toIntervalMonth(15) SETTINGS ...": the part after TTL.
std::string ttl_of(const std::string& engine_full) {
    const auto begin = engine_full.find(" TTL ");
    if (begin == std::string::npos) return {};
    return engine_full.substr(begin + 5, engine_full.find(" SETTINGS ", begin) - begin - 5);
}

void read_tables(SqlStore& sql, SchemaModel& model, Deadline deadline) {
    const SqlResult tables = sql.query(
        "SELECT name, engine, comment, partition_key, sorting_key, engine_full, as_select,"
        " extract(create_table_query, ' TO (?:`[^`]+`|\\\\w+)\\\\.`?(\\\\w+)`?')"
        " FROM system.tables WHERE database = {p1:String} AND NOT startsWith(name, '.') ORDER BY name",
        Params{model.schema}, deadline);
    for (std::size_t i = 0; i < tables.rows(); ++i) {
        const SqlRow row = tables.row(i);
        DocumentedTable table;
        table.name = row.text(0);
        const std::string& engine = row.text(1);
        table.kind = engine == "View" ? Kind::view : engine == "MaterializedView" ? Kind::materialized_view : Kind::table;
        table.comment = row.text(2);
        if (table.kind == Kind::table) {
            add_fact(table, "engine", engine);
            add_fact(table, "partitioned by", row.text(3));
            add_fact(table, "sorted by", row.text(4));
            add_fact(table, "kept", ttl_of(row.text(5)));
        }
        if (table.kind == Kind::materialized_view) table.writes = row.text_or(7, "");
        for (std::size_t other = 0; other < tables.rows(); ++other) {
            if (other != i && mentions(row.text(6), tables.row(other).text(0))) table.reads.push_back(tables.row(other).text(0));
        }
        model.tables.push_back(std::move(table));
    }
}

void read_columns(SqlStore& sql, SchemaModel& model, Deadline deadline) {
    const SqlResult columns = sql.query(
        "SELECT table, name, type, default_expression, compression_codec, comment, is_in_sorting_key FROM system.columns"
        " WHERE database = {p1:String} AND NOT startsWith(table, '.') ORDER BY table, position",
        Params{model.schema}, deadline);
    for (std::size_t i = 0; i < columns.rows(); ++i) {
        const SqlRow row = columns.row(i);
        const std::string& codec = row.text(4);
        DocumentedColumn column{row.text(1), row.text(2), false, row.text(3), codec, row.text(5)};
        column.primary = row.truth(6);
        column.nullable = column.type.find("Nullable(") != std::string::npos;
        if (codec.starts_with("CODEC(")) column.codec = codec.substr(6, codec.size() - 7);
        table_named(model, row.text(0)).columns.push_back(std::move(column));
    }
    const SqlResult indexes = sql.query("SELECT table, name, type_full, expr, granularity FROM system.data_skipping_indices WHERE database = {p1:String} ORDER BY table, name",
                                        Params{model.schema}, deadline);
    for (std::size_t i = 0; i < indexes.rows(); ++i) {
        const SqlRow row = indexes.row(i);
        table_named(model, row.text(0)).indexes.push_back({row.text(1), row.text(2) + " over " + row.text(3) + ", every " + row.text(4) + " granules"});
    }
}

}  // namespace

SchemaModel read_clickhouse(SqlStore& sql, const std::string& schema, Deadline deadline) {
    SchemaModel model;
    model.product = "ClickHouse";
    model.schema = schema.empty() ? sql.query("SELECT currentDatabase()", deadline).row(0).text(0) : schema;
    read_tables(sql, model, deadline);
    read_columns(sql, model, deadline);
    return model;
}

}  // namespace ysdb::schema_doc
