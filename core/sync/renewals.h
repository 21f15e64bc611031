// Tables that their source has halted, as their rows changed without being told: which of them are taken up anew by new copies, and when.
//
// At once the first time; a table that is halted again soon after waits, each time twice as long, up to an hour. A table that cannot be copied as it is
// now (it is gone, has no primary key any more) stays halted, and is looked at again after such pauses. All of it is written down with the table, so that
// a run that is started again and again copies no more often than one that is not.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/context.h"
#include "core/sync/follow/watermark.h"
#include "core/sync/sets.h"
#include "core/sync/state.h"

namespace ysdb::sync {

// Used by one thread. Errors are those of the source, and of the store that remembers; after one, ask again.
class Renewals {
public:
    struct Due {
        TableRef table;
        std::vector<std::string> sinks;   // whose copies are to be made anew
        bool tell_anew = false;           // nobody else follows the table: the source has to tell it from here on
        std::uint64_t from = 0;           // if so: what was committed below is in the copies
    };
    Renewals(Context& context, const SyncSet& set, SyncState& state, Watermark& watermark) : context_(context), set_(set), state_(state), watermark_(watermark) {}

    // The source says that it tells nothing more of the table. `copying`: sinks that a copy of it was on its way to: it is made all the same, whatever the
    // set says of tables that are halted.
    void halted(const TableRef& table, const std::vector<std::string>& copying);
    // The source tells every table from here on.
    void told_anew() { silent_.clear(); }

    // The next table that is to be taken up, marked as new, in the columns that it has now; none for now. What stands in its way is tried again later, or said in the table's reason.
    // `copying`: some sink wants a copy of the table already.
    std::optional<Due> next(const std::function<bool(const TableRef&)>& copying);
    // Whether next() may have something to tell before a pause is over.
    bool soon() const { return looks_ && !postponed_; }
    // Whether it is worth asking.
    bool looks() const { return looks_; }

private:
    bool wanted(const Route& route, const TableState& row);
    std::optional<Due> renew(const TableRef& table, const std::vector<TableState>& rows, const std::vector<TableState>& halted);
    // False, for whoever has to leave it for now.
    bool postpone(const Due& due, const TableState& first, int renewals, const std::string& why);
    bool prepare(Due& due, const TableState& first, int renewals);

    Context& context_;
    const SyncSet& set_;
    SyncState& state_;
    Watermark& watermark_;
    std::set<std::pair<TableRef, std::string>> asked_;   // table and sink: halted in the middle of a copy
    std::set<TableRef> in_doubt_; // whether they were marked as new: the answer was lost
    std::set<TableRef> silent_;   // halted since the source was opened
    std::map<std::string, bool> takes_copies_;   // by sink, where it was asked
    bool looks_ = true;           // an earlier run may have left some
    bool postponed_ = false;      // all that are left wait for a pause to end
};

// How long a table waits that was taken up anew so often of late.
Millis renewal_pause(int renewals);

}  // namespace ysdb::sync
