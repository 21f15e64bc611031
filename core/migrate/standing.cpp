#include "core/migrate/standing.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/base/text.h"
#include "core/migrate/classify.h"

namespace ysdb::migrate {

namespace {

bool same(const Migration& file, const HistoryRow& row) { return file.checksum == row.checksum && file.store == row.store; }

// Of what an unfinished run left.
State unfinished_state(const Migration& file, const std::vector<plan::JournalEntry>& journal) {
    State state = State::pending;
    for (const plan::JournalEntry& entry : latest_by_step(journal)) {
        if (entry.event == plan::JournalEvent::failed) continue;
        state = std::max(state, State::partial);
        if (entry.event != plan::JournalEvent::intent || entry.step == plan::whole_unit || static_cast<std::size_t>(entry.step) > file.up.size()) continue;
        const Statement& statement = file.up[static_cast<std::size_t>(entry.step) - 1];
        const StatementFacts facts = classify(statement.text(file.source), file.dialect);
        const bool settles = file.dialect == Dialect::postgres && !facts.outside_transaction ? !facts.may_leave_part : facts.probe || facts.repeatable;
        if (!settles && statement.probe.empty()) return State::unknown;
    }
    return state;
}

}  // namespace

std::string_view state_name(State state) {
    constexpr std::array<std::string_view, 6> names{"applied", "pending", "partial", "unknown", "changed", "missing"};
    return names[static_cast<std::size_t>(state)];
}

std::string unit_key(const std::string& version) { return version + "/up"; }

std::vector<plan::JournalEntry> latest_by_step(const std::vector<plan::JournalEntry>& journal) {
    std::map<int, plan::JournalEntry> latest;
    for (const plan::JournalEntry& entry : journal) latest[entry.step] = entry;
    std::vector<plan::JournalEntry> entries;
    for (auto& [step, entry] : latest) entries.push_back(std::move(entry));
    return entries;
}

std::vector<Standing> compare(const std::vector<Migration>& files, const std::vector<HistoryRow>& history, const std::vector<plan::JournalEntry>& journal) {
    std::vector<Standing> standings;
    auto row = history.begin();
    for (auto file = files.begin(); file != files.end() || row != history.end();) {
        Standing standing;
        const bool take_file = file != files.end() && (row == history.end() || !version_less(row->version, file->version));
        const bool take_row = row != history.end() && (file == files.end() || !version_less(file->version, row->version));
        if (take_row) standing.row = &*row++;
        if (take_file) standing.file = &*file++;
        if (!take_file) standing.state = State::missing;
        else if (take_row) standing.state = same(*standing.file, *standing.row) ? State::applied : State::changed;
        standings.push_back(std::move(standing));
    }
    std::map<std::string, Standing*> by_key;
    for (Standing& standing : standings) by_key.emplace(unit_key(standing.version()), &standing);
    for (const plan::JournalEntry& entry : journal) {
        if (const auto found = by_key.find(entry.unit); found != by_key.end()) found->second->journal.push_back(entry);
    }
    bool later_applied = false;
    for (auto standing = standings.rbegin(); standing != standings.rend(); ++standing) {
        if (standing->row) later_applied = true;
        else standing->late = later_applied;
        if (standing->state == State::pending && !standing->journal.empty()) standing->state = unfinished_state(*standing->file, standing->journal);
    }
    return standings;
}

Error change_error(const Standing& standing) {
    const Migration& file = *standing.file;
    const HistoryRow& row = *standing.row;
    const std::string hint = "put it back as it was, and write the change as a new migration: ysdb migrate new NAME";
    if (file.store != row.store) return Error(Code::refused, fmt::format("{}: applied to store '{}', and now names store '{}'", file.source.path, row.store, file.store), hint);
    const std::vector<std::string> before = split(row.statements, ' ');
    const std::vector<std::string> now = split(short_hashes(file), ' ');
    const auto differ = static_cast<std::size_t>(std::mismatch(before.begin(), before.end(), now.begin(), now.end()).first - before.begin());
    const std::string applied = fmt::format("edited after it was applied ({})", row.applied_at);
    if (differ >= now.size()) {
        return Error(Code::refused, fmt::format("{}: {}: statement {} is gone", file.source.path, applied, differ + 1), hint);
    }
    const Statement& statement = file.up[differ];
    const std::string what = differ >= before.size() ? fmt::format("statement {} is new", differ + 1) : fmt::format("statement {} is not what was applied", differ + 1);
    return file.source.fault(Code::refused, statement.begin, statement.text(file.source).size(), applied + ": " + what, hint);
}

}  // namespace ysdb::migrate
