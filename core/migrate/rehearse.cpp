// plan --rehearse: what is pending, run on a scratch server, with an eye on what each statement does there.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "core/base/fault.h"
#include "core/base/retry.h"
#include "core/base/text.h"
#include "core/migrate/lint/verdict.h"
#include "core/migrate/migrate.h"
#include "core/migrate/replay.h"
#include "core/migrate/run.h"
#include "core/plan/executor.h"
#include "core/schema/model.h"

namespace ysdb::migrate {

namespace {

using lint::Lock;

// "AccessExclusiveLock", as pg_locks has it.
Lock lock_of(const std::string& mode) {
    constexpr std::array<std::string_view, 9> names{"", "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"};
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == mode) return static_cast<Lock>(i);
    }
    return Lock::none;
}

struct Relation {
    std::string name, kind, file;    // file: of its rows
};
using Relations = std::map<std::string, Relation>;   // by oid

// What is no system's and not ours.
Relations relations(SqlSession& session, Deadline deadline) {
    const SqlResult result = session.query(
        "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind::text, c.relfilenode FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'ysdb') AND n.nspname NOT LIKE 'pg\\_%' AND c.relkind IN ('r', 'p', 'm', 'v', 'f', 'i', 'I')", deadline);
    Relations found;
    for (std::size_t i = 0; i < result.rows(); ++i) {
        const SqlRow row = result.row(i);
        std::string name = row.text(1);
        if (name.starts_with("public.")) name.erase(0, 7);
        found.emplace(row.text(0), Relation{name, row.text(2), row.text(3)});
    }
    return found;
}

bool is_table(const Relation& relation) { return relation.kind != "i" && relation.kind != "I"; }

// The locks on relations that a backend holds: by oid, the strongest.
std::map<std::string, Lock> held_locks(const SqlResult& result) {
    std::map<std::string, Lock> locks;
    for (std::size_t i = 0; i < result.rows(); ++i) {
        Lock& lock = locks[result.row(i).text(0)];
        lock = std::max(lock, lock_of(result.row(i).text(1)));
    }
    return locks;
}

constexpr std::string_view select_locks = "SELECT l.relation, l.mode FROM pg_catalog.pg_locks l WHERE l.locktype = 'relation' AND l.granted AND l.pid = ";

// Looks at what a backend holds while it runs a statement that is no transaction's.
class Sampler {
public:
    Sampler(SqlStore& store, std::int64_t backend, Millis timeout) : thread_([this, &store, backend, timeout](std::stop_token stop) {
        const std::string sql = std::string(select_locks) + std::to_string(backend);
        do {
            try {
                const std::map<std::string, Lock> now = held_locks(store.query(sql, Deadline::after(timeout)));
                const std::lock_guard guard(mutex_);
                for (const auto& [oid, lock] : now) seen_[oid] = std::max(seen_[oid], lock);
            } catch (const Error&) {
                return;  // looking is a courtesy
            }
        } while (pause_for(Millis(2), stop));
    }) {}
    std::map<std::string, Lock> seen() {
        const std::lock_guard guard(mutex_);
        return seen_;
    }

private:
    std::mutex mutex_;
    std::map<std::string, Lock> seen_;
    std::jthread thread_;
};

struct Seen {
    double seconds = 0;
    std::optional<std::uint64_t> rows;
    std::vector<std::pair<std::string, Lock>> locks;      // that this statement was the first to take
    std::vector<std::string> rewritten, read;
    std::int64_t mutations = 0;
    double held = 0;                                      // from its begin to the end of the transaction
};

class Eye : public plan::Observer {
public:
    explicit Eye(Context& context) : context_(context) {}

