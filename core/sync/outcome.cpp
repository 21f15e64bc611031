#include "core/sync/outcome.h"

#include "core/base/text.h"
#include "core/sync/sets.h"
#include "core/value/version_text.h"

namespace ysdb::sync {

void add_outcome(Context& context, SyncState& state, const std::string& capture, const std::vector<SinkState>& sinks, const std::string& then, Report& report) {
    Table& of_sinks = report.add_table("sinks", "", {{"sink"}, {"state"}, {"position"}, {"changes", Unit::count}, {"lag_p50_s", Unit::seconds, "lag p50"}, {"lag_p99_s", Unit::seconds, "p99"}, {"error"}});
    for (const SinkState& sink : sinks) {
        of_sinks.rows.push_back({sink.sink, sink.state, position_text(capture, sink.position), static_cast<std::int64_t>(sink.changes), sink.lag_p50_ms / 1000, sink.lag_p99_ms / 1000, sink.error});
    }
    Table& tables = report.add_table("tables", "", {{"table"}, {"sink"}, {"state"}, {"copied", Unit::count, "rows copied"}, {"rejected", Unit::count}, {"reason"}});
    std::vector<std::string> halted;
    bool waits = false;   // for a run to take it up anew
    for (const TableState& table : state.tables(context.deadline())) {
        tables.rows.push_back({table.table, table.sink, table.state, static_cast<std::int64_t>(table.rows), static_cast<std::int64_t>(table.rejected), table.reason});
        waits = waits || table.renew_in_s;
        if (table.state == "halted" && !table.renew_in_s && (halted.empty() || halted.back() != table.table)) halted.push_back(table.table);
    }
    std::uint64_t letters = 0;
    for (const auto& [_, count] : state.dead_letter_counts(context.deadline())) letters += count;
    report.add_figure("dead_letters", static_cast<std::int64_t>(letters), Unit::count, "dead letters");
    if (!halted.empty()) {
        report.code = Code::partial;
        for (std::string& table : halted) table = "ysdb sync reset " + table;
        report.next = join(halted, " && ") + "   (" + then + ")";
    } else if (waits) {
        report.code = Code::partial;
        report.next = "ysdb sync run   (takes up anew what its source halted; when: ysdb sync status)";
    } else if (letters > 0 && report.code == Code::ok) {
        report.code = Code::partial;
        report.next = "ysdb sync status --dead-letters";
    }
}

void add_rejected(Context& context, SyncState& state, const std::vector<Route>& routes, const Segment& segment) {
    for (const RejectedChange& row : segment.rejected) {
        for (const Route& route : routes) {
            if (route.table == row.table) state.add_dead_letter({route.sink, row.table.text(), row.key, row.column, row.reason, version_text(row.version)}, context.deadline());
        }
    }
}

}  // namespace ysdb::sync
