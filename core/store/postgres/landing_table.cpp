#include "core/store/postgres/landing_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "core/base/fault.h"
#include "core/base/text.h"
#include "core/store/postgres/catalog.h"
#include "core/store/postgres/landing.h"
#include "core/store/postgres/sql_build.h"
#include "core/value/columns.h"

namespace ysdb::postgres {

namespace {

using Params = std::vector<std::optional<std::string>>;

bool unique_by_key(Connection& connection, const TableRef& live, const Shape& shape, Deadline deadline) {
    std::string names;
    for (const std::string& name : shape.key) names += (names.empty() ? "" : ", ") + literal(name);
    return connection.query(
        "SELECT 1 FROM pg_index i WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL"
        " AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))"
        " = (SELECT array_agg(n ORDER BY n) FROM unnest(ARRAY[" + names + "]::text[]) n)",
        Params{quote(live)}, deadline).rows() > 0;
}

}  // namespace

bool stays(const ColumnInfo& column, const TableInfo& table, const SentTypes& before) {
    const ColumnInfo* there = find_column(table.columns, column.name);
    if (there == nullptr) return false;
    const Type sent = sent_as(column);
    if (!assigned("", sent, there->type)) return false;
    const auto then = before.find(column.name);
    return then == before.end() || then->second == sent.native || holds_every(there->type, sent);
}

std::vector<std::string> create_statements(const TableInfo& source, const TableRef& table, const TableInfo& like, const SentTypes& before) {
    std::string columns;
    std::vector<std::string> key;
    for (const ColumnInfo& column : source.columns) {
        columns += quote(column.name) + " " + (stays(column, like, before) ? find_column(like.columns, column.name)->type.native : declared_as(column)) + ", ";
    }
    for (const std::uint32_t k : source.key) key.push_back(source.columns[k].name);
    const std::string name = table.table + "_pkey";
    return {"CREATE TABLE " + quote(table) + " (" + columns + "CONSTRAINT " + quote(name) + " PRIMARY KEY (" + quoted_list(key) + "))"};
}

void check_key(Connection& connection, const std::string& store, const TableRef& live, const Shape& shape, Deadline deadline) {
    if (unique_by_key(connection, live, shape, deadline)) return;
    throw Error(Code::refused, "store '" + store + "': the rows of " + live.text() + " are not unique by (" + join(shape.key, ", ") + ")", "ALTER TABLE " + quote(live) + " ADD PRIMARY KEY (" + quoted_list(shape.key) + ")");
}

bool fits(Connection& connection, const std::string& store, const TableRef& live, const TableInfo& source, const SentTypes& sent, Deadline deadline) {
    try {
        const TableInfo table = postgres::describe(connection, store, live, deadline);
        check_key(connection, store, live, shape_of(source, table), deadline);
        return std::all_of(source.columns.begin(), source.columns.end(), [&](const ColumnInfo& column) { return stays(column, table, sent); });
    } catch (const Error& error) {
        if (error.code() != Code::refused) throw;
        return false;
    }
}

void make_like(Connection& connection, const std::string& store, const TableRef& live_name, const TableRef& copy_name, const Shape& shape, const SentTypes& sent, Deadline deadline) {
    const TableInfo live = postgres::describe(connection, store, live_name, deadline), copy = postgres::describe(connection, store, copy_name, deadline);
    const std::string alter = "ALTER TABLE " + quote(live_name) + " ", empty = "DELETE FROM " + quote(live_name);
    std::vector<std::string> statements;
    for (std::size_t i = 0; i < shape.names.size(); ++i) {
        const std::string name = quote(shape.names[i]), type = find_column(copy.columns, shape.names[i])->type.native;
        if (find_column(live.columns, shape.names[i]) == nullptr) {
            statements.push_back(alter + "ADD COLUMN " + name + " " + type);
        } else if (!stays(shape.source.columns[i], live, sent)) {
            statements.insert(statements.begin(), empty);   // no row's value has to become one of the new type
            statements.push_back(alter + "ALTER COLUMN " + name + " DROP DEFAULT");
            statements.push_back(alter + "ALTER COLUMN " + name + " TYPE " + type + " USING " + name + "::text::" + type);
        }
    }
    if (!unique_by_key(connection, live_name, shape, deadline)) {
        statements.insert(statements.begin(), empty);
        // The old key may not tell the new rows apart. One of columns that the source knows nothing of is somebody else's.
        const SqlResult old = connection.query("SELECT conname, (SELECT string_agg(quote_literal(attname), ',') FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)) FROM pg_constraint WHERE conrelid = to_regclass($1) AND contype = 'p'",
                                               Params{quote(live_name)}, deadline);
        bool ours = true;
        for (std::size_t i = 0; i < live.columns.size() && old.rows() > 0; ++i) {
            const bool in_old = ("," + old.row(0).text(1) + ",").find("," + literal(live.columns[i].name) + ",") != std::string::npos;
            ours = ours && (!in_old || std::find(shape.names.begin(), shape.names.end(), live.columns[i].name) != shape.names.end());
        }
        if (old.rows() > 0 && ours) statements.push_back(alter + "DROP CONSTRAINT " + quote(old.row(0).text(0)));
        statements.push_back(alter + (ours ? "ADD PRIMARY KEY (" : "ADD UNIQUE (") + quoted_list(shape.key) + ")");
    }
    try {
        run_all(connection, statements, deadline);
    } catch (const Error& error) {
        if (error.retryable()) throw;
        throw Error(Code::refused, live_name.text() + " cannot follow the source's new definition: " + error.message(), error.hint());
    }
}

void alter(Connection& connection, const std::string& store, const TableRef& table, std::span<const ColumnChange> changes, Deadline deadline) {
    for (const ColumnChange& change : changes) {
        const TableInfo now = postgres::describe(connection, store, table, deadline);
        const auto has = [&](const std::string& name) { return find_column(now.columns, name) != nullptr; };
        const std::string declared = change.kind == ColumnChange::Kind::added || change.kind == ColumnChange::Kind::retyped ? declared_as({change.column, change.type, false, {}, 0}) : "";
        std::string what;
        switch (change.kind) {
            case ColumnChange::Kind::added: what = "ADD COLUMN IF NOT EXISTS " + quote(change.column) + " " + declared + (change.fill ? " DEFAULT " + literal(*change.fill) + "::" + declared : ""); break;
            case ColumnChange::Kind::dropped: {
                // What it held stays readable, out of the way of a column that may get its name.
                if (!has(change.column)) continue;
                std::string name = "_dropped_" + change.column;
                for (int n = 2; has(name); ++n) name = "_dropped_" + change.column + "_" + std::to_string(n);
                run_all(connection, {"ALTER TABLE " + quote(table) + " ALTER COLUMN " + quote(change.column) + " DROP NOT NULL"}, deadline);
                what = "RENAME COLUMN " + quote(change.column) + " TO " + quote(name);
                break;
            }
            case ColumnChange::Kind::renamed:
                if (!has(change.before) && has(change.column)) continue;
                what = "RENAME COLUMN " + quote(change.before) + " TO " + quote(change.column);
                break;
            case ColumnChange::Kind::retyped: what = "ALTER COLUMN " + quote(change.column) + " TYPE " + declared + " USING " + quote(change.column) + "::" + declared; break;
        }
        fault::point("postgres.follow.alter.before");
        try {
            run_all(connection, {"ALTER TABLE " + quote(table) + " " + what}, deadline);
        } catch (const Error& error) {
            if (error.retryable()) throw;
            throw Error(Code::refused, table.text() + " cannot follow the source's new definition (" + what + "): " + error.message());
        }
        fault::point("postgres.follow.alter.after");
    }
}

}  // namespace ysdb::postgres