    void begin(const plan::Unit& unit, SqlStore& store, SqlSession& session) override {
        current_.clear();
        held_.clear();
        reads_.clear();
        if (store.dialect() == Dialect::clickhouse) {
            mutations_ = count_mutations(session);
        } else if (store.dialect() == Dialect::postgres) {
            before_ = relations(session, context_.deadline());
            known_ = before_;
            if (unit.transaction) reads_ = reads(session);
            else store.query("SELECT 1", context_.deadline());  // so that the first look needs no new connection
            if (!unit.transaction) sampler_ = std::make_unique<Sampler>(store, session.backend_id(), context_.timeout);
        }
    }

    void done(const plan::Unit& unit, const plan::Step& step, SqlStore& store, SqlSession& session, double seconds, std::optional<std::uint64_t> rows) override {
        Seen& seen = seen_[{unit.key, step.number}] = {};
        seen.seconds = seconds;
        seen.rows = rows;
        current_.push_back({unit.key, step.number});
        if (store.dialect() == Dialect::clickhouse) {
            const std::int64_t now = count_mutations(session);
            seen.mutations = now - mutations_;
            mutations_ = now;
        } else if (store.dialect() == Dialect::postgres) {
            look(unit, session, seen);
        }
    }

    void end(const plan::Unit& unit, double) override {
        double behind = 0;
        for (auto key = current_.rbegin(); key != current_.rend(); ++key) {
            behind += seen_[*key].seconds;
            seen_[*key].held = unit.transaction ? behind : seen_[*key].seconds;
        }
    }

    const Seen* of(const plan::Unit& unit, const plan::Step& step) const {
        const auto found = seen_.find({unit.key, step.number});
        return found == seen_.end() ? nullptr : &found->second;
    }

private:
    using Key = std::pair<std::string, int>;

    std::int64_t count_mutations(SqlSession& session) {
        return session.query("SELECT count() FROM system.mutations WHERE database = currentDatabase()", context_.deadline()).row(0).integer(0);
    }

    // How often each table was read from its first row on, in this transaction.
    std::map<std::string, std::int64_t> reads(SqlSession& session) {
        std::map<std::string, std::int64_t> counts;
        const SqlResult result = session.query("SELECT relid, seq_scan FROM pg_catalog.pg_stat_xact_all_tables WHERE seq_scan > 0", context_.deadline());
        for (std::size_t i = 0; i < result.rows(); ++i) counts[result.row(i).text(0)] = result.row(i).integer(1);
        return counts;
    }

    void look(const plan::Unit& unit, SqlSession& session, Seen& seen) {
        std::map<std::string, Lock> locks;
        if (unit.transaction) {
            locks = held_locks(session.query(std::string(select_locks) + "pg_catalog.pg_backend_pid()", context_.deadline()));
        } else {
            locks = sampler_->seen();
            sampler_.reset();
        }
        const auto old = [&](const std::string& oid) { return before_.contains(oid) && is_table(before_.at(oid)); };
        // A table that nobody saw before this transaction is nobody's to wait for.
        for (const auto& [oid, lock] : locks) {
            if (!old(oid) || lock < Lock::row_exclusive || lock <= held_[oid]) continue;
            held_[oid] = lock;
            seen.locks.emplace_back(before_.at(oid).name, lock);
        }
        std::sort(seen.locks.begin(), seen.locks.end());
        const Relations now = relations(session, context_.deadline());
        for (const auto& [oid, relation] : now) {
            const auto then = known_.find(oid);
            if (then == known_.end() || !before_.contains(oid) || then->second.file == relation.file) continue;
            seen.rewritten.push_back(relation.name);
        }
        std::sort(seen.rewritten.begin(), seen.rewritten.end());
        known_ = now;
        if (!unit.transaction) return;
        std::map<std::string, std::int64_t> counts = reads(session);
        for (const auto& [oid, count] : counts) {
            if (old(oid) && count > reads_[oid]) seen.read.push_back(before_.at(oid).name);
        }
        std::sort(seen.read.begin(), seen.read.end());
        reads_ = std::move(counts);
    }

