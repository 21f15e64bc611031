#include "core/sync/standing.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/base/fault.h"

namespace ysdb::sync {

SetState Standing::settle() {
    CaptureState now = set_.capture.look(set_.name, context_.deadline());
    auto saved = state_.set(context_.deadline());
    if (saved && saved->system == now.system && saved->timeline != now.timeline) {
        context_.log.warn("sync.timeline", {{"set", set_.name}, {"was", saved->timeline}, {"is", now.timeline}});
        return renew(*saved, now);
    }
    if (saved) check(*saved, now, saved->confirmed);
    install();
    if (!saved) {
        now = set_.capture.look(set_.name, context_.deadline());
        saved = SetState{set_.capture_kind, now.system, now.timeline, next_epoch(0), now.confirmed};
        begin_epoch(*saved);
    }
    add_tables();
    return *saved;
}

void Standing::check(const SetState& saved, const CaptureState& now, std::uint64_t confirmed) const {
    const std::string reset = "ysdb sync reset" + std::string(context_.config.syncs.size() > 1 ? " --set " + set_.name : "") + "   (copies every table anew)";
    if (saved.system != now.system) {
        throw Error(Code::refused, fmt::format("store '{}' is another cluster ({}) than the one this set has followed ({})", set_.source.name(), now.system, saved.system), reset);
    }
    if (!now.installed) throw Error(Code::refused, "the replication slot of sync " + set_.name + " is gone: what was committed since is lost to it", reset);
    if (now.health == "lost") throw Error(Code::refused, "the server gave up the replication slot of sync " + set_.name + " (max_slot_wal_keep_size)", reset);
    if (now.confirmed > confirmed) {
        throw Error(Code::refused, fmt::format("the replication slot of sync {} is at {}, ahead of {} where this set was: somebody else has read it, or made it anew", set_.name,
                                               lsn_text(now.confirmed), lsn_text(confirmed)), reset);
    }
}

// After a failover, or a restore: positions may have gone back, and rows that were told may never have been. A new epoch, and new copies.
SetState Standing::renew(const SetState& saved, const CaptureState& now) {
    if (now.installed && now.health != "lost") set_.capture.remove(set_.name, context_.deadline());
    install();
    const CaptureState fresh = set_.capture.look(set_.name, context_.deadline());
    const SetState renewed{set_.capture_kind, fresh.system, fresh.timeline, next_epoch(saved.epoch), fresh.confirmed};
    state_.forget_copies(std::nullopt, context_.deadline());
    begin_epoch(renewed);
    add_tables();
    return renewed;
}

void Standing::install() { set_.capture.install(set_.name, set_.tables, context_.deadline()); }

std::uint32_t Standing::next_epoch(std::uint32_t epoch) {
    for (const std::string& sink : set_.sinks) epoch = std::max(epoch, context_.stores.get(sink).changes()->epoch(set_.name, context_.deadline()));
    return epoch + 1;
}

// The sinks first: they outlive what the source may forget by being restored.
void Standing::begin_epoch(const SetState& state) {
    fault::point("sync.epoch.before");
    for (const std::string& sink : set_.sinks) context_.stores.get(sink).changes()->begin_epoch(set_.name, state.epoch, context_.deadline());
    state_.save(state, context_.deadline());
    fault::point("sync.epoch.after");
}

// Tables that came into the configuration are new; what left it is forgotten.
void Standing::add_tables() {
    std::set<std::pair<std::string, std::string>> known;
    for (const TableState& table : state_.tables(context_.deadline())) {
        const bool routed = std::any_of(set_.routes.begin(), set_.routes.end(), [&](const Route& r) { return r.table.text() == table.table && r.sink == table.sink; });
        if (routed) known.emplace(table.table, table.sink);
        else state_.drop_table(table.table, table.sink, context_.deadline());
    }
    for (const Route& route : set_.routes) {
        if (!known.contains({route.table.text(), route.sink})) state_.set_table({route.table.text(), route.sink, "new"}, context_.deadline());
    }
}

}  // namespace ysdb::sync
