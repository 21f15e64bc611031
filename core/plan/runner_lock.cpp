#include "core/plan/runner_lock.h"

#include <fmt/core.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

#include "core/base/hash.h"
#include "core/base/retry.h"
#include "core/plan/journal.h"

namespace ysdb::plan {

namespace {

constexpr Millis heartbeat{5'000};
constexpr int stale_after_s = 30;

// Who holds a lock, in words; nullopt: nobody any more.
using Who = std::optional<std::string>;

}  // namespace

struct RunnerLock::Holder {
    SqlStore& store;
    SqlSession& session;
    std::string job;
    Millis timeout;
    std::int64_t key = 0;             // PostgreSQL
    bool lease = false;               // PostgreSQL behind a pooler
    std::string table;                // ClickHouse: its name below database ysdb
    std::string comment;              // ClickHouse, lease: this run
    std::atomic<bool> lost{false};
    bool taken = false;
    std::jthread heart;

    Deadline deadline() const { return Deadline::after(timeout); }
    std::string quoted_table() const { return "ysdb." + store.quote_identifier(table); }

    bool try_take() { return store.dialect() == Dialect::clickhouse ? try_take_clickhouse() : try_take_postgres(); }
    Who who() { return store.dialect() == Dialect::clickhouse ? who_clickhouse() : who_postgres(); }

    bool try_take_postgres() {
        if (lease) return try_take_lease();
        const std::vector<std::optional<std::string>> params{std::to_string(key)};
        return session.query("SELECT pg_try_advisory_lock($1)", params, deadline()).row(0).truth(0);
    }

    bool try_take_lease() {
        const std::vector<std::optional<std::string>> params{job, comment, std::to_string(stale_after_s)};
        const SqlResult taken = session.query(
            "INSERT INTO ysdb.leases AS l (job, holder) VALUES ($1, $2) ON CONFLICT (job) DO UPDATE SET holder = excluded.holder, taken_at = clock_timestamp(), beat_at = clock_timestamp()"
            " WHERE l.beat_at < clock_timestamp() - make_interval(secs => $3::int) RETURNING 1", params, deadline());
        if (taken.rows() == 0) return false;
        heart = std::jthread([this](std::stop_token stop) {
            while (pause_for(heartbeat, stop)) beat_lease();
        });
        return true;
    }

    void beat_lease() {
        try {
            const std::vector<std::optional<std::string>> params{job, comment};
            if (store.query("UPDATE ysdb.leases SET beat_at = clock_timestamp() WHERE job = $1 AND holder = $2 RETURNING 1", params, deadline()).rows() == 0) lost = true;
        } catch (const Error& error) {
            if (error.code() != Code::connect) lost = true;
        }
    }

    Who who_lease() {
        const std::vector<std::optional<std::string>> params{job};
        const SqlResult result = session.query("SELECT holder, to_char(taken_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'), round(extract(epoch FROM clock_timestamp() - beat_at)) FROM ysdb.leases WHERE job = $1", params, deadline());
        if (result.rows() == 0) return std::nullopt;
        return fmt::format("{} (since {}, last sign of life {} s ago)", result.row(0).text(0), result.row(0).text(1), result.row(0).text(2));
    }

    Who who_postgres() {
        if (lease) return who_lease();
        const std::vector<std::optional<std::string>> params{std::to_string(static_cast<std::uint64_t>(key) >> 32), std::to_string(static_cast<std::uint64_t>(key) & 0xffffffffu)};
        const SqlResult result = session.query(
            "SELECT a.pid, coalesce(nullif(a.application_name, ''), 'no application_name'), a.usename,"
            " to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'), round(extract(epoch FROM clock_timestamp() - a.query_start)), a.state"
            " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            " AND l.classid = $1::oid AND l.objid = $2::oid AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            params, deadline());
        if (result.rows() == 0) return std::nullopt;
        const SqlRow row = result.row(0);
        std::string text = fmt::format("pid {} ({}, user {}, since {})", row.text(0), row.text(1), row.text_or(2, "?"), row.text_or(3, "?"));
        if (row.text_or(5, "") == "active" && !row.null(4)) text += fmt::format(", running a statement for {} s", row.text(4));
        return text;
    }

