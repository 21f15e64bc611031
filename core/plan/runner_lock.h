// One run of a job at a time, over all machines that use the same store.
// PostgreSQL: a session advisory lock, polled; nothing is held between polls, so that a waiter never blocks CREATE INDEX CONCURRENTLY.
// It lives in the session that does the work: a statement that outlives a killed run keeps the lock until it ends.
// PostgreSQL behind a pooler that gives each transaction another connection: a session's lock would stay with a stranger. There a row with a
// heartbeat in ysdb.leases, which each transaction of the run looks at; 30 s after its last beat it is taken over.
// ClickHouse (law 17): a table, created atomically, with a heartbeat; a lock whose heart stopped for 30 s is taken over.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/context.h"
#include "core/plan/sql_text.h"
#include "core/store/store.h"

namespace ysdb::plan {

class RunnerLock {
public:
    // Polls for at most `wait`, telling `context.progress` who holds it. Throws Error(locked) naming the holder, Error(interrupted) on stop.
    // `session` must outlive the lock.
    static RunnerLock acquire(Context& context, SqlStore& store, SqlSession& session, const std::string& job, Millis wait);
    ~RunnerLock();
    RunnerLock(RunnerLock&&) noexcept;
    RunnerLock& operator=(RunnerLock&&) = delete;

    // Throws Error(locked) when it was lost; call it before each change. Costs nothing on PostgreSQL, where losing it is losing the session.
    void check() const;
    // The lock is a lease, since the session is behind a pooler.
    bool pooled() const;
    // For a lease: the statement that fails, and with it its transaction, when the lease is no longer this run's; otherwise empty.
    SqlText still_ours() const;

private:
    struct Holder;
    explicit RunnerLock(std::unique_ptr<Holder> holder);
    std::unique_ptr<Holder> holder_;
};

// Whether statements of this session run in other backends than the one it was told of when it connected.
bool behind_pooler(SqlStore& store, SqlSession& session, Deadline deadline);

}  // namespace ysdb::plan
