// Where a set stands: whether its source is still the one it followed, what has to be made there, which epoch its versions have.
#pragma once

#include <cstdint>

#include "core/context.h"
#include "core/sync/sets.h"
#include "core/sync/state.h"

namespace ysdb::sync {

// Used by one thread.
class Standing {
public:
    Standing(Context& context, const SyncSet& set, SyncState& state) : context_(context), set_(set), state_(state) {}

    // Compares what the source is with what was written down, installs what is missing, and brings both to a state from which changes can be
    // followed without a gap: where that is not possible, with a new epoch and new copies. Throws Error(refused) where only a person can decide.
    SetState settle();
    // Throws Error(refused) when the stream would not go on where it was: `confirmed` was told to the source last.
    void check(const SetState& saved, const CaptureState& now, std::uint64_t confirmed) const;

private:
    SetState renew(const SetState& saved, const CaptureState& now);
    void install();
    std::uint32_t next_epoch(std::uint32_t epoch);
    void begin_epoch(const SetState& state);
    void add_tables();

    Context& context_;
    const SyncSet& set_;
    SyncState& state_;
};

}  // namespace ysdb::sync
