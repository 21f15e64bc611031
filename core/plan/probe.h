// How what an earlier run left is looked at: whether its statement is still at work, whether it took effect (law 16).
#pragma once

#include <functional>
#include <string>

#include "core/context.h"
#include "core/plan/plan.h"

namespace ysdb::plan {

// Where, and with how much patience. A value of one look: what it refers to must outlive it.
struct Looking {
    Context& context;                    // its stop token ends every wait, by Error(interrupted)
    SqlSession& session;
    Dialect dialect;
    std::string store;                   // its name, for errors
    ProgressTask& progress;              // told what is waited for
    Millis patience;                     // with a statement that an earlier run left; what goes on by itself and can be ended has all the time it takes
    std::function<void()> before_mend;   // makes the session fit for a statement
};

struct Seen {
    Effect effect;
    std::string what = {};               // broken: its name as SQL has it; stuck, unclear: why
};

// With `mend` what is broken is mended (present or absent, as the probe says); without, it is said. Waits for what runs.
Seen look(const Looking& where, const Probe& probe, bool mend);
// The same for a probe with a mark, at what came after it; unclear where the mark is none.
Seen look_behind(const Looking& where, const Probe& probe, const std::string& mark);
// Of a step that failed just now, `found` before it: whether certainly nothing of it is there. Nothing waits.
bool is_absent(SqlSession& session, const Probe& probe, const std::string& found, Deadline deadline);
// Until no statement under this label is at work. Throws Error(locked) with the way to end it after `patience`.
void wait_for_orphan(const Looking& where, const std::string& label);

}  // namespace ysdb::plan
