// Rows that a failed primary told and its successor may never have had: read again from the successor, by key.
#pragma once

#include <cstdint>
#include <optional>

#include "core/context.h"
#include "core/sync/sets.h"
#include "core/sync/state.h"

namespace ysdb::sync {

struct Rewound {
    std::uint64_t rows = 0;
    std::uint64_t position = 0;    // of the view they were read from; 0: there were none
};

// Gives every row of one table in one sink whose version is `from` or later the state it has in the source now, or removes it, in a version of
// `epoch` that is older than what the stream tells from that moment on. None: which rows those are is not known, or they are too many, or the
// sink's table has other columns by now: it has to be copied. Doing it again does no harm.
std::optional<Rewound> rewind(Context& context, const SyncSet& set, SyncState& state, const Route& route, const Version& from, std::uint32_t epoch);

}  // namespace ysdb::sync
