#include <algorithm>

#include "core/migrate/migrate.h"
#include "core/migrate/workspace.h"

namespace ysdb::migrate {

Report status(Context& context, const std::optional<std::string>& environment) {
    Workspace work(context, environment, Reading::at_once);
    work.read();
    Report report;
    const auto applied = std::count_if(work.standings.begin(), work.standings.end(), [](const Standing& s) { return s.applied(); });
    const auto skipped = std::count_if(work.standings.begin(), work.standings.end(), [](const Standing& s) { return s.state == State::skipped; });
    const std::int64_t pending = static_cast<std::int64_t>(work.standings.size()) - applied - skipped;
    report.add_figure("applied", static_cast<std::int64_t>(applied), Unit::count);
    report.add_figure("pending", pending, Unit::count);
    if (skipped > 0) report.add_figure("skipped", static_cast<std::int64_t>(skipped), Unit::count, "skipped, for another environment");
    Table& table = report.add_table("migrations", "", {{"version"}, {"name"}, {"store"}, {"state"}, {"checksum"}, {"applied_at"}});
    for (const Standing& standing : work.standings) {
        const bool applied_as_is = standing.applied();
        table.rows.push_back({standing.version(), applied_as_is ? standing.row->name : standing.file->name, applied_as_is ? standing.row->store : standing.file->store,
                              std::string(state_name(standing.state)), applied_as_is ? standing.row->checksum : standing.file->checksum,
                              applied_as_is ? Value(standing.row->applied_at) : Value()});
        if (standing.state == State::changed) report.warnings.push_back(change_error(standing).message());
        if (standing.state == State::missing) report.warnings.push_back("migration " + standing.row->title() + " was applied, and its file is gone");
        if (!standing.back.empty() && standing.row) report.warnings.push_back("migration " + standing.title() + ": an unfinished run of down took a part of it back; go on with: ysdb migrate " + (standing.redoing ? "redo" : "down"));
        if (standing.late) report.warnings.push_back(standing.file->source.path + ": a later version is already applied; to apply it all the same: ysdb migrate up --out-of-order");
    }
    if (pending > 0) report.next = "ysdb migrate up";
    return report;
}

}  // namespace ysdb::migrate
