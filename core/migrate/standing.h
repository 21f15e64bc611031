// How files and history stand to each other: applied, pending, changed, missing, partly applied.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/migrate/file.h"
#include "core/migrate/history.h"
#include "core/plan/journal.h"

namespace ysdb::migrate {

enum class State {
    applied,
    pending,
    partial,   // some of its statements were applied by a run that did not reach its end; `up` goes on there
    unknown,   // as partial, and of one statement nothing tells whether it took effect; `repair` says so
    changed,   // edited after it was applied
    missing,   // applied, and its file is gone
};
std::string_view state_name(State state);

struct Standing {
    State state = State::pending;
    const Migration* file = nullptr;                // null: missing
    const HistoryRow* row = nullptr;                // null: not applied
    std::vector<plan::JournalEntry> journal;        // of an unfinished run, in order
    bool late = false;                              // not applied, and a later version is

    const std::string& version() const { return file ? file->version : row->version; }
};

// By version. Views into its arguments.
std::vector<Standing> compare(const std::vector<Migration>& files, const std::vector<HistoryRow>& history, const std::vector<plan::JournalEntry>& journal);

// What an unfinished run left of one migration: the last entry of each step.
std::vector<plan::JournalEntry> latest_by_step(const std::vector<plan::JournalEntry>& journal);
// The key of a migration's units in plan and journal.
std::string unit_key(const std::string& version);
// Where and how an applied file differs from what was applied, as an error; `standing` is `changed`.
Error change_error(const Standing& standing);

}  // namespace ysdb::migrate
