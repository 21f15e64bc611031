#include "core/plan/plan.h"

#include "core/base/text.h"

namespace ysdb::plan {

namespace {

std::string text_of(const Batches& batches) {
    const std::string count = human_count(static_cast<double>(batches.size));
    std::string text = "batches of " + count + " rows" + (batches.target.count() == 0 ? "" : " at first, then as many as take " + human_duration(std::chrono::duration<double>(batches.target).count()));
    text += batches.key.empty() ? ", by the primary key" : ", by " + join(batches.key, ", ");
    if (batches.rate) text += "; at most " + human_count(static_cast<double>(*batches.rate)) + " rows changed a second";
    if (batches.lag) text += "; waits while a replica is behind by more than " + human_duration(std::chrono::duration<double>(*batches.lag).count());
    if (batches.table_rows) text += "; the table has about " + human_count(static_cast<double>(*batches.table_rows)) + " rows";
    return text;
}

Value note_of(const Step& step) {
    std::string note = step.batches ? text_of(*step.batches) : "";
    if (step.begun) note += note.empty() ? "begun by an earlier run: will be settled first" : "; begun by an earlier run: goes on where it was";
    return note.empty() ? Value() : Value(note);
}

}  // namespace

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
                                  note_of(step), step.place});
        }
    }
    report.add_figure("units", static_cast<std::int64_t>(units.size()), ysdb::Unit::count);
    report.add_figure("statements", static_cast<std::int64_t>(steps), ysdb::Unit::count);
    return report;
}

}  // namespace ysdb::plan
