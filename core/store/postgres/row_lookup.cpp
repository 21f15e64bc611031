#include "core/store/postgres/row_lookup.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "core/base/hex.h"
#include "core/base/retry.h"
#include "core/store/postgres/fields.h"
#include "core/store/postgres/sql_build.h"
#include "core/value/show.h"

namespace ysdb::postgres {

namespace {

std::string array_literal(const std::vector<std::string>& elements) {
    std::string text = "{";
    for (const std::string& element : elements) {
        if (text.size() > 1) text += ',';
        text += '"';
        for (const char c : element) {
            if (c == '"' || c == '\\') text += '\\';
            text += c;
        }
        text += '"';
    }
    return text + "}";
}

// As the server reads it back, whole.
std::string text_of(std::span<const std::uint8_t> cell, const Type& type) {
    switch (type.kind) {
        case TypeKind::text:
        case TypeKind::enumeration:
        case TypeKind::numeric:
        case TypeKind::json:
        case TypeKind::other: return {reinterpret_cast<const char*>(cell.data()), cell.size()};
        case TypeKind::bytes: return "\\x" + to_hex({reinterpret_cast<const char*>(cell.data()), cell.size()});
        default: return show_cell(cell, type);
    }
}

// An empty value of the type, as the server prints it.
std::string_view nothing_of(const Type& type) {
    switch (type.kind) {
        case TypeKind::array: return "{}";
        case TypeKind::json: return "null";
        case TypeKind::decimal:
        case TypeKind::numeric: return "0";
        default: return "";
    }
}

// The same changes without rows of these numbers.
ChangeBatch without(const ChangeBatch& changes, const std::set<std::size_t>& gone) {
    ChangeBatch kept;
    kept.rows = Batch(&changes.rows.table());
    kept.ops.clear();
    kept.versions.clear();
    kept.committed.clear();
    for (std::size_t row = 0; row < changes.rows.rows(); ++row) {
        if (gone.contains(row)) continue;
        kept.rows.append(changes.rows, row, row + 1);
        kept.ops.push_back(changes.ops[row]);
        kept.versions.push_back(changes.versions[row]);
        kept.committed.push_back(changes.committed_at(row));
    }
    return kept;
}

}  // namespace

void RowLookup::wait_visible(const std::set<std::uint32_t>& transactions, Millis timeout, std::stop_token stop, const std::function<void()>& meanwhile) {
    // 32-bit ids are of the epoch of the newest, or of the one before.
    std::string ids = "{";
    for (const std::uint32_t xid : transactions) ids += (ids.size() > 1 ? "," : "") + std::to_string(xid);
    const std::vector<std::optional<std::string>> params{ids + "}"};
    for (Millis pause{1};; pause = std::min(pause * 2, Millis(200))) {
        const SqlResult result = session_.query(
            "WITH s AS (SELECT txid_current_snapshot() AS snapshot, txid_snapshot_xmax(txid_current_snapshot()) AS next)"
            " SELECT bool_and(txid_visible_in_snapshot((next & ~4294967295) + x - CASE WHEN x > (next & 4294967295) THEN 4294967296 ELSE 0 END, snapshot)) FROM s, unnest($1::bigint[]) x",
            params, Deadline::after(timeout));
        if (result.row(0).truth(0)) return;
        meanwhile();
        if (!pause_for(pause, stop)) throw Error(Code::interrupted, "interrupted while waiting for a commit to become visible");
    }
}

const RowLookup::Present::Column* RowLookup::Present::find(const ColumnInfo& told) const {
    const auto found = told.number != 0 ? columns.find(told.number) : std::find_if(columns.begin(), columns.end(), [&](const auto& each) { return each.second.name == told.name; });
    return found == columns.end() ? nullptr : &found->second;
}

RowLookup::Present RowLookup::present(std::uint32_t relation, Deadline deadline) {
    const SqlResult found = session_.query(
        "SELECT n.nspname, c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE c.oid = $1::oid",
        std::vector<std::optional<std::string>>{std::to_string(relation)}, deadline);
    Present now;
    for (std::size_t i = 0; i < found.rows(); ++i) {
        now.ref = {found.row(i).text(0), found.row(i).text(1)};
        now.columns[static_cast<int>(found.row(i).integer(2))] = {found.row(i).text(3), found.row(i).text(4)};
    }
    return now;
}

std::optional<RowLookup::Question> RowLookup::question(const ChangeBatch& changes, const std::vector<UnsentCells>& cells, const Present& now) {
    const TableInfo& table = changes.rows.table();
    std::set<std::uint32_t> wanted;
    for (const UnsentCells& each : cells) wanted.insert(each.columns.begin(), each.columns.end());
    Question question;
    question.sql = "SELECT u.place";
    for (const std::uint32_t c : wanted) {
        const Present::Column* column = now.find(table.columns[c]);
        if (column == nullptr) continue;
        question.sql += ", t." + quote(column->name);
        question.answered.push_back(c);
    }
    std::string arrays, names, join;
    for (const std::uint32_t k : table.key) {
        const Present::Column* column = now.find(table.columns[k]);
        if (column == nullptr) return std::nullopt;
        const std::string number = std::to_string(question.params.size() + 1);
        arrays += (arrays.empty() ? "$" : ", $") + number + "::text[]";
        names += "k" + number + ", ";
        join += (join.empty() ? "t." : " AND t.") + quote(column->name) + " = u.k" + number + "::" + column->type;
        std::vector<std::string> keys;
        for (const UnsentCells& each : cells) keys.push_back(text_of(changes.rows.value(each.row, k), table.columns[k].type));
        question.params.emplace_back(array_literal(keys));
    }
    question.sql += " FROM unnest(" + arrays + ") WITH ORDINALITY AS u(" + names + "place) JOIN " + quote(now.ref) + " t ON " + join;
    return question;
}

// No rows of a table that is gone, or whose key is not what it was: the stream says so later.
SqlResult RowLookup::ask(const ChangeBatch& changes, const std::vector<UnsentCells>& cells, std::vector<std::uint32_t>& answered, Deadline deadline) {
    const std::set<std::string> other_names{"42P01", "42703", "3F000"};   // of a table, a column, a schema: changed since the catalog was read
    for (int attempt = 1;; ++attempt) {
        const Present now = present(cells.front().relation, deadline);
        const auto asked = now.columns.empty() ? std::nullopt : question(changes, cells, now);
        if (!asked) return {};
        answered = asked->answered;
        try {
            return session_.query(asked->sql, asked->params, deadline);
        } catch (const Error& error) {
            if (!other_names.contains(error.server_code())) throw;
            if (attempt == 5) throw Error(error).with_retryable();
        }
    }
}

void RowLookup::fill(ChangeBatch& changes, const std::vector<UnsentCells>& cells, Deadline deadline, const std::function<void(RejectedChange)>& rejected) {
    const TableInfo& table = changes.rows.table();
    std::vector<std::uint32_t> answered;
    const SqlResult found = ask(changes, cells, answered, deadline);

    std::map<std::size_t, std::size_t> row_of;   // place -> result row
    for (std::size_t i = 0; i < found.rows(); ++i) row_of[static_cast<std::size_t>(found.row(i).integer(0) - 1)] = i;
    std::set<std::size_t> gone;
    Batch scratch;
    TableInfo one;
    one.columns.resize(1);
    const auto put = [&](std::size_t row, std::uint32_t column, std::string_view text) {
        one.columns[0] = table.columns[column];
        scratch = Batch(&one);
        if (!text_field(table.columns[column].type)(reinterpret_cast<const std::uint8_t*>(text.data()), static_cast<std::uint32_t>(text.size()), table.columns[column].type, scratch)) return false;
        changes.rows.replace(row, column, scratch.value(0, 0).data(), scratch.value(0, 0).size());
        return true;
    };
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const auto at = row_of.find(i);
        if (at == row_of.end()) {
            gone.insert(cells[i].row);
            continue;
        }
        const SqlRow row = found.row(at->second);
        for (const std::uint32_t c : cells[i].columns) {
            const auto place = std::find(answered.begin(), answered.end(), c);
            if (place == answered.end()) {
                // Until the column's removal comes. Not NULL: a column that is gone does not say whether it took that.
                put(cells[i].row, c, nothing_of(table.columns[c].type));
                continue;
            }
            const auto cell = static_cast<std::size_t>(place - answered.begin()) + 1;
            if (row.null(cell) || put(cells[i].row, c, row.text(cell))) continue;
            rejected({table.ref, show_key(changes.rows, cells[i].row), table.columns[c].name, why_not_text(table.columns[c].type, row.text(cell)), changes.versions[cells[i].row]});
            gone.insert(cells[i].row);
            break;
        }
    }
    if (!gone.empty()) changes = without(changes, gone);
}

