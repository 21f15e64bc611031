#include <fmt/core.h>

#include <map>
#include <set>

#include "core/base/fault.h"
#include "core/migrate/lint/lint.h"
#include "core/migrate/migrate.h"
#include "core/migrate/workspace.h"
#include "core/plan/executor.h"
#include "core/plan/runner_lock.h"

namespace ysdb::migrate {

namespace {

using FileByKey = std::map<std::string, const Migration*>;

FileByKey files_by_key(const std::vector<const Standing*>& pending) {
    FileByKey files;
    for (const Standing* standing : pending) files.emplace(unit_key(standing->version()), standing->file);
    return files;
}

// The bytes of the file at which the server stopped: what it said, or the statement's first word.
std::pair<std::size_t, std::size_t> fault_span(const Migration& file, const Statement& statement, const Error& error) {
    const std::string_view sql = statement.text(file.source);
    const std::size_t at = error.position() == 0 ? 0 : std::min(byte_of_character(sql, error.position()), sql.size() - 1);
    return {statement.begin + at, word_length(sql.substr(at))};
}

// What the run did before it stopped, and how to go on.
std::string hint_after(const plan::Plan& plan, const plan::Applied& applied, const plan::Unit& unit) {
    std::set<std::string> whole;
    std::size_t steps_of_this = 0;
    for (std::size_t i = 0; i < applied.units; ++i) {
        if (plan.units[i].closes) whole.insert(plan.units[i].key);
        if (plan.units[i].key == unit.key) steps_of_this += plan.units[i].steps.size();
    }
    std::string hint = whole.empty() ? "" : fmt::format("{} migration{} of this run {} applied and stay{}; ", whole.size(), whole.size() == 1 ? "" : "s", whole.size() == 1 ? "was" : "were", whole.size() == 1 ? "s" : "");
    const int first = unit.steps.empty() ? 0 : unit.steps.front().number;
    if (unit.transaction && unit.opens && unit.closes) hint += fmt::format("nothing of {} was kept; ", unit.what);
    else if (first > 1) hint += fmt::format("statements 1 to {} of {} are applied and stay; ", first - 1, unit.what);
    return hint + "correct it, then go on: ysdb migrate up";
}

Error failure_error(const FileByKey& files, const plan::Plan& plan, const plan::Applied& applied) {
    const plan::Failure& failed = *applied.failure;
    const plan::Unit& unit = plan.units[failed.unit];
    const Migration& file = *files.at(unit.key);
    const std::string code = failed.error.server_code().empty() ? "" : " (" + failed.error.server_code() + ")";
    const std::string hint = (failed.error.hint().empty() ? "" : failed.error.hint() + "; ") + hint_after(plan, applied, unit);
    if (failed.error.code() == Code::connect) {
        return Error(Code::connect, file.source.path + ": " + failed.error.message(), "whether it was applied is found out by the next run: ysdb migrate up").with_retryable();
    }
    if (!failed.step) {
        return Error(failed.error.code(), file.source.path + ": " + failed.error.message() + code, hint).with_server_code(failed.error.server_code());
    }
    const plan::Step& step = unit.steps[*failed.step];
    const Statement& statement = file.up[static_cast<std::size_t>(step.number) - 1];
    const auto [offset, length] = fault_span(file, statement, failed.error);
    if (failed.unknown) {
        const std::string command = fmt::format("ysdb migrate repair {} --step {}", file.version, step.number);
        const std::string why = failed.error.code() == Code::partial ? "" : "; it may have done a part before that";
        return file.source.fault(Code::partial, offset, length, failed.error.message() + code + why,
                                 "look at the store, then say what you found: " + command + " --applied, or to run it again: " + command + " --again");
    }
    return file.source.fault(failed.error.code(), offset, length, failed.error.message() + code, hint).with_server_code(failed.error.server_code()).with_retryable(failed.error.retryable());
}

// A run that was killed between the history's row and the journal's last line (only where the two are no transaction) left this to do.
void close_applied(Workspace& work) {
    std::set<std::string> open;
    for (const Standing& standing : work.standings) {
        if (standing.row && !standing.journal.empty()) open.insert(unit_key(standing.version()));
    }
    for (const std::string& key : open) work.journal.write({key, plan::whole_unit, plan::JournalEvent::complete, "", work.home, "", "", ""}, work.context.deadline());
}

void warn_of_missing(const Workspace& work, Report& report) {
    for (const Standing& standing : work.standings) {
        if (standing.state == State::missing) report.warnings.push_back("migration " + standing.row->title() + " was applied, and its file is gone");
    }
}

}  // namespace

Report plan_report(Context& context, const UpOptions& options) {
    Workspace work(context);
    work.read();
    const auto pending = select_pending(work.standings, options);
    work.refuse_own_schema(pending);
    plan::Plan plan = make_plan(pending, work.home, work.store->dialect(), context.run_id);
    measure(plan, context);
    explain(plan, work.standings, context);
    Report report = plan.preview();
    warn_of_missing(work, report);
    report.title = plan.units.empty() ? "nothing to apply" : "";
    if (!plan.units.empty()) report.next = "ysdb migrate up";
    return report;
}

Report up(Context& context, const UpOptions& options) {
    if (context.dry_run) return plan_report(context, options);
    const auto start = SteadyClock::now();
    Workspace work(context);
    const auto lock = plan::RunnerLock::acquire(context, *work.store, *work.session, "migrate", options.lock_wait);
    fault::point("migrate.lock.after");
    work.read();
    const auto pending = select_pending(work.standings, options);
    work.refuse_own_schema(pending);
    work.install();
    close_applied(work);
    const FileByKey files = files_by_key(pending);
    const plan::Plan plan = make_plan(pending, work.home, work.store->dialect(), context.run_id);

    Report report;
    Table& table = report.add_table("migrations", "", {{"version"}, {"name"}, {"store"}, {"statements", Unit::count}, {"seconds", Unit::seconds}});
    double seconds = 0;
    plan::ExecutorOptions executor_options;
    executor_options.lock_timeout = options.lock_timeout;
    executor_options.orphan_wait = options.lock_wait;
    plan::Executor executor(context, "migrate", work.home, *work.session, work.journal, lock, executor_options);
    const auto progress = context.progress.begin("migrate", ProgressUnit::steps, plan.units.size());
    const plan::Applied applied = executor.apply(plan, *progress, [&](const plan::Unit& unit, double took) {
        seconds += took;
        if (!unit.closes) return;
        const Migration& file = *files.at(unit.key);
        context.log.debug("migrated", {{"version", file.version}, {"name", file.name}, {"store", file.store}, {"seconds", seconds}});
        table.rows.push_back({file.version, file.name, file.store, static_cast<std::int64_t>(file.up.size()), seconds});
        seconds = 0;
    });
    if (applied.failure) throw failure_error(files, plan, applied);
    if (applied.stopped) {
        throw Error(Code::interrupted, fmt::format("stopped after {} of {} migrations", table.rows.size(), pending.size()), "what was applied stays; go on with: ysdb migrate up");
    }
    report.title = pending.empty() ? "nothing to apply" : "";
    report.add_figure("applied", static_cast<std::int64_t>(table.rows.size()), Unit::count);
    report.add_figure("seconds", std::chrono::duration<double>(SteadyClock::now() - start).count(), Unit::seconds);
    warn_of_missing(work, report);
    report.next = "ysdb migrate status";
    return report;
}

}  // namespace ysdb::migrate
