#include "core/migrate/standing.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/base/text.h"
#include "core/migrate/classify.h"
#include "core/migrate/edits.h"

namespace ysdb::migrate {

namespace {

bool same(const Migration& file, const HistoryRow& row) { return file.checksum == row.checksum && file.store == row.store; }

// Of what an unfinished run left.
State unfinished_state(const Migration& file, const std::vector<Statement>& section, const std::vector<plan::JournalEntry>& journal, State state) {
    for (const plan::JournalEntry& entry : latest_by_step(journal)) {
        if (entry.event == plan::JournalEvent::failed) continue;
        state = State::partial;
        if (entry.event != plan::JournalEvent::intent || entry.step == plan::whole_unit || static_cast<std::size_t>(entry.step) > section.size()) continue;
        const Statement& statement = section[static_cast<std::size_t>(entry.step) - 1];
        const StatementFacts facts = classify(statement.text(file.source), file.dialect);
        const bool settles = file.dialect == Dialect::postgres && !facts.outside_transaction ? !facts.may_leave_part : facts.probe || facts.repeatable;
        if (!settles && statement.probe.empty()) return State::unknown;
    }
    return state;
}

// Whether the journal says of each statement, as it is now, that it is done.
bool all_done(const Migration& file, const std::vector<plan::JournalEntry>& journal) {
    std::size_t done = 0;
    for (const plan::JournalEntry& entry : latest_by_step(journal)) {
        if (entry.event != plan::JournalEvent::done) return false;
        if (entry.step == plan::whole_unit) return !file.up.empty() && entry.hash == file.up.front().hash;
        const auto index = static_cast<std::size_t>(entry.step) - 1;
        if (index >= file.up.size() || file.up[index].hash != entry.hash) return false;
        ++done;
    }
    return done == file.up.size();
}

}  // namespace

std::string_view state_name(State state) {
    constexpr std::array<std::string_view, 7> names{"applied", "pending", "partial", "unknown", "changed", "missing", "skipped"};
    return names[static_cast<std::size_t>(state)];
}

std::string unit_key(const std::string& version, Direction direction) { return version + (direction == Direction::up ? "/up" : "/down"); }

std::string redo_key(const std::string& version) { return version + "/redo"; }

std::vector<plan::JournalEntry> latest_by_step(const std::vector<plan::JournalEntry>& journal) {
    std::map<int, plan::JournalEntry> latest;
    for (const plan::JournalEntry& entry : journal) latest[entry.step] = entry;
    std::vector<plan::JournalEntry> entries;
    for (auto& [step, entry] : latest) entries.push_back(std::move(entry));
    return entries;
}

std::vector<Standing> compare(const std::vector<Migration>& files, const std::vector<HistoryRow>& history, const std::vector<plan::JournalEntry>& journal, const std::string& environment) {
    std::vector<Standing> standings;
    auto row = history.begin();
    for (auto file = files.begin(); file != files.end() || row != history.end();) {
        Standing standing;
        const bool take_file = file != files.end() && (row == history.end() || !version_less(row->version, file->version));
        const bool take_row = row != history.end() && (file == files.end() || !version_less(file->version, row->version));
        if (take_row) standing.row = &*row++;
        if (take_file) standing.file = &*file++;
        if (!take_file) standing.state = State::missing;
        else if (take_row) standing.state = standing.file->runs_each_time() ? State::pending : same(*standing.file, *standing.row) ? State::applied : standing.repeatable() ? State::pending : State::changed;
        else if (!standing.file->runs_in(environment)) standing.state = State::skipped;
        standings.push_back(std::move(standing));
    }
    std::map<std::string, Standing*> by_version;
    for (Standing& standing : standings) by_version.emplace(standing.version(), &standing);
    for (const plan::JournalEntry& entry : journal) {
        const auto slash = std::min(entry.unit.rfind('/'), entry.unit.size());
        const auto found = by_version.find(entry.unit.substr(0, slash));
        if (found == by_version.end()) continue;
        Standing& standing = *found->second;
        if (entry.unit == unit_key(found->first, Direction::up)) standing.journal.push_back(entry);
        else if (entry.unit == unit_key(found->first, Direction::down)) standing.back.push_back(entry);
        else if (entry.unit == redo_key(found->first)) standing.redoing = true;
    }
    bool later_applied = false;
    for (auto standing = standings.rbegin(); standing != standings.rend(); ++standing) {
        if (standing->repeatable()) {
            // Edited back while a run of the edit was unfinished: what that run did is to be undone by running it again.
            if (standing->state == State::applied && !standing->journal.empty() && !all_done(*standing->file, standing->journal)) standing->state = State::pending;
        } else if (standing->row) {
            later_applied = true;
        } else {
            standing->late = later_applied && standing->file->environments.empty();
        }
        for (const Direction direction : {Direction::up, Direction::down}) {
            const State before = direction == Direction::up ? State::pending : State::applied;
            if (standing->state == before && !standing->unfinished(direction).empty()) {
                standing->state = unfinished_state(*standing->file, standing->file->section(direction), standing->unfinished(direction), before);
            }
        }
    }
    return standings;
}

namespace {

std::string edit_text(const Edit& edit) {
    switch (edit.kind) {
        case Edit::Kind::changed: return fmt::format("statement {} is not what was applied", edit.now + 1);
        case Edit::Kind::added: return fmt::format("statement {} is new", edit.now + 1);
        case Edit::Kind::moved: return fmt::format("statement {} was statement {}", edit.now + 1, edit.before + 1);
        case Edit::Kind::removed: break;
    }
    return fmt::format("statement {} is gone", edit.before + 1);
}

// The first edit with its place, the others below it. What the file said before is not known: no statement text is kept.
Error edits_error(const Migration& file, const std::string& applied, const std::vector<Edit>& edits, const std::string& hint) {
    const auto there = std::find_if(edits.begin(), edits.end(), [](const Edit& edit) { return edit.kind != Edit::Kind::removed; });
    const Edit& first = there == edits.end() ? edits.front() : *there;
    std::string message = applied + ": " + edit_text(first);
    if (edits.size() > 1) message += fmt::format(", and {} more difference{}", edits.size() - 1, edits.size() == 2 ? "" : "s");
    std::string others;
    constexpr std::size_t shown = 20;
    for (const Edit& edit : edits) {
        if (&edit == &first || static_cast<std::size_t>(std::count(others.begin(), others.end(), '\n')) >= shown) continue;
        others += fmt::format("{:>5} | {}\n", edit.kind == Edit::Kind::removed ? "" : std::to_string(file.source.place(file.up[edit.now].begin).line), edit_text(edit));
    }
    if (there == edits.end()) return Error(Code::refused, file.source.path + ": " + message, hint).with_excerpt(others);
    const Statement& statement = file.up[first.now];
    Error error = file.source.fault(Code::refused, statement.begin, statement.text(file.source).size(), message, hint);
    const std::string excerpt = error.excerpt() + others;
    return std::move(error).with_excerpt(excerpt);
}

}  // namespace

Error change_error(const Standing& standing) {
    const Migration& file = *standing.file;
    const HistoryRow& row = *standing.row;
    const std::string hint = "put it back as it was, and write the change as a new migration: ysdb migrate new NAME";
    if (file.store != row.store) return Error(Code::refused, fmt::format("{}: applied to store '{}', and now names store '{}'", file.source.path, row.store, file.store), hint);
    const std::string applied = fmt::format("edited after it was applied ({})", row.applied_at);
    const std::vector<Edit> edits = edits_between(split(row.statements, ' '), split(short_hashes(file), ' '));
    if (edits.empty()) {
        return Error(Code::refused, fmt::format("{}: the history holds another checksum for it, of the same statements: its row was changed by hand", file.source.path),
                     "put the row of ysdb.migrations back, or give it the checksum " + file.checksum);
    }
    return edits_error(file, applied, edits, hint);
}

}  // namespace ysdb::migrate
