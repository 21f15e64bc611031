// The verbs that correct what ysdb knows, and run no migration.
#include <fmt/core.h>

#include <algorithm>

#include "core/base/retry.h"
#include "core/migrate/migrate.h"
#include "core/migrate/workspace.h"
#include "core/plan/runner_lock.h"

namespace ysdb::migrate {

namespace {

const Standing& standing_of(const Workspace& work, const std::string& version) {
    for (const Standing& standing : work.standings) {
        if (same_version(standing.version(), version)) return standing;
    }
    throw Error(Code::refused, "no migration has the version " + version, "see what there is: ysdb migrate status");
}

// The mutations that this statement left at work, ended; what they are called.
std::string kill_mutation(Context& context, const Migration& file, Direction direction, const plan::JournalEntry& begun) {
    const int number = begun.step;
    const plan::Step step = step_of(file, direction, static_cast<std::size_t>(number) - 1, context.config.migrate.variables);
    if (!step.probe || !step.probe->find) throw Error(Code::refused, fmt::format("statement {} of {} is no mutation", number, file.title()), "say --applied or --again");
    SqlStore& store = *context.stores.get(file.store).sql();
    plan::SqlText find = *step.probe->find;
    find.params.emplace_back(begun.found);
    const auto at_work = [&] { return store.query(find.sql, find.params, context.deadline()); };
    const SqlResult found = at_work();
    if (found.rows() == 0) throw Error(Code::refused, fmt::format("no mutation of statement {} of {} is at work", number, file.title()), "look at system.mutations, then say --applied or --again");
    std::string ended;
    for (std::size_t i = 0; i < found.rows(); ++i) {
        const SqlRow row = found.row(i);
        ended += (i == 0 ? "" : ", ") + row.text(2) + " of " + row.text(0) + "." + row.text(1);
        if (!context.dry_run) store.query(step.probe->end, row.cells, context.deadline());
    }
    for (const Deadline deadline = context.deadline(); !context.dry_run && at_work().rows() > 0;) {
        if (deadline.passed() || !pause_for(Millis(100), context.stop)) throw Error(Code::rejected, "the mutation does not end: " + ended, "look at system.mutations; then run the same command again");
    }
    return ended;
}

}  // namespace

Report repair(Context& context, const Repair& repair, Millis lock_wait) {
    Workspace work(context);
    const auto lock = plan::RunnerLock::acquire(context, *work.store, *work.session, "migrate", lock_wait);
    work.read();
    const Standing& standing = standing_of(work, repair.version);
    const Direction direction = standing.back.empty() ? Direction::up : Direction::down;
    for (plan::JournalEntry entry : latest_by_step(standing.unfinished(direction))) {
        if (entry.step != repair.step || entry.event != plan::JournalEvent::intent) continue;
        const std::string ended = repair.kill_mutation ? kill_mutation(context, *standing.file, direction, entry) : "";
        entry.event = repair.applied ? plan::JournalEvent::done : plan::JournalEvent::failed;
        if (!context.dry_run) work.journal.write(entry, context.deadline());
        Report report;
        const std::string verb = direction == Direction::up ? "up" : standing.redoing ? "redo" : "down";
        report.title = fmt::format("statement {} of {} {} {}", repair.step, standing.title(), context.dry_run ? "would count as" : "counts as",
                                   repair.applied ? "applied" : "not applied: " + verb + " runs it again");
        if (!ended.empty()) report.warnings.push_back(std::string(context.dry_run ? "would be ended: " : "ended: ") + ended + "; what it has changed stays changed");
        report.next = "ysdb migrate " + verb;
        return report;
    }
    throw Error(Code::refused, fmt::format("statement {} of migration {} is in no doubt", repair.step, repair.version), "see what is: ysdb migrate status");
}

Report baseline(Context& context, const std::string& version, Millis lock_wait) {
    Workspace work(context);
    const auto lock = plan::RunnerLock::acquire(context, *work.store, *work.session, "migrate", lock_wait);
    if (!context.dry_run) work.install();
    work.read();
    standing_of(work, version);
    Report report;
    Table& table = report.add_table("migrations", "", {{"version"}, {"name"}, {"store"}});
    for (const Standing& standing : work.standings) {
        if (standing.row || standing.state == State::skipped || version_less(version, standing.version())) continue;
        if (!standing.journal.empty()) throw Error(Code::refused, standing.file->source.path + ": an unfinished run began it", "finish it first: ysdb migrate up --to " + standing.version());
        table.rows.push_back({standing.file->version, standing.file->name, standing.file->store});
        if (context.dry_run) continue;
        const plan::SqlText row = history_insert(*standing.file, work.store->dialect(), context.run_id, Origin::baseline);
        work.session->query(row.sql, row.params, context.deadline());
    }
    report.title = table.rows.empty() ? "nothing is pending up to version " + version : context.dry_run ? "would be taken for applied" : "taken for applied, nothing was run";
    report.next = "ysdb migrate status";
    return report;
}

}  // namespace ysdb::migrate
