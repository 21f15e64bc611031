#include "core/store/clickhouse/source.h"

#include "core/store/clickhouse/decode.h"
#include "core/store/clickhouse/encode.h"
#include "core/store/clickhouse/statement.h"
#include "core/store/clickhouse/type.h"
#include "core/value/columns.h"
#include "core/value/kinds.h"

namespace ysdb::clickhouse {

namespace {

const Settings read_settings{
    {"max_block_size", "8192"},   // a block and the batches made of it stay in the cache
    {"max_threads", "2"},         // one stream is decoded by one thread: more would only wait
    {"max_execution_time", "0"},
};

// What is not decoded here is asked for as text; dictionaries as plain values.
std::string expression(const ColumnInfo& column) {
    const std::string name = quote(column.name);
    const WireType type = parse_type(column.type.native);
    if (type.kind == WireKind::other) return "toString(" + name + ")";
    if (column.type.native.find("LowCardinality(") != std::string::npos) return "CAST(" + name + " AS " + type.name + ")";
    return name;
}

std::string expressions(const TableInfo& wanted, const TableInfo& actual) {
    std::string columns;
    for (const ColumnInfo& column : wanted.columns) {
        const ColumnInfo* found = find_column(actual.columns, column.name);
        if (found == nullptr) throw Error(Code::refused, actual.ref.text() + " has no column " + column.name);
        columns += (columns.empty() ? "" : ", ") + expression(*found);
    }
    return columns;
}

std::string select_statement(const TableInfo& wanted, const TableInfo& actual, const TableFacts& facts, std::string_view condition) {
    std::string sql = "SELECT " + expressions(wanted, actual) + " FROM " + quote(actual.ref);
    if (facts.merges_rows()) sql += " FINAL";
    if (find_column(actual.columns, deleted_column) != nullptr) sql += " WHERE " + quote(deleted_column) + " = 0";
    if (!condition.empty()) sql += (find_column(actual.columns, deleted_column) != nullptr ? " AND " : " WHERE ") + std::string(condition);
    return sql + " FORMAT Native";
}

}  // namespace

std::string at_least(const ColumnInfo& column, std::int64_t from) {
    const std::string value = std::to_string(from);
    if (is_integer(column.type.kind)) return quote(column.name) + " >= " + value;
    switch (column.type.kind) {
        case TypeKind::date: return quote(column.name) + " >= toDate32(" + value + ")";
        // Both sides are moments: how the column's own zone prints them does not matter.
        case TypeKind::timestamp:
        case TypeKind::timestamptz: return quote(column.name) + " >= fromUnixTimestamp64Micro(toInt64(" + value + "), 'UTC')";
        default: throw Error(Code::refused, "column " + column.name + " (" + column.type.native + ") cannot be a cursor", "an integer, a date or a time can");
    }
}

void read(Transport& transport, const Catalog& catalog, QueryIds& ids, const TableInfo& table, std::size_t batch_bytes, Millis idle, std::stop_token stop,
          const std::function<void(Batch&)>& consume, const std::function<void(RejectedRow)>& rejected, std::string_view condition) {
    const Deadline deadline = Deadline::after(idle);
    const TableInfo actual = catalog.describe(table.ref, deadline);
    Request request;
    request.sql = select_statement(table, actual, *catalog.find(table.ref, deadline), condition);
    request.query_id = ids.next("ysdb-read");
    request.settings = read_settings;
    Decoder decoder(table, batch_bytes, consume, rejected);
    transport.run(request, {Deadline::never(), idle, stop}, [&](std::string_view bytes) { decoder.feed(bytes); });
    decoder.finish();
}

void read_where(Transport& transport, const Catalog& catalog, QueryIds& ids, const TableInfo& table, const std::string& condition, Deadline deadline, const std::function<void(Batch&)>& consume) {
    const TableInfo actual = catalog.describe(table.ref, deadline);
    Request request;
    request.sql = "SELECT DISTINCT " + expressions(table, actual) + " FROM " + quote(actual.ref) + " WHERE " + condition + " FORMAT Native";
    request.query_id = ids.next("ysdb-read");
    request.settings = read_settings;
    Decoder decoder(table, 1u << 20, consume, [&](const RejectedRow& row) { throw Error(Code::refused, actual.ref.text() + ": a row cannot be read: " + row.reason); });
    transport.run(request, {deadline, {}, {}}, [&](std::string_view bytes) { decoder.feed(bytes); });
    decoder.finish();
}

}  // namespace ysdb::clickhouse
