#include "core/migrate/planner.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/text.h"
#include "core/migrate/batch.h"
#include "core/migrate/classify.h"
#include "core/plan/backfill.h"

namespace ysdb::migrate {

namespace {

void check_for_transaction(const Migration& file, const Statement& statement, const StatementFacts& facts) {
    const std::string_view sql = statement.text(file.source);
    const auto refuse = [&](const std::string& message, const std::string& hint) { return file.source.fault(Code::refused, statement.begin, word_length(sql), message, hint); };
    if (facts.controls_transaction) {
        throw refuse(facts.what + " in a migration: ysdb opens and ends the transaction itself", file.transaction ? "take it out; for a file without one transaction write '-- migrate:up transaction:false'" : "take it out, or pair it: BEGIN and COMMIT make one transaction of what is between them");
    }
    if (facts.writes_to_client) throw refuse("COPY TO STDOUT in a migration: nobody reads its rows", "take it out");
    if (statement.block != 0 && facts.outside_transaction) throw refuse(facts.what + " cannot run inside a transaction", "put it before the BEGIN or behind the COMMIT");
    if (file.transaction && facts.outside_transaction) {
        throw refuse(facts.what + " cannot run inside a transaction", "write '-- migrate:up transaction:false', best in a file of its own");
    }
}

struct Classified {
    plan::Step step;
    bool outside_transaction = false;
    bool dirties_session = false;
};

Classified make_step(const Migration& file, Direction direction, std::size_t index, const Variables& variables, Places& places) {
    const Statement& statement = file.section(direction)[index];
    plan::Step step;
    step.number = static_cast<int>(index) + 1;
    step.sql = expand(file, statement.begin, statement.end, variables).text;
    StatementFacts facts = classify(step.sql, file.dialect);
    if (step.sql != statement.text(file.source)) {  // what is shown names the variables; what is asked of the server has their values
        StatementFacts shown = classify(masked(file, statement.begin, statement.end), file.dialect);
        facts.what = show(std::move(shown.what));
        facts.locks = show(std::move(shown.locks));
    }
    if (file.dialect == Dialect::postgres) check_for_transaction(file, statement, facts);
    step.what = std::move(facts.what);
    step.place = places.where(statement.begin);
    step.hash = statement.hash;
    if (statement.copies) step.copy_rows = statement.rows(file.source);
    step.store_object = std::move(facts.object);
    step.locks = std::move(facts.locks);
    step.probe = statement.probe.empty() ? std::move(facts.probe) : plan::Probe{{expand_text(file, statement.probe, statement.begin, variables), {}}, {}};
    step.repeatable = facts.repeatable;
    step.may_leave_part = facts.may_leave_part;
    step.waits_for_others = facts.waits_for_others;
    step.cluster = std::move(facts.cluster);
    if (statement.batch) {
        Batched batched = in_batches(step.sql, *statement.batch);
        step.sql = std::move(batched.sql);
        step.batches = std::move(batched.batches);
        step.what += " in batches";
        if (!step.locks.empty()) step.locks += ", a batch at a time";
    }
    return {std::move(step), file.dialect != Dialect::postgres || facts.outside_transaction || statement.batch, facts.dirties_session};
}

// What an unfinished run left of the migration, held against the file as it is now.
class Progress {
public:
    Progress(const Standing& standing, Direction direction) : file_(*standing.file), section_(file_.section(direction)), direction_(direction) {
        for (const plan::JournalEntry& entry : standing.unfinished(direction)) labels_[entry.step].push_back(entry.label);
        std::vector<plan::JournalEntry> entries = latest_by_step(standing.unfinished(direction));
        std::erase_if(entries, [](const plan::JournalEntry& entry) { return entry.event == plan::JournalEvent::failed; });
        // A repeatable one that was edited meanwhile begins anew.
        if (standing.repeatable() && !std::all_of(entries.begin(), entries.end(), [&](const plan::JournalEntry& entry) { return unedited(entry); })) return;
        for (plan::JournalEntry& entry : entries) {
            check(entry);
            if (entry.event == plan::JournalEvent::done) (entry.step == plan::whole_unit ? all_done_ : done_[entry.step]) = true;
            else begun_.emplace(entry.step, std::move(entry));
        }
    }
    const Migration& file() const { return file_; }
    const std::vector<Statement>& section() const { return section_; }
    // What the statement ran under in runs that did not finish the migration.
    std::vector<std::string> labels(int step) const {
        const auto found = labels_.find(step);
        return found == labels_.end() ? std::vector<std::string>{} : found->second;
    }
    Direction direction() const { return direction_; }
    bool done(int step) const { return all_done_ || done_.count(step) != 0; }
    std::optional<plan::JournalEntry> begun(int step) const {
        const auto found = begun_.find(step);
        return found == begun_.end() ? std::nullopt : std::optional(found->second);
    }

private:
    static std::size_t index_of(const plan::JournalEntry& entry) { return entry.step == plan::whole_unit ? 0 : static_cast<std::size_t>(entry.step) - 1; }
    bool unedited(const plan::JournalEntry& entry) const { return index_of(entry) < section_.size() && section_[index_of(entry)].hash == entry.hash; }
    void check(const plan::JournalEntry& entry) const {
        if (unedited(entry)) return;
        const std::size_t index = index_of(entry);
        const std::string what = fmt::format("an unfinished run {} statement {}{}, which has been edited since", entry.event == plan::JournalEvent::done ? "applied" : "began", index + 1,
                                             direction_ == Direction::up ? "" : " of migrate:down");
        const std::string hint = "put it back as it was; what comes after may be edited";
        if (index >= section_.size()) throw Error(Code::refused, file_.source.path + ": " + what, hint);
        throw file_.source.fault(Code::refused, section_[index].begin, section_[index].text(file_.source).size(), what, hint);
    }

