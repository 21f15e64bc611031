// Findings as people, code scanners and GitHub's log want them. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "core/migrate/lint/judge.h"

namespace ysdb::migrate::lint {

// "path:line:column: error: what (12 GB) [rule]" with the line and a caret; why and what instead behind the first of each rule.
std::string text_of(const std::vector<Finding>& findings);
// SARIF 2.1.0.
std::string sarif_of(const std::vector<Finding>& findings);
// GitLab's code quality report.
std::string gitlab_of(const std::vector<Finding>& findings);
// One workflow command a finding: "::error file=...,line=...".
std::string github_of(const std::vector<Finding>& findings);
// The table of rules, for docs/lint.md.
std::string rules_as_markdown();

}  // namespace ysdb::migrate::lint
