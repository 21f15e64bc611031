#include "core/sync/renewals.h"

#include <algorithm>

#include "core/base/fault.h"
#include "core/base/text.h"

namespace ysdb::sync {

namespace {

constexpr Millis first_pause{10'000};
constexpr Millis longest_pause{60 * 60'000};
constexpr Millis install_within{5'000};
constexpr double calm_s = 60 * 60;   // what was halted before that counts no more
constexpr std::string_view no_copy = "; no new copy: ";

bool by_source(const TableState& table) { return table.state == "halted" && table.halted_by == "source"; }

// How often a table was taken up anew of late.
int of_late(const TableState& table) { return table.since_renewed_s && *table.since_renewed_s > calm_s ? 0 : table.renewals; }

}  // namespace

Millis renewal_pause(int renewals) {
    if (renewals <= 0) return Millis(0);
    Millis pause = first_pause;
    for (int i = 1; i < renewals && pause < longest_pause; ++i) pause *= 2;
    return std::min(pause, longest_pause);
}

void Renewals::halted(const TableRef& table, const std::vector<std::string>& copying) {
    silent_.insert(table);
    for (const std::string& sink : copying) asked_.emplace(table, sink);
    if (copying.empty() && set_.config.when_halted != "copy") return;
    looks_ = true;
    postponed_ = false;
}

// Whether a copy is to be made of this table that its source halted. What a sink without copies did not get meanwhile is a person's to judge.
bool Renewals::wanted(const Route& route, const TableState& row) {
    // One that was put off in the middle of a copy is made, whatever the set says of others.
    if (set_.config.when_halted != "copy" && !asked_.contains({route.table, row.sink}) && !row.renew_in_s) return false;
    const auto [known, unasked] = takes_copies_.emplace(row.sink, false);
    if (unasked) known->second = set_.takes_copies(context_, route);
    return known->second;
}

std::optional<Renewals::Due> Renewals::next(const std::function<bool(const TableRef&)>& copying) {
    std::map<TableRef, std::vector<TableState>> tables;
    for (TableState& table : state_.tables(context_.deadline())) {
        if (const Route* const route = set_.route_of(table.table, table.sink)) tables[route->table].push_back(std::move(table));
    }
    bool left = false, all_wait = true;
    for (const auto& [ref, rows] : tables) {
        const bool copied = copying(ref);
        const auto marked = [&](const TableState& row) { return row.state == "new" && in_doubt_.contains(ref); };
        std::vector<TableState> halted;
        for (const TableState& row : rows) {
            if (marked(row) || (by_source(row) && wanted(*set_.route_of(row.table, row.sink), row))) halted.push_back(row);
        }
        const bool in_all = std::none_of(rows.begin(), rows.end(), [&](const TableState& row) {
            if (row.state == "halted" || marked(row)) return false;
            // A sink that was told less than the others: it comes to the halt yet. One that joined behind it follows what the source tells.
            const auto behind = [&](const TableState& halt) { return row.position <= halt.position; };
            return row.state != "following" || silent_.contains(ref) || std::any_of(halted.begin(), halted.end(), behind);
        });
        if (halted.empty()) {
            // Halted, and the sinks do not know yet.
            const bool coming = set_.config.when_halted == "copy" || std::any_of(asked_.begin(), asked_.end(), [&](const auto& one) { return one.first == ref; });
            if (coming && !in_all && silent_.contains(ref)) {
                left = true;
                all_wait = false;
            }
            continue;
        }
        left = true;
        if (!in_all || copied) {
            all_wait = false;
            continue;
        }
        const bool waits = std::any_of(halted.begin(), halted.end(), [](const TableState& row) { return row.renew_in_s && *row.renew_in_s > 0; });
        if (waits) continue;
        if (auto due = renew(ref, rows, halted)) return due;
    }
    looks_ = left;
    postponed_ = left && all_wait;
    return std::nullopt;
}

// Marks the table as new where its source halted it, once nothing stands in the way that a copy would not get over.
std::optional<Renewals::Due> Renewals::renew(const TableRef& table, const std::vector<TableState>& rows, const std::vector<TableState>& halted) {
    Due due{table, {}, std::none_of(rows.begin(), rows.end(), [](const TableState& row) { return row.state == "following"; }), 0};
    int renewals = 0;
    bool waited = false;
    for (const TableState& row : halted) {
        due.sinks.push_back(row.sink);
        renewals = std::max(renewals, row.renew_in_s ? row.renewals : of_late(row));
        waited = waited || row.renew_in_s || row.state == "new";
    }
    if (!waited && renewals > 0) {
        postpone(due, halted.front(), renewals, "");
        return std::nullopt;
    }
    if (!prepare(due, halted.front(), renewals)) return std::nullopt;
    fault::point("sync.renew.before");
    in_doubt_.insert(table);
    state_.renew(table.text(), due.sinks, renewals + 1, context_.deadline());
    fault::point("sync.renew.after");
    context_.log.info("sync.renew", {{"table", table.text()}, {"sinks", join(due.sinks, ", ")}, {"after", halted.front().reason}});
    in_doubt_.erase(table);
    for (const std::string& sink : due.sinks) asked_.erase({table, sink});
    return due;
}

// What the source needs to tell the table again, and whether it can.
bool Renewals::prepare(Due& due, const TableState& first, int renewals) {
    const auto passing = [](const Error& error) { return error.retryable() || error.code() == Code::connect; };
    // A moment's trouble is not to count; should the source be away, nothing can be written down either, and all of it is asked again.
    const auto later = [&](const Error& error) {
        if (error.code() == Code::interrupted) throw Error(error);
        return postpone(due, first, passing(error) ? std::max(1, renewals) : renewals + 1, error.message());
    };
    try {
        set_.capture.plan_install(set_.name, std::vector{due.table}, context_.deadline());   // what the table itself lacks
    } catch (const Error& error) {
        return later(error);
    }
    try {
        // One that was dropped and made anew is not told of, else. Nobody is read meanwhile: who holds a lock on it is not waited for.
        set_.capture.install(set_.name, set_.tables, Deadline::after(std::min(context_.timeout, install_within)));
    } catch (const Error& error) {
        // Another of the set's tables may be in a bad way. Should that matter to this one, it is halted again.
        if (passing(error) || error.code() == Code::interrupted || renewals > 0) return later(error);
        context_.log.warn("sync.renew", {{"table", due.table.text()}, {"error", error.message()}});
    }
    if (!due.tell_anew) return true;
    try {
        due.from = set_.capture.look(set_.name, context_.deadline()).position;
        // Of a moment behind that: what it has more, the copies have as well.
        watermark_.know(set_.capture.describe(due.table, context_.deadline()));
    } catch (const Error& error) {
        return later(error);
    }
    return true;
}

bool Renewals::postpone(const Due& due, const TableState& first, int renewals, const std::string& why) {
    std::string reason = first.reason.substr(0, first.reason.find(no_copy));
    if (!why.empty()) reason += std::string(no_copy) + why;
    const auto pause = renewal_pause(renewals);
    state_.postpone(due.table.text(), due.sinks, renewals, static_cast<double>(pause.count()) / 1000, reason, context_.deadline());
    // The same again and again is told once.
    if (reason != first.reason || why.empty()) {
        context_.log.warn("sync.renew", {{"table", due.table.text()}, {"again_s", pause.count() / 1000}, {"renewals", renewals}, {"why", why.empty() ? "it was taken up anew shortly before" : why}});
    }
    return false;
}

}  // namespace ysdb::sync
