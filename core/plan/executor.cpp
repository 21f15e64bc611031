#include "core/plan/executor.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/fault.h"
#include "core/base/retry.h"
#include "core/plan/refusals.h"
#include "core/plan/watch.h"

namespace ysdb::plan {

namespace {

constexpr Millis first_pause{100};
constexpr Millis longest_pause{5'000};

// Settings, prepared statements, temporary tables: what one unit leaves behind must not reach the next. The runner lock stays.
constexpr std::string_view clean_session = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; DISCARD SEQUENCES; DISCARD TEMP";
// Every ALTER and mutation is followed to its end; an INSERT is on disk when it is answered.
constexpr std::string_view clickhouse_settings = "SET alter_sync = 2, mutations_sync = 2, async_insert = 0";

SqlStatement statement_of(const SqlText& text) { return {text.sql, text.params, {}}; }

// The script was BEGIN, the steps, then what records them.
std::optional<std::size_t> failed_step(const Unit& unit, const ScriptResult& result) {
    const bool in_step = result.done >= 1 && result.done <= unit.steps.size();
    return in_step ? std::optional(result.done - 1) : std::nullopt;
}

// Of the last of several tries.
Error after_tries(Error error, int tries) {
    if (found_no_lock(error)) error.with_more_hint(fmt::format("something else was in the way at each of {} tries: try again when there is less at work on it", tries));
    return error;
}

Failure failure(std::optional<std::size_t> step, Error error, bool unknown = false) { return {0, step, std::move(error), unknown}; }

}  // namespace

Executor::Executor(Context& context, std::string job, const std::string& home, SqlSession& session, Journal& journal, const RunnerLock& lock, ExecutorOptions options)
    : context_(context), job_(std::move(job)), home_(home), session_(session), journal_(journal), lock_(lock), options_(options) {
    Lane lane;
    lane.store = &context_.stores.get(home);
    lane.session = &session_;
    lane.label = "ysdb " + job_ + " " + context_.run_id;  // as the session was opened
    lane.pooled = lock_.pooled();
    if (lane.sql().dialect() == Dialect::clickhouse) session_.query(clickhouse_settings, context_.deadline());
    lanes_.emplace(home, std::move(lane));
}

Executor::~Executor() = default;

Applied Executor::apply(const Plan& plan, ProgressTask& progress, const std::function<void(const Unit&, double)>& done) {
    Watch watch(progress, context_.timeout);
    watch_ = &watch;
    progress_ = &progress;
    Applied applied;
    for (const Unit& unit : plan.units) {
        if (context_.stop.stop_requested()) {
            applied.stopped = true;
            break;
        }
        lock_.check();
        fault::point("plan.unit.before");
        const auto start = SteadyClock::now();
        try {
            applied.failure = run(unit);
        } catch (const Error& error) {
            if (error.code() != Code::connect && error.code() != Code::rejected) throw;
            applied.failure = failure(std::nullopt, error);
        }
        if (applied.failure) {
            applied.failure->unit = applied.units;
            break;
        }
        fault::point("plan.unit.after");
        ++applied.units;
        progress.add(1);
        done(unit, std::chrono::duration<double>(SteadyClock::now() - start).count());
    }
    watch_ = nullptr;
    return applied;
}

std::optional<Failure> Executor::run(const Unit& unit) {
    if (unit.steps.empty()) {
        record(unit);
        return std::nullopt;
    }
    Lane& here = lane(unit.store);
    if (unit.steps.front().batches) return batched(unit, here);
    // At home only a step that ran alone leaves an intent behind.
    if (!unit.transaction || (at_home(here) && unit.steps.front().begun)) return alone(unit, here);
    auto failed = at_home(here) ? transaction(unit, here) : transaction_elsewhere(unit, here);
    if (failed && unit.or_alone && refuses_transaction(failed->error)) return alone(unit, here);
    return failed;
}

// --- one transaction ----------------------------------------------------------------------------------------------------------

std::optional<Failure> Executor::transaction(const Unit& unit, Lane& lane) {
    std::vector<SqlText> tail;
    const bool whole = unit.opens && unit.closes;
    if (!whole) tail.push_back(journal_.insert(entry(unit, JournalEvent::done, next_label())));
    if (unit.closes) {
        for (SqlText& text : closing(unit, !whole)) tail.push_back(std::move(text));
    }
    fault::point("plan.run.before");
    ScriptResult result = send(unit, lane, tail, "");
    if (!result.error) {
        fault::point("plan.run.after");
        return std::nullopt;
    }
    return failure(failed_step(unit, result), std::move(*result.error));
}

// The record cannot be in the same transaction: a mark can, and a later run finds the mark.
std::optional<Failure> Executor::transaction_elsewhere(const Unit& unit, Lane& lane) {
    const Step& first = unit.steps.front();
    std::optional<Failure> unknown;
    if (first.begun && settle(unit, find_mark(first.begun->label), lane, unknown)) return std::nullopt;
    if (unknown) return unknown;
    const std::string label = next_label();
    fault::point("plan.intent.before");
    journal_.write(entry(unit, JournalEvent::intent, label), context_.deadline());
    fault::point("plan.intent.after");
    Journal theirs(*lane.session, lane.sql().dialect(), job_);
    const std::vector<SqlText> mark{theirs.insert(entry(unit, JournalEvent::done, label))};
    fault::point("plan.run.before");
    ScriptResult result = send(unit, lane, mark, label);
    if (result.error) {
        if (result.error->code() != Code::connect) journal_.write(entry(unit, JournalEvent::failed, label), context_.deadline());
        return failure(failed_step(unit, result), std::move(*result.error));
    }
    fault::point("plan.run.after");
    journal_.write(entry(unit, JournalEvent::done, label), context_.deadline());
    fault::point("plan.outcome.after");
    record(unit);
    return std::nullopt;
}

// BEGIN, the steps, the tail, COMMIT; again as a whole while another transaction is in the way.
ScriptResult Executor::send(const Unit& unit, Lane& lane, std::span<const SqlText> tail, const std::string& label) {
    prepare(lane, unit.lock_timeout.value_or(options_.lock_timeout));
    if (!label.empty()) set_label(lane, label);
    std::vector<SqlStatement> statements{{"BEGIN"}};
    const std::string local = lane.pooled ? fmt::format("SET LOCAL lock_timeout = {}", unit.lock_timeout.value_or(options_.lock_timeout).count()) : std::string();
    if (lane.pooled) statements.push_back({local});
    const std::size_t first = statements.size();
    for (const Step& step : unit.steps) statements.push_back({step.sql, {}, step.copy_rows});
    // A file may have changed who it is; the record is ours.
    if (unit.dirties_session) statements.push_back({"SET LOCAL SESSION AUTHORIZATION DEFAULT"});
    const SqlText still_ours = lock_.still_ours();
    if (at_home(lane) && !still_ours.sql.empty()) statements.push_back(statement_of(still_ours));
    for (const SqlText& text : tail) statements.push_back(statement_of(text));
    // The connection goes back to others.
    if (lane.pooled && unit.dirties_session) statements.push_back({"RESET ALL"});
    statements.push_back({"COMMIT"});
    lane.dirty = lane.dirty || unit.dirties_session;
    Millis pause = first_pause;
    for (int tries = 1;; ++tries, pause = std::min(pause * 2, longest_pause)) {
        ScriptResult result = [&] {
            const auto guard = lane.pooled ? watch_->over_pooled(lane.sql(), lane.label, unit.what, std::nullopt) : watch_->over(lane.sql(), *lane.session, label, unit.what);
            return options_.observer ? watched_script(unit, lane, statements, first) : lane.session->script(statements, Deadline::never());
        }();
        result.done -= std::min(result.done, first - 1);  // as if BEGIN alone stood before the steps
        if (!result.error || result.error->code() == Code::connect) return result;
        lane.session->query("ROLLBACK", context_.deadline());
        if (lane.pooled && at_home(lane) && result.done > unit.steps.size() && result.error->server_code() == "22012") {  // division_by_zero: still_ours()
            result.error = Error(Code::locked, "the lease of this run was taken over by another run", "was this machine asleep? look at ysdb " + job_ + " status");
        }
        if (!found_no_lock(*result.error) || tries >= options_.lock_tries) {
            result.error = after_tries(*std::move(result.error), tries);
            return result;
        }
        say_no_lock(unit, tries, *result.error);
        if (!pause_for(jittered(pause), context_.stop)) return result;
    }
}

ScriptResult Executor::watched_script(const Unit& unit, Lane& lane, std::span<const SqlStatement> statements, std::size_t first) {
    const auto start = SteadyClock::now();
    ScriptResult result;
    for (std::size_t i = 0; i < statements.size(); ++i, ++result.done) {
        const SqlStatement& statement = statements[i];
        const bool is_step = i >= first && i < first + unit.steps.size();
        if (i == first) options_.observer->begin(unit, lane.sql(), *lane.session);
        const auto begun = SteadyClock::now();
        std::optional<std::uint64_t> rows;
        if (is_step && !statement.copy_rows) {
            try {
                rows = lane.session->query(statement.sql, statement.params, Deadline::never()).affected;
            } catch (const Error& error) {
                result.error = error;
                return result;
            }
        } else if (const ScriptResult one = lane.session->script(statements.subspan(i, 1), Deadline::never()); one.error) {
            result.error = one.error;
            return result;
        }
        if (is_step) options_.observer->done(unit, unit.steps[i - first], lane.sql(), *lane.session, std::chrono::duration<double>(SteadyClock::now() - begun).count(), rows);
    }
    options_.observer->end(unit, std::chrono::duration<double>(SteadyClock::now() - start).count());
    return result;
}

// --- one step outside a transaction -------------------------------------------------------------------------------------------

std::optional<Failure> Executor::alone(const Unit& unit, Lane& lane) {
    const Step& step = unit.steps.front();
    std::optional<Failure> unknown;
    if (step.begun && settle(unit, std::nullopt, lane, unknown)) return std::nullopt;
    if (unknown) return unknown;

    prepare(lane, step.waits_for_others ? Millis(0) : unit.lock_timeout.value_or(options_.lock_timeout));
    JournalEntry intent = entry(unit, JournalEvent::intent, next_label());
    std::string sql = step.sql;
    if (step.probe) {
        if (step.probe->mark) intent.found = lane.session->query(step.probe->mark->sql, step.probe->mark->params, context_.deadline()).row(0).text(0);
        const Seen before = step.probe->mark ? Seen{Effect::absent} : look(looking(lane), *step.probe, !step.probe->mend_finishes);
        const bool there = before.effect == Effect::present || (!step.cluster.empty() && before.effect != Effect::absent);  // on some hosts is there
        if (!step.probe->mark) intent.found = there ? "present" : "absent";
        if (before.effect == Effect::broken) sql = step.probe->mend + before.what + step.probe->mend_tail;  // somebody's run of the same was cut off
    }
    // Where both are one server's, its log has the intent before what the statement did, so that neither survives a crash without the other; and a lost
    // outcome is looked up. Of what may leave traces elsewhere the intent must be on disk first.
    const bool soon = at_home(lane) && (step.waits_for_others || step.repeatable);
    const auto write = [&](const JournalEntry& line) { soon ? journal_.write_soon(line, context_.deadline()) : journal_.write(line, context_.deadline()); };
    fault::point("plan.intent.before");
    write(intent);
    fault::point("plan.intent.after");
    set_label(lane, intent.label);
    lane.dirty = lane.dirty || unit.dirties_session;
    // Behind a pooler nothing is set outside a transaction: the watch ends what waits for too long.
    const Millis lock_timeout = step.waits_for_others || !lane.pooled ? Millis(0) : unit.lock_timeout.value_or(options_.lock_timeout);
    const std::optional<Millis> longest_wait = lock_timeout.count() > 0 ? std::optional(lock_timeout) : std::nullopt;
    Millis pause = first_pause;
    if (options_.observer) options_.observer->begin(unit, lane.sql(), *lane.session);
    for (int tries = 1;; ++tries, pause = std::min(pause * 2, longest_pause)) {
        try {
            const auto guard = lane.pooled ? watch_->over_pooled(lane.sql(), intent.label, step.what, longest_wait) : watch_->over(lane.sql(), *lane.session, intent.label, step.what);
            fault::point("plan.run.before");
            const auto begun = SteadyClock::now();
            SqlResult result;
            if (step.cluster.empty()) result = lane.session->query(sql, Deadline::never());
            else on_cluster(step, sql, lane, intent.label);
            if (options_.observer) {
                const double seconds = std::chrono::duration<double>(SteadyClock::now() - begun).count();
                options_.observer->done(unit, step, lane.sql(), *lane.session, seconds, result.affected);
                options_.observer->end(unit, seconds);
            }
            fault::point("plan.run.after");
            break;
        } catch (const Error& caught) {
            if (caught.code() == Code::connect) return failure(0, caught);  // the intent stays open: the next run settles it
            const bool waited = longest_wait && caught.server_code() == "57014" && watch_->gave_up();  // query_canceled, by the watch
            Error error = waited ? Error(Code::rejected, "store '" + lane.store->name() + "': no lock within " + human_duration(static_cast<double>(longest_wait->count()) / 1000)).with_server_code("55P03") : caught;
            // An ALTER may have begun a mutation before it was refused for what else is in it: that is not begun a second time.
            const bool begins_mutation = step.probe && step.probe->mark;
            if (found_no_lock(error) && tries < options_.lock_tries && (!begins_mutation || is_absent(*lane.session, *step.probe, intent.found, context_.deadline()))) {
                say_no_lock(unit, tries, error);
                if (pause_for(jittered(pause), context_.stop)) continue;
            }
            error = after_tries(std::move(error), tries);
            const bool nothing_done = step.repeatable || refused_before_running(error) || (step.probe && is_absent(*lane.session, *step.probe, intent.found, context_.deadline()));
            if (step.may_leave_part && !nothing_done) return failure(0, error, true);
            JournalEntry outcome = intent;
            outcome.event = JournalEvent::failed;
            journal_.write(outcome, context_.deadline());
            return failure(0, error);
        }
    }
    fault::point("plan.outcome.before");
    intent.event = JournalEvent::done;
    write(intent);
    fault::point("plan.outcome.after");
    record(unit);
    return std::nullopt;
}

bool Executor::settle(const Unit& unit, const std::optional<SqlText>& mark, Lane& lane, std::optional<Failure>& unknown) {
    const Step& step = unit.steps.front();
    const JournalEntry& begun = *step.begun;
    const Looking here = looking(lane);
    wait_for_orphan(here, begun.label);
    Seen seen{Effect::unclear};
    const auto hosts = step.cluster.empty() ? std::nullopt : follow_on_cluster(step, lane, begun.label);
    if (mark) {
        seen.effect = look(here, {*mark, {}}, false).effect;
    } else if (hosts && !judge(step.cluster, *hosts)) {
        seen.effect = Effect::present;
    } else if (step.probe && step.probe->mark) {
        seen = look_behind(here, *step.probe, begun.found);
    } else if (begun.found == "present") {
        seen.effect = Effect::absent;  // it was there before the step: the look proves nothing, and the server refuses or ignores it again
    } else if (step.probe) {
        seen = look(here, *step.probe, true);
    }
    auto& [effect, what] = seen;
    if (effect == Effect::unclear && step.repeatable) effect = Effect::absent;
    if (effect == Effect::unclear && hosts) what = describe(*hosts);
    if (effect == Effect::unclear || effect == Effect::stuck) {
        const std::string why = effect == Effect::stuck ? "goes on by itself and fails each time: " + what : "was cut off with an earlier run, and nothing tells whether it took effect" + (what.empty() ? "" : ": " + what);
        unknown = failure(0, Error(Code::partial, "'" + step.what + "' " + why), true);
        if (effect == Effect::stuck) unknown->error.with_server_code("341");  // UNFINISHED, as the server says when a mutation fails under its statement
        return false;
    }
    context_.log.info("settled", {{"unit", unit.what}, {"step", step.number}, {"effect", effect == Effect::present ? "present" : "absent"}});
    if (effect != Effect::present) return false;
    JournalEntry outcome = begun;
    outcome.event = JournalEvent::done;
    journal_.write(outcome, context_.deadline());
    record(unit);
    return true;
}

// --- records ------------------------------------------------------------------------------------------------------------------

// What ends a key: the job's record, then the journal's line below it. In this order, so that a crash between them loses nothing.
std::vector<SqlText> Executor::closing(const Unit& unit, bool journaled) {
    std::vector<SqlText> texts = unit.record;
    if (journaled) texts.push_back(journal_.insert({unit.key, 0, JournalEvent::complete, "", unit.store, "", "", ""}));
    return texts;
}

void Executor::record(const Unit& unit) {
    if (!unit.closes) return;
    Lane& home = lane(home_);
    std::vector<SqlText> texts = closing(unit, true);
    if (home.sql().transactional_ddl()) {
        texts.insert(texts.begin(), SqlText{"BEGIN", {}});
        texts.push_back({"COMMIT", {}});
    }
    std::vector<SqlStatement> statements;
    for (const SqlText& text : texts) statements.push_back(statement_of(text));
    fault::point("plan.record.before");
    const ScriptResult result = home.session->script(statements, context_.deadline());
    if (result.error) throw *result.error;
    fault::point("plan.record.after");
}

Looking Executor::looking(Lane& lane) {
    return {context_, *lane.session, lane.sql().dialect(), lane.store->name(), *progress_, options_.orphan_wait, [this, &lane] { prepare(lane, Millis(0)); }};
}

// --- sessions -----------------------------------------------------------------------------------------------------------------

void Executor::set_label(Lane& lane, const std::string& label) {
    lane.session->set_label(label);
    lane.label = label;
}

void Executor::say_no_lock(const Unit& unit, int tries, const Error& error) {
    const std::string blocker = watch_->blocker();
    context_.log.warn("lock not free", {{"unit", unit.what}, {"try", tries}, {"of", options_.lock_tries}, {"reason", error.message() + (blocker.empty() ? "" : "; " + blocker)}});
}

void Executor::prepare(Lane& lane, Millis lock_timeout) {
    if (lane.sql().dialect() != Dialect::postgres || lane.pooled) return;
    if (lane.dirty) {
        lane.session->query(clean_session, context_.deadline());
        lane.dirty = false;
        lane.lock_timeout.reset();
    }
    if (lane.lock_timeout == lock_timeout) return;
    lane.session->query(fmt::format("SET lock_timeout = {}", lock_timeout.count()), context_.deadline());
    lane.lock_timeout = lock_timeout;
}

Executor::Lane& Executor::lane(const std::string& name) {
    if (const auto found = lanes_.find(name); found != lanes_.end()) return found->second;
    Lane lane;
    lane.store = &context_.stores.get(name);
    lane.own = lane.sql().open_session("ysdb " + job_ + " " + context_.run_id, context_.deadline());
    lane.session = lane.own.get();
    lane.label = "ysdb " + job_ + " " + context_.run_id;
    lane.pooled = behind_pooler(lane.sql(), *lane.session, context_.deadline());
    if (lane.sql().dialect() == Dialect::clickhouse) lane.session->query(clickhouse_settings, context_.deadline());
    if (lane.sql().transactional_ddl()) install_table(*lane.session, lane.sql().dialect(), "journal", context_.deadline());
    return lanes_.emplace(name, std::move(lane)).first->second;
}

JournalEntry Executor::entry(const Unit& unit, JournalEvent event, const std::string& label) const {
    const Step& step = unit.steps.front();
    const bool all = unit.block == 0 && (unit.steps.size() > 1 || (unit.transaction && unit.opens && unit.closes));
    return {unit.key, all ? whole_unit : step.number, event, step.hash, unit.store, step.place, label, ""};
}

}  // namespace ysdb::plan
