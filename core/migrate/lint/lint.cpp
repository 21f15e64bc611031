#include "core/migrate/lint/lint.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/url.h"
#include "core/migrate/lint/judge.h"
#include "core/migrate/lint/output.h"
#include "core/migrate/lint/sizes.h"
#include "core/migrate/workspace.h"

namespace ysdb::migrate {

namespace {

namespace fs = std::filesystem;

// By the URL alone: no store is opened. Without any configuration a file that names no store is taken for PostgreSQL.
Dialect dialect_of(const Context& context, const std::string& name) {
    if (context.config.stores.empty() && name == context.config.migrate.store) return Dialect::postgres;
    const std::string& url = context.stores.config(name).url;
    const std::string scheme = lower(url.substr(0, url.find(':')));
    if (scheme.starts_with("postgres")) return Dialect::postgres;
    if (scheme.starts_with("clickhouse") || scheme == "chdb") return Dialect::clickhouse;
    if (scheme.starts_with("questdb")) return Dialect::questdb;
    throw Error(Code::config, "store '" + name + "' takes no SQL: migrations cannot run there", "name a PostgreSQL or ClickHouse store");
}

std::vector<Migration> read_named(Context& context, const LintOptions& options) {
    std::vector<Migration> files;
    for (const std::string& name : options.files) {
        const fs::path path(name);
        const auto parts = split_file_name(path.filename().string());
        Source source{name, read_file(path)};
        files.push_back(parse_migration(parts ? parts->first : "0", parts ? parts->second : path.stem().string(), std::move(source), context.config.migrate.store,
                                        [&](const std::string& store) { return dialect_of(context, store); }));
    }
    return files;
}

// What is linted, and what is known of the tables before.
struct Work {
    std::vector<Migration> files;
    std::vector<const Migration*> before, judged;
    bool together = false;
    bool reachable = false;
};

void read_pending(Work& work, Context& context, Report& report) {
    try {
        Workspace workspace(context);
        workspace.read();
        work.reachable = true;
        for (const Standing& standing : workspace.standings) {
            if (standing.file == nullptr) continue;
            // Its own copy of the files: the workspace and its session end here.
            const auto same = std::find_if(work.files.begin(), work.files.end(), [&](const Migration& file) { return file.source.path == standing.file->source.path; });
            if (same != work.files.end()) (standing.applied() ? work.before : work.judged).push_back(&*same);
        }
        work.together = true;
    } catch (const Error& error) {
        if (error.code() != Code::connect) throw;
        report.warnings.push_back(error.message() + "; every file is linted, each for itself, and without sizes (--offline leaves this out)");
    }
}

Work read_work(Context& context, const LintOptions& options, Report& report) {
    Work work;
    work.files = options.files.empty() ? read_migrations(directory_of(context), context.config.migrate.store, [&](const std::string& store) { return dialect_of(context, store); })
                                       : read_named(context, options);
    const bool stores = !options.offline && !context.config.stores.empty();
    if (stores && options.files.empty() && !options.all) read_pending(work, context, report);
    else work.reachable = stores;
    if (!work.together) {
        for (const Migration& file : work.files) work.judged.push_back(&file);
    }
    return work;
}

void check_ignored(const std::vector<std::string>& ignored) {
    const std::vector<std::string> ids = lint::rule_ids();
    for (const std::string& id : ignored) {
        if (lint::find_rule(id) == nullptr) throw Error(Code::config, "lint_ignore of [migrate] names no rule: '" + id + "'" + did_you_mean(id, ids), "docs/lint.md lists the rules");
    }
}

std::vector<lint::Finding> find(const Work& work, Context& context, Report& report) {
    std::vector<lint::Finding> findings;
    for (const lint::Judged& judged : lint::judge(work.before, work.judged, work.together)) {
        for (lint::Finding& finding : lint::findings_of(judged, context.config.migrate.lint_ignore)) findings.push_back(std::move(finding));
    }
    if (!work.reachable) return findings;
    try {
        lint::weigh(findings, context);
    } catch (const Error& error) {
        if (error.code() != Code::connect) throw;
        report.warnings.push_back(error.message() + "; sizes are not known (--offline leaves this out)");
    }
    return findings;
}

}  // namespace

Report lint_report(Context& context, const LintOptions& options) {
    Report report;
    check_ignored(context.config.migrate.lint_ignore);
    const Work work = read_work(context, options, report);
    const std::vector<lint::Finding> findings = find(work, context, report);

    const auto count = [&](lint::Severity severity) { return std::count_if(findings.begin(), findings.end(), [&](const lint::Finding& one) { return one.severity == severity; }); };
    std::size_t statements = 0;
    for (const Migration* file : work.judged) statements += file->up.size() + file->down.size();
    const auto errors = count(lint::Severity::error), warnings = count(lint::Severity::warning), notes = count(lint::Severity::note);
    report.add_figure("files", static_cast<std::int64_t>(work.judged.size()), Unit::count);
    report.add_figure("statements", static_cast<std::int64_t>(statements), Unit::count);
    report.add_figure("errors", static_cast<std::int64_t>(errors), Unit::count);
    report.add_figure("warnings_found", static_cast<std::int64_t>(warnings), Unit::count);
    report.add_figure("notes", static_cast<std::int64_t>(notes), Unit::count);
    Table& table = report.add_table("findings", "",
                                    {{"severity"}, {"rule"}, {"file"}, {"line"}, {"column"}, {"store"}, {"table"}, {"size", Unit::bytes}, {"message"}, {"why"}, {"instead"}});
    for (const lint::Finding& finding : findings) {
        const Place at = finding.file->source.place(finding.offset);
        table.rows.push_back({std::string(lint::severity_name(finding.severity)), std::string(finding.rule->id), finding.file->source.path, static_cast<std::int64_t>(at.line),
                              static_cast<std::int64_t>(at.column), finding.file->store, finding.table.empty() ? Value() : Value(finding.table),
                              finding.sized ? Value(static_cast<std::int64_t>(finding.bytes)) : Value(), finding.message, std::string(finding.rule->why), std::string(finding.rule->instead)});
        if (finding.severity >= options.fail_on) report.code = Code::differences;
    }
    const auto plural = [](auto n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); };
    report.document = (options.github ? lint::github_of(findings) : lint::text_of(findings)) +
                      fmt::format("{}, {}: {}, {}, {}\n", plural(work.judged.size(), "file"), plural(statements, "statement"), plural(errors, "error"), plural(warnings, "warning"), plural(notes, "note"));
    if (!options.sarif.empty()) write_file_atomically(options.sarif, lint::sarif_of(findings));
    if (!options.gitlab.empty()) write_file_atomically(options.gitlab, lint::gitlab_of(findings));
    return report;
}

}  // namespace ysdb::migrate