    bool try_take_clickhouse() {
        try {
            session.query("CREATE TABLE " + quoted_table() + " (at DateTime64(3) DEFAULT now64(3)) ENGINE = MergeTree ORDER BY tuple() COMMENT '" + comment + "'", deadline());
        } catch (const Error& error) {
            if (error.server_code() != "57") throw;  // TABLE_ALREADY_EXISTS
            return false;
        }
        heart = std::jthread([this](std::stop_token stop) {
            while (pause_for(heartbeat, stop)) beat();
        });
        return true;
    }

    void beat() {
        try {
            const std::vector<std::optional<std::string>> params{table, comment};
            store.query("INSERT INTO " + quoted_table() + " (at) SELECT now64(3)", deadline());
            const std::string mine = store.query("SELECT count() FROM system.tables WHERE database = 'ysdb' AND name = {p1:String} AND comment = {p2:String}", params, deadline()).row(0).text(0);
            if (mine == "0") lost = true;
        } catch (const Error& error) {
            if (error.code() != Code::connect) lost = true;  // the table is gone; a lost connection may come back before the lock is stale
        }
    }

    // Also takes a lock out of the way whose run stopped beating.
    Who who_clickhouse() {
        const std::vector<std::optional<std::string>> params{table};
        const SqlResult found = session.query(
            "SELECT comment, formatDateTime(metadata_modification_time, '%Y-%m-%d %H:%i:%SZ', 'UTC'), dateDiff('second', metadata_modification_time, now())"
            " FROM system.tables WHERE database = 'ysdb' AND name = {p1:String}", params, deadline());
        if (found.rows() == 0) return std::nullopt;
        const SqlRow row = found.row(0);
        std::int64_t silent_s = row.integer(2);
        try {
            const SqlResult beats = session.query("SELECT count(), dateDiff('second', max(at), now64(3)) FROM " + quoted_table(), deadline());
            if (beats.row(0).text(0) != "0") silent_s = std::min(silent_s, beats.row(0).integer(1));
        } catch (const Error& error) {
            if (error.server_code() == "60") return std::nullopt;
            throw;
        }
        if (silent_s >= stale_after_s) take_away(row.text(0));
        return fmt::format("{} (since {}, last sign of life {} s ago)", row.text(0), row.text(1), silent_s);
    }

    // The tombstone's name is the dead run's own: of several that try, one succeeds. Whoever took away a lock that was renewed meanwhile
    // puts it back. Tombstones stay for later runs to remove, so that a slow taker cannot succeed twice.
    void take_away(const std::string& dead) {
        const std::string tombstone = table + " of " + sha256_hex(dead).substr(0, 16);
        const std::string quoted = "ysdb." + store.quote_identifier(tombstone);
        try {
            session.query("RENAME TABLE " + quoted_table() + " TO " + quoted, deadline());
            const std::vector<std::optional<std::string>> params{tombstone};
            const SqlResult taken_away = session.query("SELECT comment FROM system.tables WHERE database = 'ysdb' AND name = {p1:String}", params, deadline());
            if (taken_away.rows() > 0 && taken_away.row(0).text(0) != dead) session.query("RENAME TABLE " + quoted + " TO " + quoted_table(), deadline());
        } catch (const Error& error) {
            if (error.code() == Code::connect) throw;  // anything else: another one was faster
        }
    }

    void remove_tombstones() {
        const std::vector<std::optional<std::string>> params{table + " of "};
        const SqlResult old = session.query("SELECT name FROM system.tables WHERE database = 'ysdb' AND startsWith(name, {p1:String}) AND metadata_modification_time < now() - 3600", params, deadline());
        for (std::size_t i = 0; i < old.rows(); ++i) session.query("DROP TABLE IF EXISTS ysdb." + store.quote_identifier(old.row(i).text(0)), deadline());
    }

