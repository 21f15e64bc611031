#include "core/migrate/run.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

namespace ysdb::migrate {

namespace {

// The bytes of the file at which the server stopped: what it said, or the statement's first word.
std::pair<std::size_t, std::size_t> fault_span(const Migration& file, const Statement& statement, const Error& error, const Variables& variables) {
    const std::string_view sql = statement.text(file.source);
    if (error.position() == 0) return {statement.begin, word_length(sql)};
    const Expanded sent = expand(file, statement.begin, statement.end, variables);
    const std::size_t at = std::min(sent.source_of(byte_of_character(sent.text, error.position())), statement.end - 1);
    return {at, word_length(sql.substr(at - statement.begin))};
}

// What the run did before it stopped, and how to go on.
std::string hint_after(std::size_t whole, const plan::Unit& unit, Direction direction, const std::string& command) {
    std::string hint = whole == 0 ? "" : fmt::format("{} migration{} of this run {} {} and stay{}{}; ", whole, whole == 1 ? "" : "s", whole == 1 ? "was" : "were", direction == Direction::up ? "applied" : "taken back",
                                                     whole == 1 ? "s" : "", direction == Direction::up ? "" : " so");
    const int first = unit.steps.empty() ? 0 : unit.steps.front().number;
    if (unit.transaction && unit.opens && unit.closes) hint += fmt::format("nothing of {} was {}; ", unit.what, direction == Direction::up ? "kept" : "taken back");
    else if (first > 1) hint += fmt::format("statements 1 to {} of {} are {} and stay; ", first - 1, unit.what, direction == Direction::up ? "applied" : "done");
    return hint + "correct it, then go on: " + command;
}

// `whole`: migrations that this run had done before.
Error failure_error(const Migration& file, Direction direction, const plan::Unit& unit, const plan::Failure& failed, std::size_t whole, const std::string& command, const Variables& variables) {
    const std::string message = without_values(failed.error.message(), variables);
    const std::string code = failed.error.server_code().empty() ? "" : " (" + failed.error.server_code() + ")";
    const std::string hint = (failed.error.hint().empty() ? "" : without_values(failed.error.hint(), variables) + "; ") + hint_after(whole, unit, direction, command);
    if (failed.error.code() == Code::connect) {
        return Error(Code::connect, file.source.path + ": " + message, "whether it took effect is found out by the next run: " + command).with_retryable();
    }
    if (!failed.step) {
        return Error(failed.error.code(), file.source.path + ": " + message + code, hint).with_server_code(failed.error.server_code());
    }
    const plan::Step& step = unit.steps[*failed.step];
    const Statement& statement = file.section(direction)[static_cast<std::size_t>(step.number) - 1];
    const auto [offset, length] = fault_span(file, statement, failed.error, variables);
    if (failed.unknown) {
        const std::string repair = fmt::format("ysdb migrate repair {} --step {}", file.version, step.number);
        const std::string say = "look at the store, then say what you found: " + repair + " --applied, or to run it again: " + repair + " --again";
        if (step.probe && !step.probe->end.empty() && failed.error.server_code() == "341") {
            return file.source.fault(Code::partial, offset, length, message + code, "its mutation stays and is tried again by the server: correct the cause, then go on: " + command + "; or end it: " + repair + " --kill-mutation");
        }
        if (!step.cluster.empty() && failed.error.code() != Code::partial) {
            return file.source.fault(Code::partial, offset, length, message + code, (failed.error.hint().empty() ? "" : failed.error.hint() + "; then ") + "go on, which looks at every host first: " + command + "; or " + say);
        }
        const std::string why = failed.error.code() == Code::partial ? "" : "; it may have done a part before that";
        return file.source.fault(Code::partial, offset, length, message + code + why, say);
    }
    return file.source.fault(failed.error.code(), offset, length, message + code, hint).with_server_code(failed.error.server_code()).with_retryable(failed.error.retryable());
}

plan::SqlText complete(Workspace& work, const std::string& key) { return work.journal.insert({key, plan::whole_unit, plan::JournalEvent::complete, "", work.home, "", "", ""}); }

plan::ExecutorOptions executor_options(const RunOptions& options) {
    plan::ExecutorOptions executor;
    executor.lock_timeout = options.lock_timeout;
    executor.orphan_wait = options.lock_wait;
    executor.observer = options.observer;
    return executor;
}

}  // namespace

Table& add_migration_table(Report& report) {
    return report.add_table("migrations", "", {{"version"}, {"name"}, {"store"}, {"statements", Unit::count}, {"seconds", Unit::seconds}});
}

namespace {

using Selected = std::vector<const Standing*>;

constexpr std::size_t at_a_time = 64;   // migrations whose texts and plans are in memory together

// Calls `use` with the plan of some of them after the other.
void in_pieces(Workspace& work, const Selected& selected, Direction direction, const RecordOf& record_of, std::set<std::string>* created, const std::function<void(plan::Plan, const Selected&)>& use) {
    for (std::size_t at = 0; at < selected.size(); at += at_a_time) {
        const auto begin = selected.begin() + static_cast<std::ptrdiff_t>(at);
        const Selected some(begin, begin + static_cast<std::ptrdiff_t>(std::min(at_a_time, selected.size() - at)));
        work.load(some);
        use(make_plan(some, direction, work.home, work.context.config.migrate.variables, record_of, created), some);
        work.unload(some);
    }
}

}  // namespace

Survey survey(Workspace& work, const Selected& selected, Direction direction) {
    Survey seen{0, {"migrate", {}}};
    std::set<std::string> created;
    const RecordOf nothing = [](const Standing&, bool) { return std::vector<plan::SqlText>{}; };
    in_pieces(work, selected, direction, nothing, &created, [&](plan::Plan plan, const Selected&) {
        seen.units += plan.units.size();
        for (plan::Unit& unit : plan.units) {
            std::erase_if(unit.steps, [](const plan::Step& step) { return step.store_object.empty(); });
            if (unit.steps.empty()) continue;
            plan::Unit& kept = seen.plan.units.emplace_back();
            kept.store = unit.store;
            for (const plan::Step& step : unit.steps) kept.steps.emplace_back().store_object = step.store_object;
        }
    });
    return seen;
}

Runner::Runner(Workspace& work, const plan::RunnerLock& lock, RunOptions options)
    : work_(work), options_(std::move(options)), executor_(work.context, "migrate", work.home, *work.session, work.journal, lock, executor_options(options_)) {}

void Runner::apply(const Selected& selected, Direction direction, const RecordOf& record_of, std::size_t units, Table& table) {
    double seconds = 0;
    std::size_t done = 0, whole = 0;    // whole: callbacks, too
    const auto progress = work_.context.progress.begin(direction == Direction::up ? "migrate" : "taking back", ProgressUnit::steps, units);
    in_pieces(work_, selected, direction, record_of, nullptr, [&](const plan::Plan& plan, const Selected& some) {
        std::map<std::string, const Migration*> files;
        for (const Standing* standing : some) files.emplace(unit_key(standing->file->version, direction), standing->file);
        const plan::Applied applied = executor_.apply(plan, *progress, [&](const plan::Unit& unit, double took) {
            seconds += took;
            if (!unit.closes) return;
            ++whole;
            const Migration& file = *files.at(unit.key);
            if (file.name.empty()) return;  // a callback
            work_.context.log.debug(direction == Direction::up ? "migrated" : "taken back", {{"version", file.version}, {"name", file.name}, {"store", file.store}, {"seconds", seconds}});
            table.rows.push_back({file.version, file.name, file.store, static_cast<std::int64_t>(file.section(direction).size()), seconds});
            seconds = 0;
            ++done;
        });
        if (applied.failure) {
            const plan::Unit& unit = plan.units[applied.failure->unit];
            throw failure_error(*files.at(unit.key), direction, unit, *applied.failure, whole, options_.command, work_.context.config.migrate.variables);
        }
        if (applied.stopped) {
            throw Error(Code::interrupted, fmt::format("stopped after {} of {} migrations", done, selected.size()), "what was done stays; go on with: " + options_.command);
        }
    });
}

RecordOf record_of_up(Workspace& work) {
    return [&work](const Standing& standing, bool whole) {
        if (standing.file->name.empty()) return std::vector<plan::SqlText>{};  // a callback
        std::vector<plan::SqlText> record{history_insert(*standing.file, work.store->dialect(), work.context.run_id, whole ? Origin::transaction : Origin::journal)};
        if (standing.redoing) record.push_back(complete(work, redo_key(standing.file->version)));
        return record;
    };
}

RecordOf record_of_down(Workspace& work, bool redo) {
    return [&work, redo](const Standing& standing, bool) {
        std::vector<plan::SqlText> record{history_delete(*standing.row, work.store->dialect(), work.context.run_id)};
        if (standing.redoing && !redo) record.push_back(complete(work, redo_key(standing.file->version)));
        return record;
    };
}

void close_recorded(Workspace& work) {
    const auto write = [&](const std::string& key) {
        const plan::SqlText line = complete(work, key);
        work.session->query(line.sql, line.params, work.context.deadline());
    };
    for (Standing& standing : work.standings) {
        if (standing.applied() && !standing.journal.empty()) {
            // Of a redo the second half was recorded.
            if (standing.redoing) write(redo_key(standing.version()));
            write(unit_key(standing.version(), Direction::up));
            standing.journal.clear();
            standing.redoing = false;
        } else if (!standing.row && !standing.back.empty()) {
            write(unit_key(standing.version(), Direction::down));
            standing.back.clear();
        }
    }
}

void warn_of_missing(const Workspace& work, Report& report) {
    for (const Standing& standing : work.standings) {
        if (standing.state == State::missing) report.warnings.push_back("migration " + standing.row->title() + " was applied, and its file is gone");
    }
}

}  // namespace ysdb::migrate
