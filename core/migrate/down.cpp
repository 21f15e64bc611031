// The way back: down, and redo, which goes it and returns.
#include <algorithm>

#include "core/base/fault.h"
#include "core/base/text.h"
#include "core/migrate/migrate.h"
#include "core/migrate/run.h"

namespace ysdb::migrate {

namespace {

using Selected = std::vector<const Standing*>;

std::vector<std::string> titles(const Selected& selected) {
    std::vector<std::string> names;
    for (const Standing* standing : selected) names.push_back(standing->title());
    return names;
}

Selected in_order_of_versions(Selected selected) {
    std::sort(selected.begin(), selected.end(), [](const Standing* a, const Standing* b) { return version_less(a->version(), b->version()); });
    return selected;
}

// What a redo is to do: what an unfinished one began, otherwise the last applied ones. Those that are gone already are only applied again.
struct Redo {
    Selected back, again;
};

Redo select_redo(const Workspace& work, const DownOptions& options) {
    Redo redo;
    for (const Standing& standing : work.standings) {
        if (!standing.redoing || standing.file == nullptr) continue;
        if (standing.row && standing.journal.empty()) redo.back.push_back(&standing);
        redo.again.push_back(&standing);
    }
    if (redo.again.empty()) redo.back = redo.again = select_applied(work.standings, options);
    std::sort(redo.back.begin(), redo.back.end(), [](const Standing* a, const Standing* b) { return a->row->order > b->row->order; });
    redo.again = in_order_of_versions(redo.again);
    return redo;
}

void add_units(plan::Plan& plan, plan::Plan more) { std::move(more.units.begin(), more.units.end(), std::back_inserter(plan.units)); }

Report preview(Workspace& work, plan::Plan plan, const std::string& nothing) {
    measure(plan, work.context);
    Report report = plan.preview();
    warn_of_missing(work, report);
    report.title = plan.units.empty() ? nothing : "";
    return report;
}

void ask(const Confirm& confirm, const Report& preview, const std::string& question) {
    if (!confirm(preview, question)) throw Error(Code::refused, "not confirmed, nothing was changed");
}

void refuse_other(const std::vector<std::string>& confirmed, const std::vector<std::string>& found) {
    if (confirmed != found) throw Error(Code::refused, "another run changed the history meanwhile: now it would be " + (found.empty() ? "nothing" : join(found, ", ")), "look again: --dry-run");
}

}  // namespace

Report down(Context& context, const DownOptions& options, const Confirm& confirm) {
    const auto start = SteadyClock::now();
    Workspace work(context);
    work.read();
    Selected selected = select_applied(work.standings, options);
    Report shown = preview(work, make_plan(selected, Direction::down, work.home, context.config.migrate.variables, record_of_down(work, false)), "nothing to take back");
    if (context.dry_run || selected.empty()) return shown;
    const std::vector<std::string> confirmed = titles(selected);
    ask(confirm, shown, "Take back " + join(confirmed, ", ") + "? What their migrate:down sections drop is gone.");

    const auto lock = plan::RunnerLock::acquire(context, *work.store, *work.session, "migrate", options.lock_wait);
    fault::point("migrate.lock.after");
    work.read();
    selected = select_applied(work.standings, options);
    refuse_other(confirmed, titles(selected));
    work.refuse_own_schema(selected);
    work.install();
    close_recorded(work);
    Report report;
    Table& table = add_migration_table(report);
    Runner runner(work, lock, {options.lock_timeout, options.lock_wait, options.observer, "ysdb migrate down"});
    runner.apply(selected, Direction::down, record_of_down(work, false), survey(work, selected, Direction::down).units, table);
    report.add_figure("taken_back", static_cast<std::int64_t>(table.rows.size()), Unit::count);
    report.add_figure("seconds", std::chrono::duration<double>(SteadyClock::now() - start).count(), Unit::seconds);
    report.next = "ysdb migrate status";
    return report;
}

Report redo(Context& context, const DownOptions& options, const Confirm& confirm) {
    const auto start = SteadyClock::now();
    Workspace work(context);
    work.read();
    Redo selected = select_redo(work, options);
    plan::Plan both = make_plan(selected.back, Direction::down, work.home, context.config.migrate.variables, record_of_down(work, true));
    add_units(both, make_plan(selected.again, Direction::up, work.home, context.config.migrate.variables, record_of_up(work)));
    const Report shown = preview(work, std::move(both), "nothing to take back and apply again");
    if (context.dry_run || selected.again.empty()) return shown;
    const std::vector<std::string> confirmed = titles(selected.again);
    ask(confirm, shown, "Take back and apply again " + join(confirmed, ", ") + "? What their migrate:down sections drop is gone.");

    const auto lock = plan::RunnerLock::acquire(context, *work.store, *work.session, "migrate", options.lock_wait);
    fault::point("migrate.lock.after");
    work.read();
    work.install();
    close_recorded(work);
    selected = select_redo(work, options);
    refuse_other(confirmed, titles(selected.again));
    work.refuse_own_schema(selected.again);
    for (const Standing* standing : selected.again) {
        if (!standing->redoing) work.journal.write({redo_key(standing->version()), plan::whole_unit, plan::JournalEvent::intent, "", work.home, "", "", ""}, context.deadline());
    }
    fault::point("migrate.redo.after");

    Report report;
    Table& table = add_migration_table(report);
    Table gone;
    Runner runner(work, lock, {options.lock_timeout, options.lock_wait, options.observer, "ysdb migrate redo"});
    const std::vector<std::string> versions = [&] {
        std::vector<std::string> list;
        for (const Standing* standing : selected.again) list.push_back(standing->version());
        return list;
    }();
    runner.apply(selected.back, Direction::down, record_of_down(work, true), survey(work, selected.back, Direction::down).units, gone);
    work.read();
    Selected again;
    for (const Standing& standing : work.standings) {
        if (std::find(versions.begin(), versions.end(), standing.version()) != versions.end()) again.push_back(&standing);
    }
    runner.apply(again, Direction::up, record_of_up(work), survey(work, again, Direction::up).units, table);
    report.add_figure("taken_back", static_cast<std::int64_t>(gone.rows.size()), Unit::count);
    report.add_figure("applied", static_cast<std::int64_t>(table.rows.size()), Unit::count);
    report.add_figure("seconds", std::chrono::duration<double>(SteadyClock::now() - start).count(), Unit::seconds);
    report.next = "ysdb migrate status";
    return report;
}

}  // namespace ysdb::migrate
