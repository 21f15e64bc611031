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

namespace {

void check_table(const std::vector<TableState>& tables, const TableRef& table, const std::string& sink) {
    const auto found = std::find_if(tables.begin(), tables.end(), [&](const TableState& each) { return each.table == table.text() && each.sink == sink; });
    const std::string is = found == tables.end() ? "new" : found->state;
    if (is == "following") return;
    throw Error(Code::refused, fmt::format("{} is not followed into '{}' now: {}{}", table.text(), sink, is, found == tables.end() || found->reason.empty() ? "" : " (" + found->reason + ")"),
                is == "halted" ? "ysdb sync reset " + table.text() + ", then ysdb sync run" : "ysdb sync status   (until it is copied)");
}

// Looks again and again, for so long.
struct Wait {
    Context& context;
    const SyncConfig& set;
    const std::string& sink;
    Deadline end;
    Millis patience;

    // What the sink lacks, and why; empty: nothing.
    template <class Lacks>
    void until(const Lacks& lacks) const {
        for (;;) {
            const std::string lacking = lacks();
            if (lacking.empty()) return;
            if (end.passed()) {
                throw Error(Code::refused, fmt::format("store '{}' has not got within {} s to where the source was: {}", sink, patience.count() / 1000, lacking), "ysdb sync status; a longer --wait");
            }
            if (!pause_for(look_every, context.stop)) throw Error(Code::interrupted, "interrupted while store '" + sink + "' was waited for");
        }
    }
};

// What the run that reads the source has not written to this sink of its own: a store, or the bus.
std::string not_told(const Wait& wait, SyncState& state, const std::string& told_to, std::uint64_t target, const std::string& run) {
    const auto sinks = state.sinks(wait.context.deadline());
    const auto found = std::find_if(sinks.begin(), sinks.end(), [&](const SinkState& one) { return one.sink == told_to; });
    if (found != sinks.end() && found->position >= target) return "";
    if (found == sinks.end() || found->age_s > silent_s) {
        throw Error(Code::refused, "sync " + wait.set.name + " is not running: nothing tells '" + told_to + "' what the source has", run + ", or --at now");
    }
    const std::uint64_t behind = target - found->position;
    return fmt::format("it is {} behind, {}{}", counts_ticks(wait.set.capture) ? std::to_string(behind) + " ticks" : human_bytes(static_cast<double>(behind)), found->state, found->error.empty() ? "" : " (" + found->error + ")");
}

// What is committed by the group is durable in every sink of the set, whoever wrote it.
void wait_for_members(const Wait& wait, const std::string& bus) {
    const std::string name = group_of(wait.set.name);
    const auto group = bus_at(wait.context, wait.set.name, bus).look_at_group(wait.set.name, name, wait.context.deadline());
    wait.until([&]() -> std::string {
        const auto behind = group->behind(wait.context.deadline());
        if (behind == 0) return "";
        return behind ? fmt::format("group {} has {} records of the bus still to commit", name, *behind) : "group " + name + " has committed nothing: no member of it (ysdb sync run --from " + bus + ") has been here";
    });
}

}  // namespace

void check_followed(Context& context, const SyncConfig& set, SyncState& state, const Route& route) {
    const auto saved = state.prepared(context.deadline()) ? state.set(context.deadline()) : std::nullopt;
    if (!saved) throw Error(Code::refused, "sync " + set.name + " is not followed by any run", "ysdb sync run, or --at now");
    const std::string bus = bus_of(saved->capture);
    if (!bus.empty() && !saved->capture.starts_with(set.capture + ">")) {
        throw Error(Code::refused, "sync " + set.name + " is told by somebody else (" + saved->capture + "), who does not say how far", "compare it at rest, once nobody writes: --at now");
    }
    const auto tables = state.tables(context.deadline());
    if (!bus.empty()) check_table(tables, route.table, bus_sink_name(bus));
    check_table(tables, route.table, route.sink);
}

void wait_until_reached(Context& context, const SyncConfig& set, ChangeCapture& capture, SyncState& state, const std::string& sink, Millis patience) {
    const auto saved = state.set(context.deadline());
    const std::string bus = saved ? bus_of(saved->capture) : "";
    const std::uint64_t target = capture.look(set.name, context.deadline()).position;
    const Wait wait{context, set, sink, Deadline::after(patience), patience};
    wait.until([&] { return not_told(wait, state, bus.empty() ? sink : bus_sink_name(bus), target, bus.empty() ? "ysdb sync run" : "ysdb sync run --to " + bus); });
    if (!bus.empty()) wait_for_members(wait, bus);
}

}  // namespace ysdb::sync
