#include "core/sync/poll/poll_state.h"

#include <fmt/core.h>

#include <cstring>

#include "core/base/embedded.h"
#include "core/base/hex.h"

namespace ysdb::sync {

namespace {

using Params = std::vector<std::optional<std::string>>;

constexpr std::size_t page = 20'000;

std::string bytes_of(const std::string& hex) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    std::string bytes(hex.size() / 2, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return bytes;
}

// High half first, so that hashes order as their texts do.
std::string hash_text(const Hash128& hash) { return fmt::format("{:016x}{:016x}", hash.high, hash.low); }

Hash128 hash_of(const std::string& text) {
    return {std::stoull(text.substr(16), nullptr, 16), std::stoull(text.substr(0, 16), nullptr, 16)};
}

// An array of elements that need no quotes.
class ArrayText {
public:
    void add(std::string_view element) { (next() += element.empty() ? std::string_view("\"\"") : element); }
    void add_null() { next() += "NULL"; }
    void add_hex(std::string_view bytes) {
        if (bytes.empty()) return add("");
        next() += to_hex(bytes);
    }
    std::string take() { return std::move(text_) + "}"; }

private:
    std::string& next() {
        if (text_.size() > 1) text_ += ',';
        return text_;
    }
    std::string text_ = "{";
};

}  // namespace

// What this PostgreSQL refuses (its disk is full, it may not be written just now) is no fault of the table that is read: asked again.
SqlResult PollState::ask(const std::string& sql, std::span<const std::optional<std::string>> parameters, Deadline deadline) {
    try {
        return sql_.query(sql, parameters, deadline);
    } catch (Error& error) {
        if (error.code() == Code::rejected) throw error.with_retryable();
        throw;
    }
}

bool PollState::prepared(Deadline deadline) { return ask("SELECT to_regclass('ysdb.poll_rows') IS NOT NULL", {}, deadline).row(0).truth(0); }

void PollState::prepare(Deadline deadline) {
    if (!prepared(deadline)) {
        const auto session = sql_.open_session("ysdb sync " + set_, deadline);
        session->query("BEGIN; SELECT pg_advisory_xact_lock(hashtext('ysdb sync tables'))", deadline);   // two sets may prepare at once
        session->query(embedded_file("sql/ysdb/postgres/poll.sql"), deadline);
        session->query("COMMIT", deadline);
    }
    ask("INSERT INTO ysdb.poll_sets (set_name, tick) VALUES ($1, 0) ON CONFLICT DO NOTHING", Params{set_}, deadline);
}

std::optional<std::uint64_t> PollState::tick(Deadline deadline) {
    if (!prepared(deadline)) return std::nullopt;
    const SqlResult found = ask("SELECT tick FROM ysdb.poll_sets WHERE set_name = $1", Params{set_}, deadline);
    if (found.rows() == 0) return std::nullopt;
    return static_cast<std::uint64_t>(found.row(0).integer(0));
}

std::uint64_t PollState::next_tick(Deadline deadline) {
    const SqlResult next = ask("UPDATE ysdb.poll_sets SET tick = tick + 1 WHERE set_name = $1 RETURNING tick", Params{set_}, deadline);
    if (next.rows() == 0) throw Error(Code::refused, "sync " + set_ + " was removed while it ran", "ysdb sync run");
    return static_cast<std::uint64_t>(next.row(0).integer(0));
}

std::optional<PollProgress> PollState::progress(const std::string& table, Deadline deadline) {
    const SqlResult found = ask("SELECT key_columns, reached FROM ysdb.poll_tables WHERE set_name = $1 AND table_name = $2", Params{set_, table}, deadline);
    if (found.rows() == 0) return std::nullopt;
    PollProgress progress;
    progress.key = found.row(0).text(0);
    if (!found.row(0).null(1)) progress.reached = found.row(0).integer(1);
    return progress;
}

void PollState::set_progress(const std::string& table, const PollProgress& progress, Deadline deadline) {
    ask("INSERT INTO ysdb.poll_tables (set_name, table_name, key_columns, reached) VALUES ($1, $2, $3, $4) ON CONFLICT (set_name, table_name)"
               " DO UPDATE SET key_columns = excluded.key_columns, reached = excluded.reached",
               Params{set_, table, progress.key, progress.reached ? std::optional(std::to_string(*progress.reached)) : std::nullopt}, deadline);
}

void PollState::forget(const std::string& table, Deadline deadline) {
    ask("WITH t AS (DELETE FROM ysdb.poll_tables WHERE set_name = $1 AND table_name = $2) DELETE FROM ysdb.poll_rows WHERE set_name = $1 AND table_name = $2", Params{set_, table}, deadline);
}

void PollState::load(const std::string& table, Millis timeout, const std::function<void(const PollNote&)>& take) {
    std::string last;
    while (true) {
        const SqlResult found = ask(
            fmt::format("SELECT encode(hash, 'hex'), encode(digest, 'hex'), tick, cursor FROM ysdb.poll_rows WHERE set_name = $1 AND table_name = $2 AND hash > decode($3, 'hex') ORDER BY hash LIMIT {}", page),
            Params{set_, table, last}, Deadline::after(timeout));
        for (std::size_t i = 0; i < found.rows(); ++i) {
            const SqlRow row = found.row(i);
            PollNote note{hash_of(row.text(0)), {}, {}, static_cast<std::uint64_t>(row.integer(2)), {}};
            if (!row.null(1)) note.digest = hash_of(row.text(1));
            if (!row.null(3)) note.cursor = row.integer(3);
            take(note);
        }
        if (found.rows() < page) return;
        last = found.row(found.rows() - 1).text(0);
    }
}

void PollState::write(const std::string& table, std::span<const PollNote> notes, Deadline deadline) {
    ArrayText hashes, keys, digests, ticks, cursors;
    for (const PollNote& note : notes) {
        hashes.add(hash_text(note.hash));
        keys.add_hex(note.key);
        if (note.digest) digests.add(hash_text(*note.digest));
        else digests.add_null();
        ticks.add(std::to_string(note.tick));
        if (note.cursor) cursors.add(std::to_string(*note.cursor));
        else cursors.add_null();
    }
    ask(
        "INSERT INTO ysdb.poll_rows (set_name, table_name, hash, row_key, digest, tick, cursor)"
        " SELECT $1, $2, decode(h, 'hex'), decode(k, 'hex'), decode(d, 'hex'), t, c FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[]) AS u(h, k, d, t, c)"
        " ON CONFLICT (set_name, table_name, hash) DO UPDATE SET digest = excluded.digest, tick = excluded.tick, cursor = excluded.cursor",
        Params{set_, table, hashes.take(), keys.take(), digests.take(), ticks.take(), cursors.take()}, deadline);
}

std::vector<PollNote> PollState::keys(const std::string& table, std::span<const Hash128> hashes, Deadline deadline) {
    ArrayText wanted;
    for (const Hash128& hash : hashes) wanted.add(hash_text(hash));
    const SqlResult found = ask(
        "SELECT encode(hash, 'hex'), encode(row_key, 'hex') FROM ysdb.poll_rows WHERE set_name = $1 AND table_name = $2 AND hash IN (SELECT decode(h, 'hex') FROM unnest($3::text[]) h) ORDER BY hash",
        Params{set_, table, wanted.take()}, deadline);
    std::vector<PollNote> notes;
    for (std::size_t i = 0; i < found.rows(); ++i) notes.push_back({hash_of(found.row(i).text(0)), bytes_of(found.row(i).text(1)), {}, 0, {}});
    return notes;
}

void PollState::prune(const std::string& table, std::uint64_t settled, std::optional<std::int64_t> below, Deadline deadline) {
    ask("WITH gone AS (DELETE FROM ysdb.poll_rows WHERE set_name = $1 AND table_name = $2 AND digest IS NULL AND tick < $3::bigint)"
               " DELETE FROM ysdb.poll_rows WHERE set_name = $1 AND table_name = $2 AND tick < $3::bigint AND cursor < $4::bigint",
               Params{set_, table, std::to_string(settled), below ? std::optional(std::to_string(*below)) : std::nullopt}, deadline);
}

void PollState::remove(Deadline deadline) {
    if (!prepared(deadline)) return;
    for (const std::string table : {"poll_rows", "poll_tables", "poll_sets"}) ask("DELETE FROM ysdb." + table + " WHERE set_name = $1", Params{set_}, deadline);
}

}  // namespace ysdb::sync
