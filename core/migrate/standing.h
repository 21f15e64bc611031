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
    pending,   // also a repeatable one that was edited since it ran
    partial,   // a run of `up` or `down` did some of its statements and did not reach its end; the same command goes on there
    unknown,   // as partial, and of one statement nothing tells whether it took effect; `repair` says so
    changed,   // edited after it was applied
    missing,   // applied, and its file is gone
    skipped,   // for another environment
};
std::string_view state_name(State state);

struct Standing {
    State state = State::pending;
    const Migration* file = nullptr;                // null: missing
    const HistoryRow* row = nullptr;                // null: not applied
    std::vector<plan::JournalEntry> journal;        // of an unfinished `up`, in order
    std::vector<plan::JournalEntry> back;           // of an unfinished `down`
    bool redoing = false;                           // an unfinished `redo` is at it
    bool late = false;                              // not applied, and a later version is; never one for some environments only

    const std::string& version() const { return file ? file->version : row->version; }
    bool repeatable() const { return is_repeatable(version()); }
    // As the file says now: a repeatable one that was edited since is not.
    bool applied() const { return row && !(repeatable() && file && (state == State::pending || state == State::partial || state == State::unknown)); }
    std::string title() const { return file ? file->title() : row->title(); }
    const std::vector<plan::JournalEntry>& unfinished(Direction direction) const { return direction == Direction::up ? journal : back; }
};

// By version, repeatable ones last. Views into its arguments. `environment`: where this is.
std::vector<Standing> compare(const std::vector<Migration>& files, const std::vector<HistoryRow>& history, const std::vector<plan::JournalEntry>& journal, const std::string& environment);

// What an unfinished run left of one migration: the last entry of each step.
std::vector<plan::JournalEntry> latest_by_step(const std::vector<plan::JournalEntry>& journal);
// The key of a migration's units in plan and journal.
std::string unit_key(const std::string& version, Direction direction);
// The key under which the journal keeps that a `redo` has begun with it.
std::string redo_key(const std::string& version);
// Where and how an applied file differs from what was applied, statement by statement, as an error; `standing` is `changed`.
Error change_error(const Standing& standing);

}  // namespace ysdb::migrate
