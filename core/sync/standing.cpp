#include "core/sync/standing.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/base/fault.h"
#include "core/sync/rewind.h"

namespace ysdb::sync {

SetState Standing::settle(std::optional<std::uint64_t> told) {
    CaptureState now = set_.capture.look(set_.name, context_.deadline());
    told_ = now.position;
    auto saved = state_.set(context_.deadline());
    if (saved && saved->system == now.system && saved->timeline != now.timeline) {
        context_.log.warn("sync.timeline", {{"set", set_.name}, {"was", saved->timeline}, {"is", now.timeline}});
        const auto same = go_on(*saved, now, told);
        return same ? *same : renew(*saved, now);
    }
    if (saved) {
        check(*saved, now, saved->confirmed);
        check_way(*saved);
        check_notes(*saved);
    }
    install();
    if (!saved) {
        now = set_.capture.look(set_.name, context_.deadline());
        saved = SetState{set_.way(), now.system, now.timeline, next_epoch(0), now.confirmed};
        begin_epoch(*saved);
    } else if (saved->capture != set_.way()) {
        saved->capture = set_.way();
        begin_epoch(*saved);
    }
    add_tables();
    return *saved;
}

std::string Standing::reset_hint() const { return "ysdb sync reset" + std::string(context_.config.syncs.size() > 1 ? " --set " + set_.name : "") + "   (copies every table anew)"; }

void Standing::check(const SetState& saved, const CaptureState& now, std::uint64_t confirmed) const {
    const std::string reset = reset_hint();
    const bool log = set_.capture_kind == "trigger";   // positions are ticks of its log
    const std::string place = (set_.capture_kind == "poll" ? "what is remembered of the reads of sync " : log ? "the place in cdc.change_log of sync " : "the replication slot of sync ") + set_.name;
    const auto text = [&](std::uint64_t position) { return position_text(set_.capture_kind, position); };
    if (saved.system != now.system) {
        throw Error(Code::refused, fmt::format("store '{}' is another cluster ({}) than the one this set has followed ({})", set_.source.name(), now.system, saved.system), reset);
    }
    if (!now.installed) throw Error(Code::refused, place + " is gone: what was committed since is lost to it", reset);
    if (now.health == "lost") throw Error(Code::refused, "the server gave up " + place + " (max_slot_wal_keep_size)", reset);
    if (set_.capture_kind == "poll" && now.position < confirmed) {
        throw Error(Code::refused, fmt::format("sync {} counts from {} again, and was at {}: what it remembered of '{}' was taken away", set_.name, text(now.position), text(confirmed), set_.source.name()), reset);
    }
    if (now.confirmed > confirmed) {
        throw Error(Code::refused, fmt::format("{} is at {}, ahead of {} where this set was: somebody else has read it, or made it anew", place, text(now.confirmed), text(confirmed)), reset);
    }
    const auto stored = state_.set(context_.deadline());
    if (stored && stored->confirmed < confirmed) {
        throw Error(Code::refused, fmt::format("store '{}' has gone back to {}, from {}: an older copy of it was put in its place", set_.source.name(), text(stored->confirmed), text(confirmed)), reset);
    }
}

// What the stores note is what the source wrote down before. A copy of the source's files put in its place has the same timeline, and has forgotten.
void Standing::check_notes(const SetState& saved) const {
    for (const std::string& sink : set_.sinks) {
        try {
            ChangeSink& changes = *set_.sink(context_, sink).changes();
            const std::uint32_t epoch = changes.epoch(set_.name, context_.deadline());
            const std::uint64_t noted = changes.noted(set_.name, confirmed_note(saved.epoch), context_.deadline());
            if (epoch <= saved.epoch && noted <= saved.confirmed) continue;
            throw Error(Code::refused, fmt::format("store '{}' has what sync {} told of '{}' up to {}, which itself remembers {} only: an older copy of it was put in its place", sink, set_.name, set_.source.name(),
                                                   epoch > saved.epoch ? fmt::format("epoch {}", epoch) : std::to_string(noted), epoch > saved.epoch ? fmt::format("epoch {}", saved.epoch) : std::to_string(saved.confirmed)),
                        reset_hint());
        } catch (const Error& error) {
            if (error.code() == Code::refused || !error.retryable()) throw;
            context_.log.warn("sync.notes", {{"sink", sink}, {"error", error.message()}});   // following waits for it, too
        }
    }
}

std::string confirmed_note(std::uint32_t epoch) { return "confirmed in epoch " + std::to_string(epoch); }

// After a failover to a server that has the slot, at or before where this set was: the stream goes on there, in a new epoch. What the stores were
// told beyond the point where the histories part may never have been there: those rows are read again. None: new copies are needed.
std::optional<SetState> Standing::go_on(const SetState& saved, const CaptureState& now, std::optional<std::uint64_t> told) {
    // What is written down about tables is as old as the position beside it: a slot that is ahead of it may have passed what was not written here.
    if (!now.installed || now.health == "lost" || now.confirmed > saved.confirmed) return std::nullopt;
    const auto parted = set_.capture.left_timeline(saved.timeline, context_.deadline());
    if (!parted || saved.confirmed > *parted) return std::nullopt;
    for (const std::string& sink : set_.sinks) {
        ChangeSink& changes = *set_.sink(context_, sink).changes();
        const std::uint32_t epoch = changes.epoch(set_.name, context_.deadline());
        // A reset that the new primary has never heard of, unless it was a try of this.
        if (epoch > saved.epoch && changes.noted(set_.name, "failover", context_.deadline()) != epoch) return std::nullopt;
    }
    install();
    const SetState next{set_.way(), now.system, now.timeline, next_epoch(saved.epoch), saved.confirmed};
    for (const std::string& sink : set_.sinks) {
        ChangeSink& changes = *set_.sink(context_, sink).changes();
        fault::point("sync.failover.before");
        changes.note(set_.name, "failover", next.epoch, context_.deadline());
        changes.begin_epoch(set_.name, next.epoch, context_.deadline());
        fault::point("sync.failover.after");
    }
    for (const TableState& table : state_.tables(context_.deadline())) {
        const Route* const route = set_.route_of(table.table, table.sink);
        if (route == nullptr || table.state != "following") continue;
        if (table.position > *parted) {   // copied beyond it: changes behind that point are wanted again
            TableState back = table;
            back.position = *parted;
            state_.set_table(back, context_.deadline());
        }
        if (!told || *told >= *parted) {
            const auto repaired = rewind(context_, set_, state_, *route, {saved.epoch, *parted, 0}, next.epoch);
            if (!repaired) {
                context_.log.warn("sync.failover", {{"table", table.table}, {"sink", table.sink}, {"then", "copied anew: what was told of it since " + lsn_text(*parted) + " is not known"}});
                state_.set_table({table.table, table.sink, "new"}, context_.deadline());
                continue;
            }
            told_ = std::max(told_, repaired->position);
            if (repaired->rows > 0) context_.log.warn("sync.failover", {{"table", table.table}, {"sink", table.sink}, {"rows_read_again", repaired->rows}});
        }
        // Below the point positions mean what they meant.
        if (table.reshaped != Version{}) state_.set_reshaped(table.table, table.sink, {next.epoch, table.reshaped.position, table.reshaped.ordinal}, context_.deadline());
    }
    fault::point("sync.failover.state.before");
    state_.save(next, context_.deadline());
    fault::point("sync.failover.state.after");
    add_tables();
    return next;
}

// What is confirmed is durable in the bus then, and not in the sinks: these cannot be followed from there.
void Standing::check_way(const SetState& saved) const {
    const std::string was = bus_of(saved.capture);
    if (was.empty() || was == set_.bus_name) return;
    throw Error(Code::refused, "sync " + set_.name + " goes over the bus of store '" + was + "'",
                "ysdb sync run --to " + was + ", and --from " + was + " beside it; or ysdb sync reset, to follow without it (copies every table anew)");
}

// After a failover, or a restore: positions may have gone back, and rows that were told may never have been. A new epoch, and new copies.
SetState Standing::renew(const SetState& saved, const CaptureState& now) {
    if (now.installed && now.health != "lost") set_.capture.remove(set_.name, context_.deadline());
    install();
    const CaptureState fresh = set_.capture.look(set_.name, context_.deadline());
    const SetState renewed{set_.way(), fresh.system, fresh.timeline, next_epoch(saved.epoch), fresh.confirmed};
    state_.forget_copies(std::nullopt, context_.deadline());
    begin_epoch(renewed);
    add_tables();
    return renewed;
}

void Standing::install() { set_.capture.install(set_.name, set_.tables, context_.deadline()); }

std::uint32_t Standing::next_epoch(std::uint32_t epoch) {
    for (const std::string& sink : set_.sinks) epoch = std::max(epoch, set_.sink(context_, sink).changes()->epoch(set_.name, context_.deadline()));
    return epoch + 1;
}

// The sinks first: they outlive what the source may forget by being restored.
void Standing::begin_epoch(const SetState& state) {
    fault::point("sync.epoch.before");
    for (const std::string& sink : set_.sinks) set_.sink(context_, sink).changes()->begin_epoch(set_.name, state.epoch, context_.deadline());
    state_.save(state, context_.deadline());
    fault::point("sync.epoch.after");
}

// Tables that came into the configuration are new; what left it is forgotten.
void Standing::add_tables() {
    std::set<std::pair<std::string, std::string>> known;
    for (const TableState& table : state_.tables(context_.deadline())) {
        const auto leads = [&](const Route& r) { return r.table.text() == table.table && r.sink == table.sink; };
        const bool routed = std::any_of(set_.routes.begin(), set_.routes.end(), leads) || std::any_of(set_.configured.begin(), set_.configured.end(), leads);
        if (routed) known.emplace(table.table, table.sink);
        else state_.drop_table(table.table, table.sink, context_.deadline());
    }
    for (const Route& route : set_.routes) {
        if (!known.contains({route.table.text(), route.sink})) state_.set_table({route.table.text(), route.sink, "new"}, context_.deadline());
    }
}

}  // namespace ysdb::sync
