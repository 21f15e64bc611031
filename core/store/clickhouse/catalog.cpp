#include "core/store/clickhouse/catalog.h"

#include <algorithm>

#include "core/store/clickhouse/query.h"
#include "core/store/clickhouse/statement.h"
#include "core/store/clickhouse/type.h"
#include "core/value/columns.h"

namespace ysdb::clickhouse {

namespace {

using Params = std::vector<std::optional<std::string>>;

std::string plain_name(std::string_view token) {
    if (token.size() < 2 || (token[0] != '`' && token[0] != '"')) return std::string(token);
    std::string name;
    for (std::size_t i = 1; i + 1 < token.size(); ++i) {
        if (token[i] == '\\') ++i;
        name += token[i];
    }
    return name;
}

}  // namespace

std::string quote(const TableRef& table) { return quote(table.schema) + "." + quote(table.table); }

std::vector<std::string> columns_in(std::string_view expression, const TableInfo& table) {
    std::vector<std::string> found;
    Scanner scanner(expression);
    for (Token token = scanner.next(); token.kind != Token::Kind::end; token = scanner.next()) {
        if (token.kind != Token::Kind::word && token.kind != Token::Kind::quoted) continue;
        const std::string name = plain_name(token.text);
        if (find_column(table.columns, name) != nullptr && std::find(found.begin(), found.end(), name) == found.end()) found.push_back(name);
    }
    return found;
}

std::optional<TableFacts> Catalog::find(const TableRef& table, Deadline deadline) const {
    const TableRef name = full(table);
    const SqlResult result = query(transport_,
                                   "SELECT engine, comment, sorting_key, partition_key, ifNull(total_rows, 0), ifNull(total_bytes, 0) FROM system.tables"
                                   " WHERE database = {p1:String} AND name = {p2:String}",
                                   Params{name.schema, name.table}, {}, "", deadline);
    if (result.rows() == 0) return std::nullopt;
    const SqlRow row = result.row(0);
    return TableFacts{row.text(0), row.text(1), row.text(2), row.text(3), static_cast<std::uint64_t>(row.integer(4)), static_cast<std::uint64_t>(row.integer(5))};
}

TableInfo Catalog::describe(const TableRef& table, Deadline deadline) const {
    const TableRef name = full(table);
    const auto facts = find(name, deadline);
    if (!facts) throw Error(Code::refused, "store '" + store() + "': there is no table " + name.text(), "copy it there: ysdb sync snapshot; or see: ysdb migrate status");
    TableInfo info;
    info.ref = name;
    info.estimated_rows = facts->rows;
    info.bytes = facts->bytes;
    info.partitioned = !facts->partition_key.empty();
    const SqlResult columns = query(transport_,
                                    "SELECT name, type, default_kind, comment FROM system.columns WHERE database = {p1:String} AND table = {p2:String} ORDER BY position",
                                    Params{name.schema, name.table}, {}, "", deadline);
    for (std::size_t i = 0; i < columns.rows(); ++i) {
        const SqlRow row = columns.row(i);
        ColumnInfo column;
        column.name = row.text(0);
        column.type = to_type(row.text(1));
        column.generated = row.text(2) == "MATERIALIZED" || row.text(2) == "ALIAS";
        column.comment = row.text(3);
        info.columns.push_back(std::move(column));
    }
    for (const std::string& key : columns_in(facts->sorting_key, info)) {
        for (std::uint32_t c = 0; c < info.columns.size(); ++c) {
            if (info.columns[c].name == key) info.key.push_back(c);
        }
    }
    return info;
}

std::vector<std::string> Catalog::tables_with_prefix(const std::string& database, const std::string& prefix, Deadline deadline) const {
    const SqlResult result = query(transport_, "SELECT name FROM system.tables WHERE database = {p1:String} AND startsWith(name, {p2:String}) ORDER BY name",
                                   Params{database, prefix}, {}, "", deadline);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < result.rows(); ++i) names.push_back(result.row(i).text(0));
    return names;
}

void Catalog::run(const std::string& sql, Deadline deadline, const Settings& settings) const { query(transport_, sql, {}, settings, "", deadline); }

}  // namespace ysdb::clickhouse
