#include "core/plan/probe.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "core/base/retry.h"

namespace ysdb::plan {

namespace {

bool is_number(const std::string& text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos; }

// The probe, looking only at what came after this mark.
Probe behind(Probe probe, const std::string& mark) {
    probe.look.params.emplace_back(mark);
    return probe;
}

}  // namespace

Seen look(const Looking& where, const Probe& probe, bool mend) {
    // What runs on by itself and can be ended is followed to its end (law 18); another's work is waited for.
    const Deadline deadline = probe.end.empty() ? Deadline::after(where.patience) : Deadline::never();
    const Deadline chance = Deadline::after(where.patience);
    std::string first_reason;
    while (true) {
        const SqlResult result = where.session.query(probe.look.sql, probe.look.params, where.context.deadline());
        if (result.rows() == 0) return {Effect::absent};
        const std::string word = result.row(0).text_or(0, "");
        // A file's own probe answers with a truth.
        if (word == "present" || word == "t" || word == "true" || word == "1") return {Effect::present};
        if (word == "absent" || word == "f" || word == "false" || word == "0") return {Effect::absent};
        if (word == "broken" && mend && !probe.mend.empty()) {
            const std::string what = result.row(0).text(1);
            where.context.log.warn(probe.mend_finishes ? "finishing what a broken run began" : "removing what a broken run left", {{"what", what}});
            where.before_mend();
            where.session.query(probe.mend + what + probe.mend_tail, Deadline::never());
            return {probe.mend_finishes ? Effect::present : Effect::absent};
        }
        const std::string found = result.columns.size() > 1 ? result.row(0).text_or(1, "") : "";
        if (word == "broken" && !probe.mend.empty()) return {Effect::broken, found};
        if (word == "stuck") {
            // Its cause may be gone by now: it is given the time to try once more.
            if (first_reason.empty()) first_reason = found;
            if (found != first_reason || chance.passed()) return {Effect::stuck, found};
        } else if (word != "running" || deadline.passed()) {
            return {Effect::unclear, found};
        }
        if (!found.empty()) where.progress.note("waiting for what an earlier run began: " + found);
        if (!pause_for(Millis(250), where.context.stop)) throw Error(Code::interrupted, "interrupted while waiting for a statement of another session");
    }
}

Seen look_behind(const Looking& where, const Probe& probe, const std::string& mark) {
    if (!is_number(mark)) return {Effect::unclear};
    return look(where, behind(probe, mark), true);
}

bool is_absent(SqlSession& session, const Probe& probe, const std::string& found, Deadline deadline) {
    if (!probe.mark && found != "absent") return false;
    try {
        const SqlText look = probe.mark ? behind(probe, found).look : probe.look;
        const SqlResult result = session.query(look.sql, look.params, deadline);
        return result.rows() > 0 && result.row(0).text_or(0, "") == "absent";
    } catch (const Error&) {
        return false;
    }
}

void wait_for_orphan(const Looking& where, const std::string& label) {
    if (label.empty()) return;
    const bool clickhouse = where.dialect == Dialect::clickhouse;
    const std::string sql = clickhouse ? "SELECT count() FROM system.processes WHERE startsWith(query_id, {p1:String})"
                                       : "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state IS DISTINCT FROM 'idle' AND pid <> pg_backend_pid()";
    const std::vector<std::optional<std::string>> params{clickhouse ? label + "-" : label};
    const Deadline deadline = Deadline::after(where.patience);
    for (Millis pause{25};; pause = std::min(pause * 2, Millis(1'000))) {
        if (where.session.query(sql, params, where.context.deadline()).row(0).text(0) == "0") return;
        if (deadline.passed()) {
            throw Error(Code::locked, "store '" + where.store + "': a statement of a run that was killed is still at work (" + label + ")",
                        clickhouse ? "wait, or end it: KILL QUERY WHERE startsWith(query_id, '" + label + "')"
                                   : "wait, or end it: SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = '" + label + "'");
        }
        if (!pause_for(pause, where.context.stop)) throw Error(Code::interrupted, "interrupted while waiting for a statement of a killed run");
    }
}

}  // namespace ysdb::plan
