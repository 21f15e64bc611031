#include "core/migrate/planner.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/text.h"
#include "core/migrate/classify.h"

namespace ysdb::migrate {

namespace {

void check_for_transaction(const Migration& file, const Statement& statement, const StatementFacts& facts) {
    const std::string_view sql = statement.text(file.source);
    const auto refuse = [&](const std::string& message, const std::string& hint) { return file.source.fault(Code::refused, statement.begin, word_length(sql), message, hint); };
    if (facts.controls_transaction) {
        throw refuse(facts.what + " in a migration: ysdb opens and ends the transaction itself", "take it out; for a file without one transaction write '-- migrate:up transaction:false'");
    }
    if (facts.writes_to_client) throw refuse("COPY TO STDOUT in a migration: nobody reads its rows", "take it out");
    if (file.transaction && facts.outside_transaction) {
        throw refuse(facts.what + " cannot run inside a transaction", "write '-- migrate:up transaction:false', best in a file of its own");
    }
}

struct Classified {
    plan::Step step;
    bool outside_transaction = false;
    bool dirties_session = false;
};

Classified make_step(const Migration& file, std::size_t index) {
    const Statement& statement = file.up[index];
    plan::Step step;
    step.number = static_cast<int>(index) + 1;
    step.sql = statement.text(file.source);
    StatementFacts facts = classify(step.sql, file.dialect);
    if (file.dialect == Dialect::postgres) check_for_transaction(file, statement, facts);
    step.what = std::move(facts.what);
    step.place = file.source.where(statement.begin);
    step.hash = statement.hash;
    if (statement.copies) step.copy_rows = statement.rows(file.source);
    step.store_object = std::move(facts.object);
    step.locks = std::move(facts.locks);
    step.probe = statement.probe.empty() ? std::move(facts.probe) : plan::Probe{{statement.probe, {}}, {}};
    step.repeatable = facts.repeatable;
    step.may_leave_part = facts.may_leave_part;
    step.waits_for_others = facts.waits_for_others;
    return {std::move(step), file.dialect != Dialect::postgres || facts.outside_transaction, facts.dirties_session};
}

// What an unfinished run left of the migration, held against the file as it is now.
class Progress {
public:
    Progress(const Migration& file, const std::vector<plan::JournalEntry>& journal) : file_(file) {
        for (plan::JournalEntry& entry : latest_by_step(journal)) {
            if (entry.event == plan::JournalEvent::failed) continue;
            check(entry);
            if (entry.event == plan::JournalEvent::done) (entry.step == plan::whole_unit ? all_done_ : done_[entry.step]) = true;
            else begun_.emplace(entry.step, std::move(entry));
        }
    }
    bool done(int step) const { return all_done_ || done_.count(step) != 0; }
    std::optional<plan::JournalEntry> begun(int step) const {
        const auto found = begun_.find(step);
        return found == begun_.end() ? std::nullopt : std::optional(found->second);
    }

private:
    void check(const plan::JournalEntry& entry) const {
        const std::size_t index = entry.step == plan::whole_unit ? 0 : static_cast<std::size_t>(entry.step) - 1;
        if (index < file_.up.size() && file_.up[index].hash == entry.hash) return;
        const std::string what = fmt::format("an unfinished run {} statement {}, which has been edited since", entry.event == plan::JournalEvent::done ? "applied" : "began", index + 1);
        const std::string hint = "put it back as it was; what comes after may be edited";
        if (index >= file_.up.size()) throw Error(Code::refused, file_.source.path + ": " + what, hint);
        throw file_.source.fault(Code::refused, file_.up[index].begin, file_.up[index].text(file_.source).size(), what, hint);
    }

