#include "core/sync/follow/reached.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/retry.h"
#include "core/base/text.h"
#include "core/sync/sets.h"

namespace ysdb::sync {

namespace {

constexpr Millis look_every{100};
// A run writes down where its sinks are every two seconds; one that waits for its source's disk may be late.
constexpr double silent_s = 20;

}  // namespace

void check_followed(Context& context, const SyncConfig& set, SyncState& state, const Route& route) {
    const std::string now = "compare it at rest, once nobody writes: --at now";
    const auto saved = state.prepared(context.deadline()) ? state.set(context.deadline()) : std::nullopt;
    if (!saved) throw Error(Code::refused, "sync " + set.name + " is not followed by any run", "ysdb sync run, or --at now");
    if (!bus_of(saved->capture).empty()) throw Error(Code::refused, "sync " + set.name + " goes over a bus, whose members have no watermark in common", now);
    const auto tables = state.tables(context.deadline());
    const auto found = std::find_if(tables.begin(), tables.end(), [&](const TableState& table) { return table.table == route.table.text() && table.sink == route.sink; });
    const std::string is = found == tables.end() ? "new" : found->state;
    if (is == "following") return;
    throw Error(Code::refused, fmt::format("{} is not followed into '{}' now: {}{}", route.table.text(), route.sink, is, found == tables.end() || found->reason.empty() ? "" : " (" + found->reason + ")"),
                is == "halted" ? "ysdb sync reset " + route.table.text() + ", then ysdb sync run" : "ysdb sync status   (until it is copied)");
}

void wait_until_reached(Context& context, const SyncConfig& set, ChangeCapture& capture, SyncState& state, const std::string& sink, Millis patience) {
    const std::uint64_t target = capture.look(set.name, context.deadline()).position;
    const Deadline end = Deadline::after(patience);
    for (;;) {
        const auto sinks = state.sinks(context.deadline());
        const auto found = std::find_if(sinks.begin(), sinks.end(), [&](const SinkState& one) { return one.sink == sink; });
        if (found != sinks.end() && found->position >= target) return;
        if (found == sinks.end() || found->age_s > silent_s) {
            throw Error(Code::refused, "sync " + set.name + " is not running: nothing tells '" + sink + "' what the source has", "ysdb sync run, or --at now");
        }
        if (end.passed()) {
            throw Error(Code::refused, fmt::format("store '{}' has not got within {} s to where the source was: it is {} behind, {}{}", sink, patience.count() / 1000,
                                                   counts_ticks(set.capture) ? std::to_string(target - found->position) + " ticks" : human_bytes(static_cast<double>(target - found->position)), found->state, found->error.empty() ? "" : " (" + found->error + ")"),
                        "ysdb sync status; a longer --wait");
        }
        if (!pause_for(look_every, context.stop)) throw Error(Code::interrupted, "interrupted while store '" + sink + "' was waited for");
    }
}

}  // namespace ysdb::sync
