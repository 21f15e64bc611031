#include <deque>

#include "core/base/fault.h"
#include "core/base/text.h"
#include "core/migrate/guard.h"
#include "core/migrate/lint/lint.h"
#include "core/migrate/migrate.h"
#include "core/migrate/run.h"

namespace ysdb::migrate {

namespace {

// What `up` is to run: the pending ones, and the callbacks around them when there are any.
class Run {
public:
    Run(const Workspace& work, const UpOptions& options) : selected_(select_pending(work.standings, options)), pending_(selected_.size()) {
        if (selected_.empty()) return;
        for (const Migration& file : work.before_up) callbacks_.emplace_back().file = &file;
        for (const Standing& standing : callbacks_) selected_.insert(selected_.end() - static_cast<std::ptrdiff_t>(pending_), &standing);
        for (const Migration& file : work.after_up) {
            callbacks_.emplace_back().file = &file;
            selected_.push_back(&callbacks_.back());
        }
    }
    const std::vector<const Standing*>& selected() const { return selected_; }
    bool empty() const { return pending_ == 0; }

private:
    std::deque<Standing> callbacks_;
    std::vector<const Standing*> selected_;
    std::size_t pending_;
};

plan::Plan plan_of(Workspace& work, const Run& run) { return make_plan(run.selected(), Direction::up, work.home, work.context.config.migrate.variables, record_of_up(work)); }

// What speaks against running the plan now. Nothing does where that cannot be found out.
std::vector<std::string> found_by_guard(plan::Plan& plan, Context& context, const UpOptions& options) {
    if (options.guard.value_or(context.config.migrate.guard) == "off") return {};
    try {
        measure(plan, context);
        return troubles(plan, context, options.guard_above);
    } catch (const Error& error) {
        if (error.code() != Code::rejected) throw;
        context.log.debug("the guard could not look", {{"reason", error.message()}});
        return {};
    }
}

void guard(plan::Plan& plan, Context& context, const UpOptions& options) {
    const std::vector<std::string> found = found_by_guard(plan, context, options);
    if (!found.empty() && options.guard.value_or(context.config.migrate.guard) == "refuse") {
        throw Error(Code::refused, "not now: " + join(found, "; "), "nothing was changed; wait until that is over, or go ahead all the same: ysdb migrate up --guard warn");
    }
    for (const std::string& trouble : found) context.log.warn(trouble, {});
}

}  // namespace

Report plan_report(Context& context, const UpOptions& options) {
    Workspace work(context, options.environment, Reading::at_once);
    work.read();
    const Run run(work, options);
    work.refuse_own_schema(run.selected());
    plan::Plan plan = plan_of(work, run);
    measure(plan, context);
    explain(plan, work.standings, context);
    Report report = plan.preview();
    for (const std::string& trouble : found_by_guard(plan, context, options)) report.warnings.push_back(trouble);
    warn_of_missing(work, report);
    report.title = plan.units.empty() ? "nothing to apply" : "";
    if (!plan.units.empty()) report.next = "ysdb migrate up";
    return report;
}

Report up(Context& context, const UpOptions& options) {
    if (context.dry_run) return plan_report(context, options);
    const auto start = SteadyClock::now();
    Workspace work(context, options.environment, Reading::later, Keep::outline);
    const auto lock = plan::RunnerLock::acquire(context, *work.store, *work.session, "migrate", options.lock_wait);
    fault::point("migrate.lock.after");
    work.read();
    const Run run(work, options);
    work.refuse_own_schema(run.selected());
    work.install();
    close_recorded(work);

    Report report;
    Table& table = add_migration_table(report);
    Runner runner(work, lock, {options.lock_timeout, options.lock_wait, options.observer, "ysdb migrate up"});
    Survey seen = survey(work, run.selected(), Direction::up);
    guard(seen.plan, context, options);
    seen.plan.units = {};
    runner.apply(run.selected(), Direction::up, record_of_up(work), seen.units, table);
    report.title = run.empty() ? "nothing to apply" : "";
    report.add_figure("applied", static_cast<std::int64_t>(table.rows.size()), Unit::count);
    report.add_figure("seconds", std::chrono::duration<double>(SteadyClock::now() - start).count(), Unit::seconds);
    warn_of_missing(work, report);
    report.next = "ysdb migrate status";
    return report;
}

}  // namespace ysdb::migrate
