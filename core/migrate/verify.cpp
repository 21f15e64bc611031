#include "core/migrate/migrate.h"
#include "core/migrate/variables.h"
#include "core/migrate/workspace.h"

namespace ysdb::migrate {

namespace {

bool says_no(const SqlResult& result) {
    for (std::size_t i = 0; i < result.rows(); ++i) {
        const auto cell = result.row(i).cells[0];
        if (cell == "f" || cell == "false" || cell == "0") return true;
    }
    return false;
}

// Every statement must run, and none may answer with a false in its first column. Nothing it changes is kept.
Check run_section(Context& context, const Migration& file) {
    Check check{file.title() + " verify", CheckState::ok, std::to_string(file.verify.size()) + " statements", ""};
    SqlStore& store = *context.stores.get(file.store).sql();
    const auto session = store.open_session("ysdb migrate " + context.run_id, context.deadline());
    if (store.transactional_ddl()) session->query("BEGIN READ ONLY", context.deadline());
    for (const Statement& statement : file.verify) {
        try {
            if (!says_no(session->query(expand(file, statement.begin, statement.end, context.config.migrate.variables).text, context.deadline()))) continue;
            check.detail = file.source.where(statement.begin) + ": the answer is no";
        } catch (const Error& error) {
            if (error.code() == Code::connect) throw;
            check.detail = file.source.where(statement.begin) + ": " + without_values(error.message(), context.config.migrate.variables);
        }
        check.state = CheckState::fail;
        break;
    }
    return check;
}

}  // namespace

Report verify(Context& context) {
    Workspace work(context, {}, Reading::at_once);
    work.read();
    Report report;
    for (const Standing& standing : work.standings) {
        if (standing.row == nullptr) continue;
        if (!standing.applied()) {
            report.checks.push_back({standing.row->title(), CheckState::warn, standing.file->runs_each_time() ? "runs each time" : "edited since it ran", "ysdb migrate up runs it again"});
            continue;
        }
        if (standing.state == State::missing) {
            report.checks.push_back({standing.row->title(), CheckState::fail, "its file is gone", "bring it back from version control"});
        } else if (standing.state == State::changed) {
            const Error error = change_error(standing);
            report.checks.push_back({standing.row->title(), CheckState::fail, error.message(), error.hint()});
        } else if (!standing.back.empty()) {
            report.checks.push_back({standing.row->title(), CheckState::fail, "an unfinished run of down took a part of it back", "ysdb migrate down"});
        } else {
            report.checks.push_back({standing.row->title(), CheckState::ok, "as it was applied", ""});
            if (!standing.file->verify.empty()) report.checks.push_back(run_section(context, *standing.file));
        }
    }
    for (const Check& check : report.checks) {
        if (check.state == CheckState::fail) report.code = Code::differences;
    }
    return report;
}

}  // namespace ysdb::migrate
