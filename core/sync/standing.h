// Where a set stands: whether its source is still the one it followed, what has to be made there, which epoch its versions have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/context.h"
#include "core/sync/sets.h"
#include "core/sync/state.h"

namespace ysdb::sync {

// Name of the note (ChangeSink::note) of how far a set was confirmed in an epoch.
std::string confirmed_note(std::uint32_t epoch);

// Used by one thread.
class Standing {
public:
    Standing(Context& context, const SyncSet& set, SyncState& state) : context_(context), set_(set), state_(state) {}

    // Compares what the source is with what was written down, installs what is missing, and brings both to a state from which changes can be
    // followed without a gap: where that is not possible, with a new epoch and new copies. Throws Error(refused) where only a person can decide.
    // `told`: the position of the last change that was told to any sink, where this process knows.
    SetState settle(std::optional<std::uint64_t> told = {});
    // Nothing that was told to any sink before settle() returned is beyond this position.
    std::uint64_t told() const { return told_; }
    // Throws Error(refused) when the stream would not go on where it was: `confirmed` was told to the source last.
    void check(const SetState& saved, const CaptureState& now, std::uint64_t confirmed) const;

private:
    std::string reset_hint() const;
    void check_notes(const SetState& saved) const;
    std::optional<SetState> go_on(const SetState& saved, const CaptureState& now, std::optional<std::uint64_t> told);
    void check_way(const SetState& saved) const;
    SetState renew(const SetState& saved, const CaptureState& now);
    void install();
    std::uint32_t next_epoch(std::uint32_t epoch);
    void begin_epoch(const SetState& state);
    void add_tables();

    Context& context_;
    const SyncSet& set_;
    SyncState& state_;
    std::uint64_t told_ = 0;
};

}  // namespace ysdb::sync