    const Migration& file_;
    const std::vector<Statement>& section_;
    Direction direction_;
    bool all_done_ = false;
    std::map<int, bool> done_;
    std::map<int, plan::JournalEntry> begun_;
    std::map<int, std::vector<std::string>> labels_;
};

plan::Unit unit_of(const Migration& file, Direction direction) {
    plan::Unit unit;
    unit.key = unit_key(file.version, direction);
    unit.what = file.title();
    unit.store = file.store;
    unit.lock_timeout = file.lock_timeout;
    unit.undo = direction == Direction::down ? "its migrate:up" : is_repeatable(file.version) ? "none: edit the file" : file.down.empty() ? "none: the file has no migrate:down" : "its migrate:down";
    return unit;
}

void add_transaction(std::vector<plan::Unit>& units, const Progress& progress, const Variables& variables) {
    const Migration& file = progress.file();
    const std::vector<Statement>& section = progress.section();
    plan::Unit unit = unit_of(file, progress.direction());
    Places places(file.source);
    for (std::size_t i = 0; i < section.size(); ++i) {
        auto [step, outside, dirties] = make_step(file, progress.direction(), i, variables, places);
        if (progress.done(step.number)) continue;
        if (progress.begun(step.number)) {
            throw file.source.fault(Code::refused, section[i].begin, step.sql.size(), "an unfinished run began this statement outside a transaction",
                                    "put transaction:false back on the first section line until it is applied");
        }
        unit.dirties_session = unit.dirties_session || dirties;
        unit.steps.push_back(std::move(step));
    }
    unit.opens = unit.steps.size() == section.size();
    if (!unit.steps.empty()) unit.steps.front().begun = progress.begun(plan::whole_unit);
    units.push_back(std::move(unit));
}

void add_single_steps(std::vector<plan::Unit>& units, const Progress& progress, const Variables& variables) {
    const Migration& file = progress.file();
    const std::size_t first = units.size();
    int block = 0;
    Places places(file.source);
    for (std::size_t i = 0; i < progress.section().size(); ++i) {
        auto [step, outside, dirties] = make_step(file, progress.direction(), i, variables, places);
        const int of = step.batches ? 0 : progress.section()[i].block;  // batches are transactions of their own
        if (of != 0 && of == block) {  // one transaction with those before it, or done with them
            if (units.size() > first && units.back().block == of) {
                units.back().dirties_session = units.back().dirties_session || dirties;
                units.back().steps.push_back(std::move(step));
            }
            continue;
        }
        block = of;
        if (step.batches) step.batches->earlier = progress.labels(step.number);
        if (progress.done(step.number)) continue;
        plan::Unit unit = unit_of(file, progress.direction());
        step.begun = progress.begun(step.number);
        // Alone in its transaction a statement is what it is without one, and its outcome is never in doubt.
        unit.transaction = !outside;
        unit.block = of;
        unit.or_alone = unit.transaction && of == 0;
        unit.dirties_session = dirties;
        unit.opens = i == 0;
        unit.closes = false;
        unit.steps.push_back(std::move(step));
        units.push_back(std::move(unit));
    }
    if (units.size() == first) units.push_back(unit_of(file, progress.direction()));
    units.back().closes = true;
}

// A lock on a table that nobody sees yet is none worth a word.
void forget_locks_on_new_tables(plan::Plan& plan, std::set<std::string>& created) {
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
    std::vector<const Standing*> pending, repeatable;
    bool held_back = false;
    const Standing* late = nullptr;
    bool found_to = !options.to;
    for (const Standing& standing : standings) {
        if (options.to && same_version(standing.version(), *options.to)) found_to = true;
        if (standing.state == State::changed) throw change_error(standing);
        if (!standing.back.empty()) {
            throw Error(Code::refused, standing.title() + ": an unfinished run of down took a part of it back", std::string("finish it first: ysdb migrate ") + (standing.redoing ? "redo" : "down"));
        }
        if (standing.applied() || standing.state == State::missing || standing.state == State::skipped) continue;
        if (options.only && !options.only->contains(standing.version())) continue;
        if (standing.repeatable()) {
            repeatable.push_back(&standing);
            continue;
        }
        if ((options.to && version_less(*options.to, standing.version())) || (options.steps && static_cast<std::int64_t>(pending.size()) >= *options.steps)) {
            held_back = true;
            continue;
        }
        // One that an earlier run began in its place is not late.
        if (standing.late && standing.state == State::pending && !late) late = &standing;
        pending.push_back(&standing);
    }
    if (!found_to) throw Error(Code::refused, "no migration has the version " + *options.to, "see what there is: ysdb migrate status");
    if (late && !options.out_of_order) {
        throw Error(Code::refused, late->file->source.path + ": a later version is already applied", "give it a new version, or apply it all the same: ysdb migrate up --out-of-order");
    }
    // They may use what every version made.
    if (!held_back) pending.insert(pending.end(), repeatable.begin(), repeatable.end());
    return pending;
}

std::vector<const Standing*> select_applied(const std::vector<Standing>& standings, const DownOptions& options) {
    std::vector<const Standing*> applied;
    bool found_to = !options.to || same_version(*options.to, "0");
    for (const Standing& standing : standings) {
        if (standing.repeatable()) continue;
        if (!standing.row) {
            if (standing.journal.empty() || standing.state == State::pending) continue;
            throw Error(Code::refused, standing.file->source.path + ": an unfinished run of up began it", "finish it first: ysdb migrate up --to " + standing.version());
        }
        if (options.to && same_version(standing.version(), *options.to)) found_to = true;
        applied.push_back(&standing);
    }
    if (!found_to) throw Error(Code::refused, "version " + *options.to + " is not applied", "see what is: ysdb migrate status");
    std::sort(applied.begin(), applied.end(), [](const Standing* a, const Standing* b) {
        return a->back.empty() != b->back.empty() ? b->back.empty() : a->row->order > b->row->order;
    });
    std::erase_if(applied, [&](const Standing* standing) {
        if (!options.to || version_less(*options.to, standing->version())) return false;
        if (standing->back.empty()) return true;
        throw Error(Code::refused, standing->title() + ": an unfinished run of down began to take it back", "finish it first: ysdb migrate down");
    });
    if (!options.to && static_cast<std::int64_t>(applied.size()) > options.count) applied.resize(static_cast<std::size_t>(options.count));
    for (const Standing* standing : applied) {
        if (standing->state == State::missing) throw Error(Code::refused, standing->title() + " was applied, and its file is gone: nothing says how to take it back", "bring it back from version control");
        if (standing->state == State::changed) throw change_error(*standing);
        if (standing->file->down.empty()) throw Error(Code::refused, standing->file->source.path + ": it has no statement below a migrate:down line: nothing says how to take it back", "write the section; it may be added later");
    }
    return applied;
}

plan::Plan make_plan(const std::vector<const Standing*>& selected, Direction direction, const std::string& home, const Variables& variables, const RecordOf& record_of, std::set<std::string>* created) {
    plan::Plan plan{"migrate", {}};
    for (const Standing* standing : selected) {
        const Migration& file = *standing->file;
        const Progress progress(*standing, direction);
        if (file.transaction) add_transaction(plan.units, progress, variables);
        else add_single_steps(plan.units, progress, variables);
        plan.units.back().record = record_of(*standing, file.transaction && file.store == home);
    }
    std::set<std::string> here;
    forget_locks_on_new_tables(plan, created == nullptr ? here : *created);
    return plan;
}

plan::Step step_of(const Migration& file, Direction direction, std::size_t index, const Variables& variables) {
    Places places(file.source);
    return make_step(file, direction, index, variables, places).step;
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
        if (clickhouse) {
            for (auto& [table, bytes] : tables) {
                const std::vector<std::optional<std::string>> params{table};
                bytes = static_cast<std::uint64_t>(store.query("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND concat(database, '.', table) IN ({p1:String}, concat(currentDatabase(), '.', {p1:String}))", params, context.deadline()).row(0).integer(0));
            }
            continue;
        }
        std::string names;  // of hundreds of tables, in one round trip
        for (const auto& [table, _] : tables) names += (names.empty() ? "" : "\1") + table;
        const SqlResult found = store.query("SELECT name, (SELECT coalesce(sum(pg_total_relation_size(relid)), pg_total_relation_size(to_regclass(name)), 0) FROM pg_partition_tree(to_regclass(name)))"
                                            " FROM unnest(string_to_array($1, chr(1))) AS name",
                                            std::vector<std::optional<std::string>>{names}, context.deadline());
        for (std::size_t i = 0; i < found.rows(); ++i) tables[found.row(i).text(0)] = static_cast<std::uint64_t>(found.row(i).integer(1));
    }
    for (plan::Unit& unit : plan.units) {
        for (plan::Step& step : unit.steps) {
            if (!step.store_object.empty()) step.bytes = sizes[unit.store][step.store_object];
            if (step.batches) step.batches->table_rows = plan::estimated_rows(*context.stores.get(unit.store).sql(), step.batches->table, context.deadline());
        }
    }
}

}  // namespace ysdb::migrate
