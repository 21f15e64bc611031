#include "core/plan/watch.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/retry.h"

namespace ysdb::plan {

namespace {

constexpr Millis patience{2'000};

std::int64_t backend_of(SqlStore& store, const std::string& label, Deadline deadline) {
    const std::vector<std::optional<std::string>> params{label};
    const SqlResult found = store.query("SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND state = 'active' AND datname = current_database() LIMIT 1", params, deadline);
    return found.rows() == 0 ? 0 : found.row(0).integer(0);
}

// In one statement: between a look and a second one the backend may serve somebody else.
bool end_waiting(SqlStore& store, const std::string& label, Millis waited, Deadline deadline) {
    const std::vector<std::optional<std::string>> params{label, std::to_string(static_cast<double>(waited.count()) / 1000)};
    const SqlResult ended = store.query(
        "SELECT pg_cancel_backend(a.pid) FROM pg_stat_activity a WHERE a.application_name = $1 AND a.state = 'active' AND a.datname = current_database()"
        " AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted AND l.waitstart < clock_timestamp() - make_interval(secs => $2::float8))", params, deadline);
    return ended.rows() > 0 && ended.row(0).truth(0);
}

std::string look_postgres(SqlStore& store, std::int64_t backend, Deadline deadline) {
    const std::vector<std::optional<std::string>> params{std::to_string(backend)};
    const SqlResult blockers = store.query(
        "SELECT a.pid, coalesce(nullif(a.application_name, ''), '?'), coalesce(a.usename, '?'), coalesce(round(extract(epoch FROM clock_timestamp() - a.xact_start))::text, '?')"
        " FROM unnest(pg_blocking_pids($1::int)) AS b(pid) JOIN pg_stat_activity a USING (pid) LIMIT 1", params, deadline);
    if (blockers.rows() > 0) {
        const SqlRow row = blockers.row(0);
        return fmt::format("blocked by pid {} ({}, user {}, in a transaction for {} s)", row.text(0), row.text(1), row.text(2), row.text(3));
    }
    const SqlResult build = store.query("SELECT phase, CASE WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total END FROM pg_stat_progress_create_index WHERE pid = $1", params, deadline);
    if (build.rows() == 0) return {};
    return build.row(0).text(0) + (build.row(0).null(1) ? "" : " " + build.row(0).text(1) + " %");
}

std::string look_clickhouse(SqlStore& store, const std::string& label, Deadline deadline) {
    const std::vector<std::optional<std::string>> params{label};
    const SqlResult rows = store.query("SELECT read_rows, written_rows FROM system.processes WHERE startsWith(query_id, {p1:String}) LIMIT 1", params, deadline);
    if (rows.rows() == 0) return {};
    // An ALTER that waits for its mutation reads nothing itself.
    const SqlResult mutations = store.query(
        "SELECT count(), sum(parts_to_do), anyIf(substring(latest_fail_reason, 1, 200), latest_fail_reason != '') FROM system.mutations WHERE database = currentDatabase() AND NOT is_done", deadline);
    if (const SqlRow row = mutations.row(0); row.text(0) != "0") {
        return fmt::format("{} unfinished mutation{}, {} parts to do{}", row.text(0), row.text(0) == "1" ? "" : "s", row.text(1), row.text_or(2, "").empty() ? "" : ", one fails: " + row.text(2));
    }
    return fmt::format("{} rows read, {} written", rows.row(0).text(0), rows.row(0).text(1));
}

}  // namespace

Watch::Watch(ProgressTask& task, Millis timeout) : task_(task), timeout_(timeout), thread_([this](std::stop_token stop) {
    while (pause_for(Millis(1'000), stop)) look();
}) {}

Watch::~Watch() = default;

void Watch::begin(SqlStore& store, std::int64_t backend, std::string label, std::string what, std::optional<Millis> lock_timeout) {
    const std::lock_guard lock(mutex_);
    store_ = &store;
    backend_ = backend;
    label_ = std::move(label);
    what_ = std::move(what);
    lock_timeout_ = lock_timeout;
    blocker_.clear();
    gave_up_ = false;
    ++number_;
    since_ = SteadyClock::now();
}

Watch::Guard Watch::over(SqlStore& store, SqlSession& session, std::string label, std::string what) {
    begin(store, session.backend_id(), std::move(label), std::move(what), std::nullopt);
    return Guard(*this);
}

Watch::Guard Watch::over_pooled(SqlStore& store, std::string label, std::string what, std::optional<Millis> lock_timeout) {
    begin(store, 0, std::move(label), std::move(what), lock_timeout);
    return Guard(*this);
}

bool Watch::gave_up() {
    const std::lock_guard lock(mutex_);
    return gave_up_ || ending_;
}

std::string Watch::blocker() {
    const std::lock_guard lock(mutex_);
    return blocker_;
}

Watch::Guard::~Guard() {
    const std::lock_guard lock(watch_.mutex_);
    watch_.store_ = nullptr;
}

void Watch::look() {
    SqlStore* store = nullptr;
    std::int64_t backend = 0;
    std::uint64_t number = 0;
    std::optional<Millis> lock_timeout;
    std::string label, text;
    {
        const std::lock_guard lock(mutex_);
        if (store_ == nullptr || SteadyClock::now() - since_ < std::min(patience, lock_timeout_.value_or(patience))) return;
        number = number_;
        lock_timeout = lock_timeout_;
        store = store_;
        backend = backend_;
        label = label_;
        text = what_ + ", " + human_duration(std::chrono::duration<double>(SteadyClock::now() - since_).count());
    }
    try {
        const bool postgres = store->dialect() == Dialect::postgres;
        if (postgres && backend == 0 && !label.empty()) backend = backend_of(*store, label, Deadline::after(timeout_));
        const std::string more = store->dialect() == Dialect::clickhouse ? look_clickhouse(*store, label, Deadline::after(timeout_))
                                 : backend != 0                           ? look_postgres(*store, backend, Deadline::after(timeout_))
                                                                          : std::string();
        task_.note(more.empty() ? text : text + ": " + more);
        const bool blocked = more.starts_with("blocked by ");
        {
            const std::lock_guard lock(mutex_);
            if (number != number_) return;
            if (blocked) blocker_ = more;
            ending_ = lock_timeout && postgres;  // the statement's own failure may be here before the answer
        }
        bool ended = false;
        if (lock_timeout && postgres) {
            try {
                ended = end_waiting(*store, label, *lock_timeout, Deadline::after(timeout_));
            } catch (const Error&) {  // the next look tries again
            }
        }
        const std::lock_guard lock(mutex_);
        ending_ = false;
        if (number == number_) gave_up_ = gave_up_ || ended;
    } catch (const Error&) {
        task_.note(text);  // looking is a courtesy; the statement itself says what is wrong
    }
}

}  // namespace ysdb::plan