    Context& context_;
    std::map<Key, Seen> seen_;
    std::vector<Key> current_;                 // of the unit in hand
    Relations before_, known_;                 // before the unit; after its last statement
    std::map<std::string, Lock> held_;
    std::map<std::string, std::int64_t> reads_;
    std::int64_t mutations_ = 0;
    std::unique_ptr<Sampler> sampler_;
};

std::string text_of(const std::vector<std::pair<std::string, Lock>>& locks) {
    std::vector<std::string> texts;
    for (const auto& [table, lock] : locks) texts.push_back(lint::lock_text(lock, table));
    return join(texts, "; ");
}

Value or_nothing(std::string text) { return text.empty() ? Value() : Value(std::move(text)); }

void tell(Report& report, const plan::Plan& plan, const Eye& eye, bool copy) {
    Table& steps = report.add_table("steps", "", {{"unit"}, {"direction"}, {"step", Unit::count}, {"store"}, {"what"}, {"seconds", Unit::seconds}, {"locks"}, {"held_seconds", Unit::seconds, "held"}, {"rewritten"}, {"read_whole", Unit::none, "read as a whole"}, {"rows", Unit::count}, {"mutations", Unit::count}, {"place"}});
    double seconds = 0, worst = 0;
    for (const plan::Unit& unit : plan.units) {
        for (const plan::Step& step : unit.steps) {
            const Seen* seen = eye.of(unit, step);
            if (seen == nullptr) continue;
            seconds += seen->seconds;
            for (const auto& [table, lock] : seen->locks) {
                if (lock == Lock::access_exclusive) worst = std::max(worst, seen->held);
            }
            steps.rows.push_back({unit.what, std::string(unit.key.ends_with("/down") ? "down" : "up"), std::int64_t{step.number}, unit.store, step.what, seen->seconds, or_nothing(text_of(seen->locks)), seen->locks.empty() ? Value() : Value(seen->held), or_nothing(join(seen->rewritten, ", ")),
                                  or_nothing(join(seen->read, ", ")), seen->rows ? Value(static_cast<std::int64_t>(*seen->rows)) : Value(), seen->mutations == 0 ? Value() : Value(seen->mutations), step.place});
        }
    }
    report.add_figure("statements", static_cast<std::int64_t>(steps.rows.size()), Unit::count);
    report.add_figure("seconds", seconds, Unit::seconds);
    report.add_figure("longest_access_exclusive", worst, Unit::seconds, "longest ACCESS EXCLUSIVE");
    // For people and programs alike: what these times are of.
    report.add_figure("data", copy ? "the copy's: times are those of its machine, with nobody else at work there"
                                   : "the scratch server's: no rows but those that migrations bring. Locks, rewrites and reads are those of a live server, times are not");
}

// The rows that a migration's own steps are recorded with do not matter here.
plan::Plan plan_of(const std::vector<Standing>& standings, Direction direction, Workspace& work) {
    std::vector<const Standing*> all;
    for (const Standing& standing : standings) all.push_back(&standing);
    return make_plan(all, direction, work.home, work.context.config.migrate.variables, [](const Standing&, bool) { return std::vector<plan::SqlText>{}; });
}

// From the beginning, whatever an unfinished run did on the live server.
std::vector<Standing> whole(const std::vector<const Standing*>& selected) {
    std::vector<Standing> standings;
    for (const Standing* standing : selected) {
        standings.push_back(*standing);
        standings.back().journal.clear();
        standings.back().back.clear();
    }
    return standings;
}

// The last ones that can be taken back, last first.
std::vector<const Standing*> with_way_back(const std::vector<const Standing*>& selected, Report& report) {
    std::vector<const Standing*> back;
    for (auto standing = selected.rbegin(); standing != selected.rend(); ++standing) {
        if ((*standing)->repeatable()) continue;
        if ((*standing)->file->down.empty()) {
            report.warnings.push_back("way back: " + (*standing)->title() + " has no migrate:down; it and what is before it were not taken back");
            break;
        }
        back.push_back(*standing);
    }
    return back;
}

