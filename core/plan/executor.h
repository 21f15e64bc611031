// Applies a Plan: unit after unit, each recorded, each with fault points around it.
// A transactional unit commits its change and its record together. A step outside a transaction writes its intent before and its outcome
// after; a later run settles an intent without an outcome: it waits for the statement if it still runs, looks whether it took effect,
// and goes on, or says that nobody can know (law 16).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/context.h"
#include "core/plan/cluster.h"
#include "core/plan/plan.h"
#include "core/plan/probe.h"
#include "core/plan/runner_lock.h"

namespace ysdb::plan {

class Watch;

// Told of each step while it is run, for who wants to see what it does. Called by the thread that runs the plan.
class Observer {
public:
    virtual ~Observer() = default;
    // Before the first step; in its transaction, where it has one.
    virtual void begin(const Unit& unit, SqlStore& store, SqlSession& session) = 0;
    // After a step, its transaction still open. `rows`: that it changed or read, where the server says so.
    virtual void done(const Unit& unit, const Step& step, SqlStore& store, SqlSession& session, double seconds, std::optional<std::uint64_t> rows) = 0;
    // It is committed.
    virtual void end(const Unit& unit, double seconds) = 0;
};

struct ExecutorOptions {
    Millis lock_timeout{5'000};   // PostgreSQL's lock_timeout for a statement; a unit may bring its own
    int lock_tries = 10;          // how often a unit that found no lock is tried in all
    Millis orphan_wait{60'000};   // for a statement that a killed run left on its server
    Observer* observer = nullptr; // statements are then sent one by one
};

struct Failure {
    std::size_t unit = 0;                 // index in the plan
    std::optional<std::size_t> step;      // index in the unit; nullopt: none of its statements (connection, COMMIT, record)
    Error error;
    // Whether the step took effect cannot be known: the run before was killed over it, or it failed and may have done a part.
    bool unknown = false;
};

struct Applied {
    std::size_t units = 0;                // that are done, from the beginning of the plan
    std::optional<Failure> failure;
    bool stopped = false;                 // the stop token was seen between two units
};

// Not thread-safe.
class Executor {
public:
    // `home`: the store that keeps history and journal; `session` is the one that holds the lock.
    Executor(Context& context, std::string job, const std::string& home, SqlSession& session, Journal& journal, const RunnerLock& lock, ExecutorOptions options);
    ~Executor();

    // Throws only for what is no unit's fault. `done` is told of each unit as soon as it is recorded.
    Applied apply(const Plan& plan, ProgressTask& progress, const std::function<void(const Unit&, double seconds)>& done);

private:
    // A store in use: the session that runs its statements, and what was set in it.
    struct Lane {
        Store* store = nullptr;
        SqlSession* session = nullptr;
        std::unique_ptr<SqlSession> own;
        std::optional<Millis> lock_timeout;
        bool dirty = false;
        std::string label;      // what its statements run under now
        bool pooled = false;    // behind a pooler that gives each transaction another connection: nothing set outside one holds
        SqlStore& sql() const { return *store->sql(); }
    };

    std::optional<Failure> run(const Unit& unit);
    std::optional<Failure> transaction(const Unit& unit, Lane& lane);
    std::optional<Failure> transaction_elsewhere(const Unit& unit, Lane& lane);
    std::optional<Failure> alone(const Unit& unit, Lane& lane);
    // In ranges of a key (backfill.h); in executor_batches.cpp.
    std::optional<Failure> batched(const Unit& unit, Lane& lane);
    // In executor_cluster.cpp. The first throws when not every host did it; the other: where a statement under this label stands.
    void on_cluster(const Step& step, const std::string& sql, Lane& lane, const std::string& label);
    std::optional<std::vector<HostState>> follow_on_cluster(const Step& step, Lane& lane, const std::string& label);
    // Of a unit whose first step an earlier run began. True: it took effect, its outcome is written. False: it must run.
    bool settle(const Unit& unit, const std::optional<SqlText>& mark, Lane& lane, std::optional<Failure>& unknown);
    // The same as SqlSession::script, statement by statement; the steps are statements `first` and on.
    ScriptResult watched_script(const Unit& unit, Lane& lane, std::span<const SqlStatement> statements, std::size_t first);
    ScriptResult send(const Unit& unit, Lane& lane, std::span<const SqlText> tail, const std::string& label);
    void record(const Unit& unit);
    std::vector<SqlText> closing(const Unit& unit, bool journaled);
    Looking looking(Lane& lane);
    void prepare(Lane& lane, Millis lock_timeout);
    void set_label(Lane& lane, const std::string& label);
    void say_no_lock(const Unit& unit, int tries, const Error& error);
    Lane& lane(const std::string& store);
    JournalEntry entry(const Unit& unit, JournalEvent event, const std::string& label) const;
    std::string next_label() { return "ysdb " + job_ + " " + context_.run_id + "/" + std::to_string(++labels_); }
    bool at_home(const Lane& lane) const { return lane.session == &session_; }

    Context& context_;
    std::string job_;
    std::string home_;
    SqlSession& session_;
    Journal& journal_;
    const RunnerLock& lock_;
    ExecutorOptions options_;
    std::map<std::string, Lane> lanes_;
    Watch* watch_ = nullptr;     // during apply()
    ProgressTask* progress_ = nullptr;
    int labels_ = 0;
};

}  // namespace ysdb::plan
