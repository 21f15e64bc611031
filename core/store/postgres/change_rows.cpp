#include "core/store/postgres/change_rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/base/text.h"
#include "core/store/postgres/copy_format.h"
#include "core/store/postgres/landing.h"
#include "core/store/postgres/sql_build.h"
#include "core/value/columns.h"
#include "core/value/show.h"
#include "core/value/version_text.h"

namespace ysdb::postgres {

namespace {

constexpr std::size_t copy_chunk = 1u << 20;

void append_version_cell(Batch& to, const Version& version) {
    std::uint8_t* bytes = to.grow(16);
    const UInt128 packed = version.packed();
    for (int i = 0; i < 16; ++i) bytes[i] = static_cast<std::uint8_t>(packed >> (8 * (15 - i)));
}

std::string equal_keys(const Shape& shape, const std::string& there) {
    std::string text;
    for (std::size_t i = 0; i < shape.key.size(); ++i) text += (text.empty() ? "" : " AND ") + there + "." + quote(shape.key[i]) + " = " + shape.key_values[i];
    return text;
}

}  // namespace

std::string uuid_literal(const Version& version) { return "'" + version_text(version) + "'::uuid"; }

std::string key_bytes(const Batch& rows, std::size_t row) {
    std::string bytes;
    for (const std::uint32_t k : rows.table().key) {
        const Cell& cell = rows.cell(row, k);
        bytes.append(reinterpret_cast<const char*>(&cell.size), sizeof cell.size);
        if (!cell.is_null()) bytes.append(rows.text(row, k));
    }
    return bytes;
}

Shape shape_of(const TableInfo& source, const TableInfo& target) {
    Shape shape;
    shape.source = source;
    for (std::size_t i = 0; i < source.columns.size(); ++i) {
        const ColumnInfo& column = source.columns[i];
        const ColumnInfo* there = find_column(target.columns, column.name);
        if (there == nullptr) throw Error(Code::refused, target.ref.text() + " has no column " + column.name, fmt::format("ALTER TABLE {} ADD COLUMN {} {}", quote(target.ref), quote(column.name), declared_as(column)));
        ColumnInfo sent{"c" + std::to_string(i), sent_as(column), false, {}, 0};
        const auto value = assigned("s." + sent.name, sent.type, there->type);
        if (!value) {
            throw Error(Code::refused, fmt::format("{}: column {} is {}, which cannot hold every {}", target.ref.text(), column.name, there->type.native, column.type.native),
                        fmt::format("ALTER TABLE {} ALTER COLUMN {} TYPE {}", quote(target.ref), quote(column.name), declared_as(column)));
        }
        shape.names.push_back(column.name);
        shape.values.push_back(*value);
        shape.sent.columns.push_back(std::move(sent));
    }
    for (const std::uint32_t k : source.key) {
        shape.key.push_back(shape.names[k]);
        shape.key_values.push_back(shape.values[k]);
    }
    Type uuid, truth;
    uuid.kind = TypeKind::uuid;
    uuid.native = "uuid";
    truth.kind = TypeKind::boolean;
    truth.native = "boolean";
    shape.sent.columns.push_back({"version", uuid, false, {}, 0});
    shape.sent.columns.push_back({"removed", truth, false, {}, 0});
    shape.sent.columns.push_back({"live", truth, false, {}, 0});
    return shape;
}

std::string quoted_list(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + quote(name);
    return text;
}

std::string excluded_list(const Shape& shape) {
    std::string text;
    for (const std::string& name : shape.names) {
        if (std::find(shape.key.begin(), shape.key.end(), name) != shape.key.end()) continue;
        text += (text.empty() ? "" : ", ") + quote(name) + " = excluded." + quote(name);
    }
    return text;
}

std::string delete_statement(const Shape& shape, const TableRef& live) { return "DELETE FROM " + quote(live) + " t USING ysdb_changes s WHERE s.live AND s.removed AND " + equal_keys(shape, "t"); }

std::string insert_statement(const Shape& shape, const TableRef& live) {
    const std::string set = excluded_list(shape);
    return "INSERT INTO " + quote(live) + " (" + quoted_list(shape.names) + ") SELECT " + join(shape.values, ", ") + " FROM ysdb_changes s WHERE s.live AND NOT s.removed ON CONFLICT (" + quoted_list(shape.key) + ") " +
           (set.empty() ? "DO NOTHING" : "DO UPDATE SET " + set);
}

std::string staging_statement(const Shape& shape, const TableRef& staging) {
    const std::string set = excluded_list(shape), version = quote(version_column), removed = quote(removed_column);
    return "INSERT INTO " + quote(staging) + " AS t (" + quoted_list(shape.names) + ", " + version + ", " + removed + ") SELECT " + join(shape.values, ", ") + ", s.version, s.removed FROM ysdb_changes s ON CONFLICT (" +
           quoted_list(shape.key) + ") DO UPDATE SET " + (set.empty() ? "" : set + ", ") + version + " = excluded." + version + ", " + removed + " = excluded." + removed + " WHERE t." + version + " < excluded." + version;
}

std::string changes_statement(const Shape& shape) {
    std::string columns;
    for (const ColumnInfo& column : shape.sent.columns) columns += (columns.empty() ? "" : ", ") + column.name + " " + column.type.native;
    return "CREATE TEMP TABLE ysdb_changes (" + columns + ") ON COMMIT DELETE ROWS";
}

void run_all(Connection& connection, const std::vector<std::string>& statements, Deadline deadline) {
    std::vector<SqlStatement> script;
    for (const std::string& statement : statements) script.push_back({statement});
    const ScriptResult result = connection.script(script, deadline);
    if (result.error) throw Error(*result.error);
}

void send_rows(Connection& connection, const Shape& shape, const Batch& rows, Deadline deadline) {
    std::string buffer(CopyEncoder::header());
    CopyEncoder(shape.sent).encode(rows, buffer);
    buffer += CopyEncoder::trailer();
    connection.start_copy_in("COPY ysdb_changes FROM STDIN (FORMAT binary)", deadline);
    for (std::size_t at = 0; at < buffer.size(); at += copy_chunk) connection.write_copy(buffer.data() + at, std::min(copy_chunk, buffer.size() - at), deadline.left());
    connection.finish_copy_in(deadline);
}

void append_row(Batch& to, const Batch& from, std::size_t row, const Version& version, bool removed, bool live) {
    for (std::size_t column = 0; column < from.columns(); ++column) to.append_cell(from, from.cell(row, column));
    append_version_cell(to, version);
    const std::uint8_t truths[2] = {removed, live};
    to.add(&truths[0], 1);
    to.add(&truths[1], 1);
}

std::optional<RejectedRow> unsendable_row(const Batch& rows, std::size_t row, bool removal) {
    const TableInfo& table = rows.table();
    for (const std::uint32_t k : table.key) {
        if (rows.cell(row, k).is_null()) return RejectedRow{show_key(rows, row), table.columns[k].name, "is NULL, and part of the key", row};
    }
    for (std::uint32_t column = 0; column < table.columns.size(); ++column) {
        if (rows.cell(row, column).is_null() || (removal && std::find(table.key.begin(), table.key.end(), column) == table.key.end())) continue;
        if (std::string reason = unsendable(rows.value(row, column), table.columns[column].type); !reason.empty()) return RejectedRow{show_key(rows, row), table.columns[column].name, std::move(reason), row};
    }
    return std::nullopt;
}

}  // namespace ysdb::postgres