using Schemas = std::map<std::string, schema::Schema>;

Schemas read_schemas(Context& there, const std::set<std::string>& stores) {
    Schemas schemas;
    for (const std::string& store : stores) schemas.emplace(store, schema::read(there.stores.get(store), {}, there.deadline()));
    return schemas;
}

void tell_differences(Report& report, const Schemas& before, const Schemas& after) {
    std::vector<std::vector<Value>> rows;
    for (const auto& [store, expected] : before) {
        for (const schema::Difference& difference : compare(after.at(store), expected, [](const schema::Object&) { return false; })) {
            rows.push_back({store, difference.kind, difference.name, std::string(side_name(difference.side)), difference.diff});
        }
    }
    report.add_figure("way_back", std::string(rows.empty() ? "the schema is what it was" : "the schema is not what it was"), Unit::none, "way back");
    if (rows.empty()) return;
    report.add_table("way_back_differences", "what the way back left, from what it was to what it is", {{"store"}, {"kind"}, {"name"}, {"state"}, {"diff"}}).rows = std::move(rows);
    report.code = Code::differences;
}

// The live configuration with a copy for each store that has one; the others lead nowhere.
Config copies_config(Workspace& work, const std::vector<std::string>& copies, std::set<std::string>& stores) {
    Context& context = work.context;
    std::map<Dialect, StoreConfig> by_dialect;
    for (const std::string& place : copies) {
        StoreConfig config = named_place(context, place, "--copy");
        by_dialect[open_store(config)->sql()->dialect()] = std::move(config);
    }
    Config config = scratch_config(work, {}, [](Store&) -> StoreConfig { throw Error(Code::internal, "no store has a stand-in here"); });
    for (auto& [name, store] : config.stores) {
        Store& live = context.stores.get(name);
        const auto copy = live.sql() == nullptr ? by_dialect.end() : by_dialect.find(live.sql()->dialect());
        if (copy == by_dialect.end()) continue;
        const auto opened = open_store(copy->second);
        if (server_identity(*opened->sql(), context.deadline()) == server_identity(*live.sql(), context.deadline())) {
            throw Error(Code::refused, fmt::format("--copy {} is the server of store '{}'", opened->redacted_url(), name), "what is pending would be applied there for good: restore a backup on another server");
        }
        store = copy->second;
        store.name = name;
        stores.insert(name);
    }
    if (!stores.contains(work.home)) throw Error(Code::refused, "no copy of store '" + work.home + "', which keeps the history", "name one: --copy STORE");
    return config;
}

void refuse_other_history(const Workspace& live, const Workspace& copy) {
    std::map<std::string, std::string> here, there;
    for (const HistoryRow& row : live.history) here.emplace(row.version, row.checksum);
    for (const HistoryRow& row : copy.history) there.emplace(row.version, row.checksum);
    for (const auto* side : {&here, &there}) {
        const auto& other = side == &here ? there : here;
        for (const auto& [version, checksum] : *side) {
            const auto found = other.find(version);
            if (found != other.end() && found->second == checksum) continue;
            const std::string what = found != other.end() ? "version " + version + " is not the same" : "version " + version + " is applied " + (side == &here ? "on the live server and not on the copy" : "on the copy and not on the live server");
            throw Error(Code::refused, "--copy: " + what, "restore it from a backup of now");
        }
    }
}

// Why nothing of it is rehearsed, or empty.
std::string left_out(const Standing& standing, Context& context, const std::set<std::string>* copied) {
    if (!comparable(context, standing.file->store)) return "store '" + standing.file->store + "' is neither PostgreSQL nor ClickHouse";
    if (copied != nullptr && !copied->contains(standing.file->store)) return "there is no copy of store '" + standing.file->store + "'";
    return {};
}

}  // namespace

