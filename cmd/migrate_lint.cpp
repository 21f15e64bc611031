#include "cmd/commands.h"
#include "core/migrate/lint/lint.h"

namespace ysdb {

CommandSpec migrate_lint_verb() {
    CommandSpec verb;
    verb.name = "lint";
    verb.summary = "find what would block, break or lose something, before it is applied";
    verb.description =
        "Reads the pending files the way the server's own parser does and says which statements block readers or writers, rewrite tables, break programs that run, or "
        "lose data, and what to do instead. The sizes of the tables are looked up: on a small one a finding counts less, on a large one more. Objects that the same files "
        "create block nobody.\n\n"
        "A comment '-- ysdb:allow RULE reason' on or above a statement allows it; lint_ignore of [migrate] switches rules off. Ends with exit code 1 when a finding of "
        "severity error (or --fail-on) is left. docs/lint.md lists the rules.";
    verb.arguments = {{"FILE", "these files, each for itself, instead of what is pending", false, true}};
    verb.flags = {{"--all", "", "every file of the directory, each for itself, applied or not"},
                  {"--offline", "", "look at no store: every file, each for itself, and no sizes"},
                  {"--fail-on", "SEVERITY", "the least severity that ends with exit code 1", "error", {"error", "warning", "note"}},
                  {"--sarif", "FILE", "also write the findings there, as SARIF 2.1.0 for code scanners"},
                  {"--gitlab", "FILE", "also write the findings there, as a code quality report for GitLab", ""},
                  {"--github", "", "print the findings as annotations of a GitHub workflow"}};
    verb.examples = {{"ysdb migrate lint", "what is pending, with the sizes of the live tables"},
                     {"ysdb migrate lint --offline --github", "in CI, where no database can be reached"},
                     {"ysdb migrate lint --offline migrations/0042_prices.sql", "one file"}};
    verb.run = [](const Invocation& line, Context& context, Operator&) {
        migrate::LintOptions options;
        options.files = line.arguments;
        options.all = line.has("--all");
        options.offline = line.has("--offline");
        options.github = line.has("--github");
        options.sarif = line.text_or("--sarif", "");
        options.gitlab = line.text_or("--gitlab", "");
        options.fail_on = migrate::lint::severity_of(line.text_or("--fail-on", "error"));
        return migrate::lint_report(context, options);
    };
    return verb;
}

}  // namespace ysdb