std::vector<ReadRange> keyed_ranges(const TableInfo& table, const Batch& keys) {
    constexpr std::size_t at_once = 500;
    std::vector<ReadRange> ranges;
    for (std::size_t from = 0; from < keys.rows(); from += at_once) {
        const std::size_t to = std::min(from + at_once, keys.rows());
        std::string arrays, names, join;
        for (std::size_t k = 0; k < table.key.size(); ++k) {
            const ColumnInfo& column = table.columns[table.key[k]];
            std::vector<std::string> values;
            for (std::size_t row = from; row < to; ++row) values.push_back(text_of(keys.value(row, k), column.type));
            const std::string name = fmt::format("ysdb_key_{}", k);
            arrays += (arrays.empty() ? "" : ", ") + literal(array_literal(values)) + "::text[]";
            names += (names.empty() ? "" : ", ") + name;
            join += (join.empty() ? "" : " AND ") + fmt::format("ysdb_row.{} = ysdb_keys.{}::{}", quote(column.name), name, column.type.native);
        }
        ranges.push_back({fmt::format("{} keys [{},{})", table.ref.table, from, to), "FROM unnest(" + arrays + ") AS ysdb_keys(" + names + ") JOIN " + quote(table.ref) + " ysdb_row ON " + join, to - from});
    }
    return ranges;
}

void use_text_settings(SqlSession& session, Deadline deadline) {
    session.query("SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = 'hex';"
                  " SET statement_timeout = 0",
                  deadline);
}

}  // namespace ysdb::postgres