    const Migration& file_;
    bool all_done_ = false;
    std::map<int, bool> done_;
    std::map<int, plan::JournalEntry> begun_;
};

plan::Unit unit_of(const Migration& file) {
    plan::Unit unit;
    unit.key = unit_key(file.version);
    unit.what = file.title();
    unit.store = file.store;
    unit.lock_timeout = file.lock_timeout;
    unit.undo = file.down.empty() ? "none: the file has no migrate:down" : "its migrate:down";
    return unit;
}

void add_transaction(std::vector<plan::Unit>& units, const Migration& file, const Progress& progress) {
    plan::Unit unit = unit_of(file);
    for (std::size_t i = 0; i < file.up.size(); ++i) {
        auto [step, outside, dirties] = make_step(file, i);
        if (progress.done(step.number)) continue;
        if (progress.begun(step.number)) {
            throw file.source.fault(Code::refused, file.up[i].begin, step.sql.size(), "an unfinished run began this statement outside a transaction",
                                    "put transaction:false back on the first section line until it is applied");
        }
        unit.dirties_session = unit.dirties_session || dirties;
        unit.steps.push_back(std::move(step));
    }
    unit.opens = unit.steps.size() == file.up.size();
    if (!unit.steps.empty()) unit.steps.front().begun = progress.begun(plan::whole_unit);
    units.push_back(std::move(unit));
}

void add_single_steps(std::vector<plan::Unit>& units, const Migration& file, const Progress& progress) {
    const std::size_t first = units.size();
    for (std::size_t i = 0; i < file.up.size(); ++i) {
        auto [step, outside, dirties] = make_step(file, i);
        if (progress.done(step.number)) continue;
        plan::Unit unit = unit_of(file);
        step.begun = progress.begun(step.number);
        // Alone in its transaction a statement is what it is without one, and its outcome is never in doubt.
        unit.transaction = !outside;
        unit.or_alone = unit.transaction;
        unit.dirties_session = dirties;
        unit.opens = i == 0;
        unit.closes = false;
        unit.steps.push_back(std::move(step));
        units.push_back(std::move(unit));
    }
    if (units.size() == first) units.push_back(unit_of(file));
    units.back().closes = true;
}

// A lock on a table that nobody sees yet is none worth a word.
void forget_locks_on_new_tables(plan::Plan& plan) {
    std::set<std::string> created;
    for (plan::Unit& unit : plan.units) {
        for (plan::Step& step : unit.steps) {
            constexpr std::string_view mark = "CREATE TABLE ";
            if (step.what.starts_with(mark)) created.insert(unit.store + "." + step.what.substr(mark.size()));
            if (step.store_object.empty() || created.count(unit.store + "." + step.store_object) == 0) continue;
            step.store_object.clear();
            step.locks.clear();
        }
    }
}

}  // namespace

std::vector<const Standing*> select_pending(const std::vector<Standing>& standings, const UpOptions& options) {
    std::vector<const Standing*> pending;
    const Standing* late = nullptr;
    bool found_to = !options.to;
    for (const Standing& standing : standings) {
        if (options.to && same_version(standing.version(), *options.to)) found_to = true;
        if (standing.state == State::changed) throw change_error(standing);
        if (standing.row || (options.to && version_less(*options.to, standing.version()))) continue;
        if (options.steps && static_cast<std::int64_t>(pending.size()) >= *options.steps) continue;
        // One that an earlier run began in its place is not late.
        if (standing.late && standing.state == State::pending && !late) late = &standing;
        pending.push_back(&standing);
    }
    if (!found_to) throw Error(Code::refused, "no migration has the version " + *options.to, "see what there is: ysdb migrate status");
    if (late && !options.out_of_order) {
        throw Error(Code::refused, late->file->source.path + ": a later version is already applied", "give it a new version, or apply it all the same: ysdb migrate up --out-of-order");
    }
    return pending;
}

plan::Plan make_plan(const std::vector<const Standing*>& pending, const std::string& home, Dialect home_dialect, const std::string& run) {
    plan::Plan plan{"migrate", {}};
    for (const Standing* standing : pending) {
        const Migration& file = *standing->file;
        const Progress progress(file, standing->journal);
        if (file.transaction) add_transaction(plan.units, file, progress);
        else add_single_steps(plan.units, file, progress);
        const bool whole = file.transaction && file.store == home;
        plan.units.back().record = {history_insert(file, home_dialect, run, whole ? Origin::transaction : Origin::journal)};
    }
    forget_locks_on_new_tables(plan);
    return plan;
}

void measure(plan::Plan& plan, Context& context) {
    std::map<std::string, std::map<std::string, std::uint64_t>> sizes;  // by store, by table
    for (const plan::Unit& unit : plan.units) {
        for (const plan::Step& step : unit.steps) {
            if (!step.store_object.empty()) sizes[unit.store].emplace(step.store_object, 0);
        }
    }
    for (auto& [name, tables] : sizes) {
        SqlStore& store = *context.stores.get(name).sql();
        const bool clickhouse = store.dialect() == Dialect::clickhouse;
        if (store.dialect() == Dialect::questdb) continue;
        const std::string sql = clickhouse ? "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND concat(database, '.', table) IN ({p1:String}, concat(currentDatabase(), '.', {p1:String}))"
                                           : "SELECT coalesce(sum(pg_total_relation_size(relid)), pg_total_relation_size(to_regclass($1)), 0) FROM pg_partition_tree(to_regclass($1))";
        for (auto& [table, bytes] : tables) {
            const std::vector<std::optional<std::string>> params{table};
            bytes = static_cast<std::uint64_t>(store.query(sql, params, context.deadline()).row(0).integer(0));
        }
    }
    for (plan::Unit& unit : plan.units) {
        for (plan::Step& step : unit.steps) {
            if (!step.store_object.empty()) step.bytes = sizes[unit.store][step.store_object];
        }
    }
}

}  // namespace ysdb::migrate
