#include "core/plan/backfill.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "core/base/fault.h"
#include "core/base/text.h"
#include "core/plan/refusals.h"

namespace ysdb::plan {

namespace {

constexpr std::int64_t largest_batch = 1'000'000;

using Params = std::vector<std::optional<std::string>>;

}  // namespace

std::optional<std::int64_t> estimated_rows(SqlStore& store, const std::string& table, Deadline deadline) {
    const Params params{table};
    const SqlResult result = store.query(
        "SELECT coalesce((SELECT sum(c.reltuples) FROM pg_partition_tree(to_regclass($1)) t JOIN pg_class c ON c.oid = t.relid WHERE t.isleaf),"
        " (SELECT reltuples FROM pg_class WHERE oid = to_regclass($1)))::bigint", params, deadline);
    if (result.row(0).null(0) || result.row(0).integer(0) <= 0) return std::nullopt;
    return result.row(0).integer(0);
}

bool Backfill::finished(SqlSession& session, const std::string& label, Deadline deadline) {
    try {
        return session.query("SELECT 1 FROM ysdb.backfills WHERE label = $1 AND finished_at IS NOT NULL", Params{label}, deadline).rows() == 1;
    } catch (const Error& error) {
        if (!is_missing_table(error)) throw;
        return false;  // killed before there was any
    }
}

void Backfill::begin(const BackfillName& name, const std::string& label, Deadline deadline) {
    label_ = label;
    find_key(deadline);
    install_table(session_, Dialect::postgres, "backfills", deadline);
    take_over(name, deadline);
}

void Backfill::find_key(Deadline deadline) {
    if (session_.query("SELECT to_regclass($1)", Params{batches_.table}, deadline).row(0).null(0)) throw Error(Code::rejected, "relation \"" + batches_.table + "\" does not exist").with_server_code("42P01");
    const SqlResult found = session_.query(
        "SELECT x.indexrelid, x.indisunique, a.attname, a.attnotnull, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod) FROM pg_index x"
        " JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am m ON m.oid = c.relam CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)"
        " JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum"
        " WHERE x.indrelid = to_regclass($1) AND m.amname = 'btree' AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL AND k.n <= x.indnkeyatts"
        " ORDER BY x.indisprimary DESC, x.indisunique DESC, x.indnkeyatts, x.indexrelid, k.n",
        Params{batches_.table}, deadline);
    for (std::size_t first = 0, end = 0; first < found.rows() && key_.empty(); first = end) {
        std::vector<Column> columns;
        bool fits = true;
        for (end = first; end < found.rows() && found.row(end).text(0) == found.row(first).text(0); ++end) {
            const SqlRow row = found.row(end);
            const std::size_t i = end - first;
            if (!batches_.key.empty() && i >= batches_.key.size()) continue;  // an index may go on behind the key that was named
            fits = fits && row.truth(3) && (batches_.key.empty() ? row.truth(1) : row.text(2) == batches_.key[i]);
            columns.push_back({row.text(4), row.text(5)});
            if (fits && std::find(batches_.changes.begin(), batches_.changes.end(), row.text(2)) != batches_.changes.end()) {
                throw Error(Code::refused, "the statement changes " + row.text(4) + ", by which its batches are cut: a row could be met twice, or never", "cut them by another key: migrate:batch key:COLUMN");
            }
        }
        if (fits && (batches_.key.empty() || columns.size() == batches_.key.size())) key_ = std::move(columns);
    }
    if (!key_.empty()) return;
    if (batches_.key.empty()) throw Error(Code::refused, batches_.table + " has no primary key, and no unique index over columns that are NOT NULL, to cut batches by", "name indexed columns: migrate:batch key:COLUMN,COLUMN");
    throw Error(Code::refused, "no index of " + batches_.table + " begins with " + join(batches_.key, ", ") + " over columns that are NOT NULL: each batch would read the whole table, or miss rows", "name the columns of an index, in its order");
}

void Backfill::take_over(const BackfillName& name, Deadline deadline) {
    std::string positions;
    for (std::size_t i = 1; i <= key_.size(); ++i) positions += fmt::format(", position[{}]", i);
    Params params{label_, name.hash, key_text()};
    std::string labels;
    for (const std::string& label : batches_.earlier) {
        params.emplace_back(label);
        labels += fmt::format("{}${}", labels.empty() ? "" : ", ", params.size());
    }
    const SqlResult there = labels.empty() ? SqlResult{} : session_.query(
        "UPDATE ysdb.backfills SET label = $1 WHERE label = (SELECT label FROM ysdb.backfills WHERE label IN (" + labels + ") AND hash = $2 AND key = $3 AND finished_at IS NULL"
        " ORDER BY started_at DESC LIMIT 1) RETURNING rows_read, rows_changed" + positions, params, deadline);
    if (there.rows() == 0) {
        const Params all{label_, name.job, name.unit, std::to_string(name.step), name.hash, key_text(), name.place};
        session_.query("INSERT INTO ysdb.backfills (label, job, unit, step, hash, key, place) VALUES ($1, $2, $3, $4::int, $5, $6, $7)", all, deadline);
        return;
    }
    const SqlRow row = there.row(0);
    rows_read_ = read_before_ = row.integer(0);
    rows_changed_ = row.integer(1);
    if (row.null(2)) return;
    for (std::size_t i = 0; i < key_.size(); ++i) position_.push_back(row.text(2 + i));
}

std::string Backfill::key_text() const {
    std::string text;
    for (const Column& column : key_) text += (text.empty() ? "" : ", ") + column.name;
    return text;
}

// "(t.a, t.b) > ($1::integer, $2::text)"
std::string Backfill::range(std::size_t first_param, const char* compare, const std::string& prefix) const {
    std::string left, right;
    for (std::size_t i = 0; i < key_.size(); ++i) {
        left += (i == 0 ? "" : ", ") + prefix + key_[i].name;
        right += fmt::format("{}${}::{}", i == 0 ? "" : ", ", first_param + i, key_[i].type);
    }
    return key_.size() == 1 ? left + compare + right : "(" + left + ")" + compare + "(" + right + ")";
}

void Backfill::run_batch(const std::string& before, const SqlText& check, Deadline deadline) {
    fault::point("plan.batch.before");
    const auto start = SteadyClock::now();
    session_.query("BEGIN", deadline);
    if (!before.empty()) session_.query(before, deadline);

    // Its last key, and how many rows of the table it has.
    std::string columns, texts;
    for (std::size_t i = 0; i < key_.size(); ++i) {
        columns += (i == 0 ? "" : ", ") + key_[i].name;
        texts += fmt::format(", k.{}::text", key_[i].name);
    }
    const std::string behind = position_.empty() ? "" : " WHERE " + range(1, " > ", "");
    const std::string look = fmt::format("SELECT k.ysdb_n{} FROM (SELECT {}, row_number() OVER (ORDER BY {}) AS ysdb_n FROM {}{}{} ORDER BY {} LIMIT {}) k ORDER BY k.ysdb_n DESC LIMIT 1", texts, columns, columns,
                                         batches_.only ? "ONLY " : "", batches_.table, behind, columns, size_);
    const SqlResult last = session_.query(look, position_, Deadline::never());
    const std::int64_t rows = last.rows() == 0 ? 0 : last.row(0).integer(0);
    Key end = position_;
    std::int64_t changed = 0;
    if (rows > 0) {
        end.clear();
        for (std::size_t i = 0; i < key_.size(); ++i) end.push_back(last.row(0).text(1 + i));
        Params params = end;
        std::string where = range(1, " <= ", batches_.rows + ".");
        if (!position_.empty()) {
            where += " AND " + range(1 + key_.size(), " > ", batches_.rows + ".");
            params.insert(params.end(), position_.begin(), position_.end());
        }
        changed = static_cast<std::int64_t>(session_.query(sql_ + " AND (" + where + ")", params, Deadline::never()).affected);
    }
    // Rows that come in behind the last key while it runs are the business of whoever writes them.
    const bool at_end = rows < size_;
    Params params{label_, std::to_string(rows), std::to_string(changed), at_end ? "true" : "false"};
    std::string array;
    for (const auto& value : end) {
        params.push_back(value);
        array += fmt::format("{}${}", array.empty() ? "" : ", ", params.size());
    }
    const SqlResult moved = session_.query("UPDATE ysdb.backfills SET rows_read = rows_read + $2::bigint, rows_changed = rows_changed + $3::bigint, batches = batches + 1, moved_at = clock_timestamp(),"
                                           " finished_at = CASE WHEN $4::boolean THEN clock_timestamp() END" + (array.empty() ? std::string() : ", position = ARRAY[" + array + "]::text[]") + " WHERE label = $1",
                                           params, deadline);
    if (moved.affected != 1) throw Error(Code::refused, "the row of this backfill is gone from ysdb.backfills", "somebody removed it; run it again, and it begins anew");
    if (!check.sql.empty()) {
        try {
            session_.query(check.sql, check.params, deadline);
        } catch (const Error& error) {
            if (error.server_code() != "22012") throw;  // division_by_zero: RunnerLock::still_ours()
            throw Error(Code::locked, "the lease of this run was taken over by another run", "was this machine asleep? what was committed stays; the same command goes on there");
        }
    }
    fault::point("plan.batch.sent");
    session_.query("COMMIT", deadline);
    fault::point("plan.batch.after");

    last_seconds_ = std::chrono::duration<double>(SteadyClock::now() - start).count();
    last_changed_ = changed;
    rows_read_ += rows;
    rows_changed_ += changed;
    position_ = std::move(end);
    finished_ = at_end;
    if (batches_.target.count() > 0) {
        const double wanted = std::chrono::duration<double>(batches_.target).count() / std::max(last_seconds_, 1e-6);
        size_ = std::clamp<std::int64_t>(std::llround(static_cast<double>(size_) * std::clamp(wanted, 0.5, 2.0)), 1, largest_batch);
    }
}

Millis Backfill::pause() const {
    double seconds = last_seconds_ * batches_.pause;
    if (batches_.rate) seconds = std::max(seconds, static_cast<double>(last_changed_) / static_cast<double>(*batches_.rate) - last_seconds_);
    return Millis(static_cast<std::int64_t>(seconds * 1000));
}

std::string Backfill::progress(std::optional<std::int64_t> table_rows) const {
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - began_).count();
    const double rate = seconds > 0 ? static_cast<double>(rows_read_ - read_before_) / seconds : 0;
    std::string text = human_count(static_cast<double>(rows_read_));
    if (table_rows) text += " of about " + human_count(static_cast<double>(std::max(*table_rows, rows_read_)));
    text += fmt::format(" rows, {} changed, {}/s", human_count(static_cast<double>(rows_changed_)), human_count(std::round(rate)));
    if (table_rows && *table_rows > rows_read_ && rate > 0) text += ", " + human_duration(static_cast<double>(*table_rows - rows_read_) / rate) + " left";
    return text + ", batches of " + human_count(static_cast<double>(size_));
}

std::string replica_behind(SqlSession& session, Millis most, bool& blind, Deadline deadline) {
    const SqlResult result = session.query(
        "SELECT coalesce(nullif(application_name, ''), host(client_addr), pid::text), round(extract(epoch FROM replay_lag))::bigint, state IS NULL FROM pg_stat_replication ORDER BY replay_lag DESC NULLS LAST", deadline);
    blind = false;
    std::string text;
    for (std::size_t i = 0; i < result.rows(); ++i) {
        const SqlRow row = result.row(i);
        blind = blind || row.truth(2);
        if (!row.null(1) && row.integer(1) * 1000 > most.count() && text.empty()) text = fmt::format("replica '{}' is {} behind", row.text(0), human_duration(static_cast<double>(row.integer(1))));
    }
    return text;
}

}  // namespace ysdb::plan
