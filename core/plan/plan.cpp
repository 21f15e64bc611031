#include "core/plan/plan.h"

namespace ysdb::plan {

Report Plan::preview() const {
    Report report;
    std::size_t steps = 0;
    Table& table = report.add_table("steps", "", {{"unit"}, {"step", ysdb::Unit::count}, {"store"}, {"what"}, {"transaction"}, {"locks"}, {"size", ysdb::Unit::bytes}, {"rewrite"}, {"scan"}, {"least_seconds", ysdb::Unit::seconds, "at least (estimate)"}, {"loses"}, {"undo"}, {"note"}, {"place"}});
    for (const Unit& unit : units) {
        for (const Step& step : unit.steps) {
            ++steps;
            table.rows.push_back({unit.what, std::int64_t{step.number}, unit.store, step.what, unit.transaction, step.locks.empty() ? Value() : Value(step.locks),
                                  step.bytes == 0 ? Value() : Value(static_cast<std::int64_t>(step.bytes)), step.rewrites ? Value(*step.rewrites) : Value(),
                                  step.scans ? Value(*step.scans) : Value(), step.least_seconds ? Value(*step.least_seconds) : Value(), step.loses.empty() ? Value() : Value(step.loses), unit.undo,
                                  step.begun ? Value("begun by an earlier run: will be settled first") : Value(), step.place});
        }
    }
    report.add_figure("units", static_cast<std::int64_t>(units.size()), ysdb::Unit::count);
    report.add_figure("statements", static_cast<std::int64_t>(steps), ysdb::Unit::count);
    return report;
}

}  // namespace ysdb::plan
