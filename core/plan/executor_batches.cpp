// A step that runs in batches: the executor's journal around a Backfill, with its pauses, its waits for replicas and its tries.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/base/fault.h"
#include "core/base/retry.h"
#include "core/plan/backfill.h"
#include "core/plan/executor.h"
#include "core/plan/refusals.h"
#include "core/plan/watch.h"

namespace ysdb::plan {

namespace {

constexpr Millis first_pause{100};
constexpr Millis longest_pause{5'000};
constexpr Millis between_looks{1'000};       // at replicas
constexpr Millis between_words{60'000};      // of a wait for them

// A later try, or a smaller batch, may get through: serialization_failure, query_canceled (a statement_timeout of the role).
bool worth_another_try(const Error& error) { return found_no_lock(error) || error.server_code() == "40001" || error.server_code() == "57014"; }

}  // namespace

std::optional<Failure> Executor::batched(const Unit& unit, Lane& lane) {
    const Step& step = unit.steps.front();
    const Batches& batches = *step.batches;
    const auto finish = [&](JournalEntry entry) {
        entry.event = JournalEvent::done;
        fault::point("plan.outcome.before");
        journal_.write(entry, context_.deadline());
        fault::point("plan.outcome.after");
        record(unit);
    };
    if (step.begun) {
        wait_for_orphan(looking(lane), step.begun->label);
        if (Backfill::finished(*lane.session, step.begun->label, context_.deadline())) {
            finish(*step.begun);
            return std::nullopt;
        }
    }
    const Millis lock_timeout = unit.lock_timeout.value_or(options_.lock_timeout);
    prepare(lane, lock_timeout);
    const JournalEntry intent = entry(unit, JournalEvent::intent, next_label());
    fault::point("plan.intent.before");
    journal_.write(intent, context_.deadline());
    fault::point("plan.intent.after");
    set_label(lane, intent.label);

    if (options_.observer) options_.observer->begin(unit, lane.sql(), *lane.session);
    const auto begun = SteadyClock::now();
    Backfill fill(*lane.session, batches, step.sql);
    const std::string before = lane.pooled ? fmt::format("SET LOCAL lock_timeout = {}", lock_timeout.count()) : std::string();
    const SqlText check = at_home(lane) ? lock_.still_ours() : SqlText{};
    std::optional<std::int64_t> table_rows;
    bool warned_blind = false;
    SteadyClock::time_point looked{};
    const auto stopped = [&] {
        return Error(Code::interrupted, fmt::format("stopped in {}: {} rows of the table are done, {} were changed", step.place, human_count(static_cast<double>(fill.rows_read())), human_count(static_cast<double>(fill.rows_changed()))),
                     "that stays; the same command goes on there");
    };
    const auto wait = [&](Millis span) {
        if (!pause_for(span, context_.stop)) throw stopped();
    };
    const auto wait_for_replicas = [&] {
        if (!batches.lag || SteadyClock::now() - looked < between_looks) return;
        for (auto told = SteadyClock::time_point{};; wait(between_looks)) {
            bool blind = false;
            const std::string behind = replica_behind(*lane.session, *batches.lag, blind, context_.deadline());
            looked = SteadyClock::now();
            if (blind && !std::exchange(warned_blind, true)) {
                context_.log.warn("the lag of replicas is not seen by this role, and the backfill does not wait for them", {{"store", lane.store->name()}, {"hint", "GRANT pg_monitor"}});
            }
            if (behind.empty()) return;
            lock_.check();
            progress_->note(step.what + ": waits, " + behind);
            if (looked - told < between_words) continue;
            told = looked;
            context_.log.info("backfill waits", {{"step", step.place}, {"reason", behind}});
        }
    };
    try {
        table_rows = estimated_rows(lane.sql(), batches.table, context_.deadline());
        fill.begin({job_, unit.key, step.number, step.hash, step.place}, intent.label, context_.deadline());
        Millis pause = first_pause;
        for (int tries = 1; !fill.finished();) {
            if (context_.stop.stop_requested()) throw stopped();
            lock_.check();
            wait_for_replicas();
            try {
                const auto guard = lane.pooled ? watch_->over_pooled(lane.sql(), intent.label, step.what, std::nullopt) : watch_->over(lane.sql(), *lane.session, intent.label, step.what);
                fill.run_batch(before, check, context_.deadline());
            } catch (const Error& error) {
                if (error.code() == Code::connect) throw;
                lane.session->query("ROLLBACK", context_.deadline());
                if (!worth_another_try(error) || tries >= options_.lock_tries) throw;
                context_.log.warn("batch not done", {{"step", step.place}, {"try", tries}, {"of", options_.lock_tries}, {"rows", fill.size()}, {"reason", error.message()}});
                fill.shrink();
                ++tries;
                wait(jittered(pause));
                pause = std::min(pause * 2, longest_pause);
                continue;
            }
            tries = 1;
            pause = first_pause;
            progress_->note(step.what + ": " + fill.progress(table_rows));
            if (!fill.finished()) wait(fill.pause());
        }
    } catch (const Error& error) {
        if (error.code() == Code::connect) return Failure{0, 0, error};  // the intent stays open: the next run finds out how far it came
        if (error.code() == Code::interrupted || error.code() == Code::locked) throw;
        JournalEntry outcome = intent;
        outcome.event = JournalEvent::failed;
        journal_.write(outcome, context_.deadline());
        const std::string kept = fill.rows_read() == 0 ? "" : fmt::format("{} rows of the table are done, {} were changed, and stay so", human_count(static_cast<double>(fill.rows_read())), human_count(static_cast<double>(fill.rows_changed())));
        Failure failed{0, 0, error};
        failed.error.with_more_hint(kept);
        return failed;
    }
    if (options_.observer) {
        const double seconds = std::chrono::duration<double>(SteadyClock::now() - begun).count();
        options_.observer->done(unit, step, lane.sql(), *lane.session, seconds, static_cast<std::uint64_t>(fill.rows_changed()));
        options_.observer->end(unit, seconds);
    }
    context_.log.info("backfilled", {{"step", step.place}, {"rows", fill.rows_read()}, {"changed", fill.rows_changed()}});
    finish(intent);
    return std::nullopt;
}

}  // namespace ysdb::plan
