// ysdb migrate lint: what a change of the schema would do to those who use it, said before it is applied.
#pragma once

#include <string>
#include <vector>

#include "core/context.h"
#include "core/migrate/lint/rules.h"
#include "core/migrate/standing.h"
#include "core/plan/plan.h"
#include "core/report/report.h"

namespace ysdb::migrate {

struct LintOptions {
    std::vector<std::string> files;     // these, each for itself; empty: what is pending
    bool all = false;                   // every file of the directory, applied or not
    bool offline = false;               // no store is looked at: every file, and no sizes
    bool github = false;                // the text is workflow commands
    std::string sarif;                  // also written there, as SARIF
    std::string gitlab;                 // also written there, as GitLab's code quality report
    lint::Severity fail_on = lint::Severity::error;
};

// Code::differences when a finding of that severity or a worse one is left.
Report lint_report(Context& context, const LintOptions& options);

// For `plan`: locks, rewrites, scans, what is lost, and how long at least, from the same knowledge.
void explain(plan::Plan& plan, const std::vector<Standing>& standings, Context& context);

}  // namespace ysdb::migrate