Report rehearse(Context& context, const UpOptions& options, const RehearseOptions& rehearsal) {
    const bool copy = !rehearsal.copies.empty();
    if (copy && (rehearsal.back || !rehearsal.scratch.places.empty())) throw Error(Code::usage, "--copy excludes --scratch and --back", "what is pending is applied to a copy for good");
    Workspace work(context, options.environment);
    work.read();
    Report report;
    std::set<std::string> copied;
    std::optional<Config> config;
    if (copy) config = copies_config(work, rehearsal.copies, copied);
    Replay applied = copy ? Replay{} : applied_files(work);
    std::set<std::string> pending, stores = applied.stores;
    std::vector<const Standing*> selected;
    for (const Standing* standing : select_pending(work.standings, options)) {
        if (const std::string why = left_out(*standing, context, copy ? &copied : nullptr); !why.empty()) {
            report.warnings.push_back(standing->title() + " is not rehearsed: " + why);
            continue;
        }
        selected.push_back(standing);
        pending.insert(standing->version());
        stores.insert(standing->file->store);
        applied.versions.erase(standing->version());  // a repeatable one that was edited
    }
    if (selected.empty()) {
        report.title = "nothing to apply";
        return report;
    }
    work.refuse_own_schema(selected);
    Scratch scratch(context, rehearsal.scratch);
    if (!config) config = scratch_config(work, stores, [&](Store& live) { return scratch.stand_in(live); });
    Stores there_stores(*config);
    const auto there = [&](const std::string& run) { return Context{*config, there_stores, context.log, context.progress, context.stop, context.timeout, context.run_id + "." + run, false}; };
    UpOptions with;
    with.environment = options.environment;
    with.guard = "off";
    with.lock_timeout = options.lock_timeout;
    Context before = there("applied"), now = there("pending"), back = there("back");
    if (copy) {
        Workspace theirs(before, options.environment);
        theirs.read();
        refuse_other_history(work, theirs);
    } else if (!applied.versions.empty()) {
        replay(before, applied.versions, scratch, with);
    }
    fault::point("rehearse.apply.after");
    const Schemas was = rehearsal.back ? read_schemas(now, stores) : Schemas{};
    Eye eye(now);
    with.observer = &eye;
    replay(now, pending, scratch, with, {copy ? "on the copy" : "on the scratch server", "nothing live was touched; correct the file, and rehearse again"});
    fault::point("rehearse.run.after");
    const std::vector<const Standing*> taken_back = rehearsal.back ? with_way_back(selected, report) : std::vector<const Standing*>{};
    if (!taken_back.empty()) {
        DownOptions down_options;
        down_options.observer = &eye;
        down_options.count = static_cast<std::int64_t>(taken_back.size());
        try {
            down(back, down_options, [](const Report&, const std::string&) { return true; });
        } catch (const Error& error) {
            throw Error(error.code(), "way back, on the scratch server: " + error.message(), "its migrate:down does not work").with_excerpt(error.excerpt()).with_server_code(error.server_code());
        }
    }

    for (const std::string& warning : applied.warnings) report.warnings.push_back(warning);
    plan::Plan plan = plan_of(whole(selected), Direction::up, work);
    const std::vector<Standing> back_standings = whole(taken_back);
    if (!taken_back.empty()) {
        plan::Plan more = plan_of(back_standings, Direction::down, work);
        std::move(more.units.begin(), more.units.end(), std::back_inserter(plan.units));
    }
    tell(report, plan, eye, copy);
    const bool all_back = taken_back.size() == static_cast<std::size_t>(std::count_if(selected.begin(), selected.end(), [](const Standing* standing) { return !standing->repeatable(); }));
    if (rehearsal.back && all_back) tell_differences(report, was, read_schemas(back, stores));
    report.next = "ysdb migrate up";
    return report;
}

}  // namespace ysdb::migrate