    void release() noexcept {
        try {
            if (store.dialect() == Dialect::clickhouse) {
                heart = {};
                if (!lost) session.query("DROP TABLE IF EXISTS " + quoted_table(), deadline());
            } else if (lease) {
                heart = {};
                session.query("DELETE FROM ysdb.leases WHERE job = $1 AND holder = $2", std::vector<std::optional<std::string>>{job, comment}, deadline());
            } else {
                session.query("SELECT pg_advisory_unlock($1)", std::vector<std::optional<std::string>>{std::to_string(key)}, deadline());
            }
        } catch (const std::exception&) {
            // PostgreSQL gave it up with the session; ClickHouse's goes stale.
        }
    }

    ~Holder() {
        if (taken) release();
    }
};

RunnerLock::RunnerLock(std::unique_ptr<Holder> holder) : holder_(std::move(holder)) {}
RunnerLock::RunnerLock(RunnerLock&&) noexcept = default;
RunnerLock::~RunnerLock() = default;

void RunnerLock::check() const {
    if (holder_->lost) throw Error(Code::locked, "the lock of ysdb " + holder_->job + " was taken over by another run", "was this machine asleep? look at ysdb " + holder_->job + " status");
}

bool RunnerLock::pooled() const { return holder_->lease; }

SqlText RunnerLock::still_ours() const {
    if (!holder_->lease) return {};
    // Locks the row: nobody takes the lease over before this transaction ends.
    return {"SELECT 1 / count(*) FROM (SELECT FROM ysdb.leases WHERE job = $1 AND holder = $2 FOR SHARE) AS the_lease_of_this_run", {holder_->job, holder_->comment}};
}

bool behind_pooler(SqlStore& store, SqlSession& session, Deadline deadline) {
    if (store.dialect() != Dialect::postgres || session.backend_id() == 0) return false;
    return session.query("SELECT pg_backend_pid()", deadline).row(0).integer(0) != session.backend_id();
}

RunnerLock RunnerLock::acquire(Context& context, SqlStore& store, SqlSession& session, const std::string& job, Millis wait) {
    std::unique_ptr<Holder> holder(new Holder{store, session, job, context.timeout, {}, {}, {}, {}, {}, {}, {}});
    const std::string name = "ysdb runner lock " + job;
    holder->key = static_cast<std::int64_t>(xxh128(name.data(), name.size()).low);
    holder->lease = behind_pooler(store, session, context.deadline());
    char host[65] = "?";
    gethostname(host, 64);
    holder->comment = fmt::format("run {} on {}, process {}", context.run_id, host, getpid());
    for (int tries = 3; holder->lease && tries > 0; --tries) {
        try {
            install_table(session, store.dialect(), "leases", context.deadline());
            break;
        } catch (const Error& error) {
            if (error.code() != Code::rejected || tries == 1) throw;  // two at once: the other one made it
        }
    }
    if (store.dialect() == Dialect::clickhouse) {
        session.query("CREATE DATABASE IF NOT EXISTS ysdb", context.deadline());
        holder->table = "lock " + job + " " + session.query("SELECT currentDatabase()", context.deadline()).row(0).text(0);
    }
    const Deadline deadline = Deadline::after(wait);
    std::minstd_rand random(static_cast<unsigned>(getpid()));
    std::unique_ptr<ProgressTask> waiting;
    for (Millis pause{25};; pause = std::min(pause * 2, Millis(1'000))) {
        holder->taken = holder->try_take();
        if (holder->taken) break;
        const std::string who = holder->who().value_or("a session that is just ending");
        if (deadline.passed()) {
            throw Error(Code::locked, "another run of ysdb " + job + " holds the lock: " + who, "wait for it, or give it more time with --lock-wait");
        }
        if (!waiting) waiting = context.progress.begin("waiting", ProgressUnit::steps, std::nullopt);
        waiting->note("for " + who);
        const Millis jittered(pause.count() / 2 + static_cast<long>(random() % static_cast<unsigned>(pause.count() / 2 + 1)));
        if (!pause_for(std::min(jittered, deadline.left()), context.stop)) throw Error(Code::interrupted, "interrupted while waiting for another run of ysdb " + job, "nothing was changed");
    }
    if (store.dialect() == Dialect::clickhouse) holder->remove_tombstones();
    return RunnerLock(std::move(holder));
}

}  // namespace ysdb::plan
