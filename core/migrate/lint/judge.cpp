#include "core/migrate/lint/judge.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/text.h"
#include "core/migrate/classify.h"
#include "core/migrate/lint/clickhouse.h"
#include "core/migrate/lint/postgres.h"

namespace ysdb::migrate::lint {

namespace {

bool says_on_cluster(const Migration& file) {
    if (file.dialect != Dialect::clickhouse) return false;
    const std::string text = lower(file.source.text);
    for (auto at = text.find("on cluster"); at != std::string::npos; at = text.find("on cluster", at + 1)) {
        for (const Statement& statement : file.up) {
            if (at >= statement.begin && at < statement.end) return true;
        }
    }
    return false;
}

// Of each store its own: tables of one name in two stores are two tables.
struct Stores {
    std::map<std::string, PostgresRules> postgres;
    std::map<std::string, ClickHouseRules> clickhouse;
    std::set<std::string> clusters;      // stores of which some statement says ON CLUSTER
    std::set<std::string> begun;         // stores that had a file of those that are judged
};

// What counts on the way back: who waits, and what is lost. That programs break when a change is taken back is what taking it back means.
bool counts_on_the_way_back(std::string_view rule) {
    static const std::set<std::string_view> rules{
        "index-not-concurrent", "drop-index-not-concurrent", "reindex-not-concurrent", "not-in-transaction", "add-not-null-column", "add-column-volatile-default", "add-serial-column", "add-identity-column",
        "add-generated-column", "set-not-null", "change-column-type", "change-column-type-unknown", "add-foreign-key", "add-check", "validate-in-same-transaction", "add-unique", "add-primary-key", "add-exclusion",
        "domain-constraint", "drop-table", "drop-schema", "drop-database", "drop-column", "drop-cascade", "truncate", "truncate-cascade", "set-logged", "set-tablespace", "set-access-method", "attach-partition-scan",
        "detach-partition", "vacuum-full", "cluster", "refresh-not-concurrent", "lock-table", "unbounded-update", "unbounded-delete", "transaction-control", "backfill-under-lock", "several-rewrites",
        "ch-mutation", "ch-materialize", "ch-modify-column", "ch-drop-column", "ch-clear-column", "ch-drop-table", "ch-drop-database", "ch-truncate", "ch-drop-partition", "ch-optimize-final", "ch-missing-on-cluster",
        "ch-modify-ttl", "not-parsed"};
    return rules.contains(rule);
}

void keep_what_counts(std::vector<Verdict>& verdicts) {
    for (Verdict& verdict : verdicts) std::erase_if(verdict.hits, [](const Hit& hit) { return !counts_on_the_way_back(hit.rule->id); });
}

// `back`: its migrate:down too.
Judged look(Stores& stores, const Migration& file, bool together, bool back) {
    Judged judged{&file, {}, {}};
    const bool keep_new = together && !stores.begun.insert(file.store).second;
    if (file.dialect == Dialect::postgres) {
        PostgresRules& rules = stores.postgres[file.store];
        rules.begin_file(file.transaction, keep_new);
        for (const Statement& statement : file.up) judged.up.push_back(rules.look(statement.text(file.source), statement.batch.has_value()));
        for (Verdict& verdict : judged.up) {
            std::erase_if(verdict.hits, [&](const Hit& hit) { return hit.rule->id == "no-primary-key" && rules.given_keys().count(hit.table) != 0; });
        }
        if (back && !file.down.empty()) {
            PostgresRules rules_back = rules.way_back();
            for (const Statement& statement : file.down) judged.down.push_back(rules_back.look(statement.text(file.source), statement.batch.has_value()));
        }
    } else if (file.dialect == Dialect::clickhouse) {
        ClickHouseRules& rules = stores.clickhouse[file.store];
        rules.begin_file(keep_new, stores.clusters.count(file.store) != 0);
        for (const Statement& statement : file.up) judged.up.push_back(rules.look(statement.text(file.source), !statement.probe.empty()));
        ClickHouseRules rules_back = rules.way_back();
        for (const Statement& statement : file.down) {
            if (back) judged.down.push_back(rules_back.look(statement.text(file.source), !statement.probe.empty()));
        }
    } else {
        judged.up.resize(file.up.size());
    }
    keep_what_counts(judged.down);
    return judged;
}

struct Allow {
    std::string rule;
    bool reason = false;
    std::size_t offset = 0, length = 0;
    const Statement* statement = nullptr;
    bool used = false;
};

void read_allow(const Source& source, const Token& comment, const Statement* statement, std::vector<Allow>& allows) {
    std::string_view text = std::string_view(source.text).substr(comment.begin, comment.end - comment.begin);
    if (!text.starts_with("--")) return;
    text = trim(text.substr(2));
    constexpr std::string_view mark = "ysdb:allow";
    if (!text.starts_with(mark)) return;
    const std::string_view rest = trim(text.substr(mark.size()));
    const auto end = std::min(rest.find_first_of(" \t"), rest.size());
    const std::string_view reason = trim(rest.substr(end));
    const bool says_something = std::count_if(reason.begin(), reason.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0; }) >= 3;
    allows.push_back({std::string(rest.substr(0, end)), says_something, comment.begin, comment.end - comment.begin, statement, false});
}

// A comment belongs to the statement it stands in, behind which it stands on the same line, or above which it stands in the same section.
std::vector<Allow> allows_of(const Migration& file) {
    std::vector<Allow> allows;
    const std::string& text = file.source.text;
    if (text.find("ysdb:allow") == std::string::npos) return allows;
    std::vector<const Statement*> statements;
    for (const auto* section : {&file.up, &file.down, &file.verify}) {
        for (const Statement& statement : *section) statements.push_back(&statement);
    }
    std::sort(statements.begin(), statements.end(), [](const Statement* a, const Statement* b) { return a->begin < b->begin; });
    const auto whole_end = [&](const Statement& statement) { return statement.copies ? std::min(text.find('\n', statement.rows_end), text.size()) : statement.end; };
    std::size_t from = 0;
    for (std::size_t i = 0; i <= statements.size(); ++i) {
        const Statement* before = i == 0 ? nullptr : statements[i - 1];
        const Statement* behind = i == statements.size() ? nullptr : statements[i];
        const std::size_t line_end = before == nullptr ? 0 : std::min(text.find('\n', from), text.size());
        const std::size_t to = behind == nullptr ? line_end : behind->end;
        const std::size_t first_above = allows.size();
        std::size_t above = first_above;   // of these, which stand above `behind`
        Scanner scanner(file.source, file.dialect, from);
        for (Token token = scanner.next(); token.kind != TokenKind::end && token.begin < to; token = scanner.next()) {
            if (token.kind != TokenKind::comment) continue;
            const std::string word = read_directive(file.source, token).word;
            if (!word.empty() && word != "probe" && word != "batch") {  // a section line: what stands above it, behind another section, belongs to nothing
                if (before != nullptr) allows.resize(above);
                continue;
            }
            const bool on_line = before != nullptr && token.begin < line_end && (behind == nullptr || token.begin < behind->begin);
            if (!on_line && behind == nullptr) break;
            read_allow(file.source, token, on_line ? before : behind, allows);
            if (on_line) above = allows.size();
        }
        if (behind != nullptr) from = whole_end(*behind);
    }
    const auto of_verify = [&](const Allow& allow) { return std::any_of(file.verify.begin(), file.verify.end(), [&](const Statement& one) { return &one == allow.statement; }); };
    std::erase_if(allows, of_verify);
    return allows;
}

}  // namespace

std::vector<Judged> judge(const std::vector<const Migration*>& before, const std::vector<const Migration*>& files, bool together) {
    Stores stores;
    for (const Migration* file : files) {
        if (says_on_cluster(*file)) stores.clusters.insert(file->store);
    }
    for (const Migration* file : before) look(stores, *file, false, false);
    stores.begun.clear();
    std::vector<Judged> judged;
    for (const Migration* file : files) judged.push_back(look(stores, *file, together, true));
    return judged;
}

std::vector<Finding> findings_of(const Judged& judged, const std::vector<std::string>& ignored) {
    const Migration& file = *judged.file;
    std::vector<Finding> findings;
    std::vector<Allow> allows = allows_of(file);
    const auto add = [&](std::string_view id, std::size_t offset, std::size_t length, const std::string& subject) -> Finding& {
        const Rule* rule = find_rule(id);
        return findings.emplace_back(Finding{rule, rule->severity, &file, offset, length, message_of(*rule, subject), {}, {}, {}, 0, false});
    };
    const auto add_all = [&](const std::vector<Statement>& section, const std::vector<Verdict>& verdicts) {
        for (std::size_t i = 0; i < verdicts.size(); ++i) {
            const std::string_view sql = section[i].text(file.source);
            for (const Hit& hit : verdicts[i].hits) {
                const auto allow = std::find_if(allows.begin(), allows.end(), [&](const Allow& one) { return one.statement == &section[i] && one.rule == hit.rule->id; });
                if (allow != allows.end()) {
                    allow->used = true;
                    continue;
                }
                Finding& finding = add(hit.rule->id, section[i].begin + hit.offset, word_length(sql.substr(hit.offset)), hit.subject);
                finding.table = hit.table;
                finding.column = hit.column;
                finding.type = hit.type;
            }
        }
    };
    add_all(file.up, judged.up);
    add_all(file.down, judged.down);
    const std::vector<std::string> ids = rule_ids();
    for (const Allow& allow : allows) {
        if (find_rule(allow.rule) == nullptr) add("allow-unknown-rule", allow.offset, allow.length, "'" + allow.rule + "'" + did_you_mean(allow.rule, ids));
        else if (!allow.used) add("allow-unused", allow.offset, allow.length, allow.rule);
        else if (!allow.reason) add("allow-without-reason", allow.offset, allow.length, allow.rule);
    }
    std::erase_if(findings, [&](const Finding& finding) { return std::find(ignored.begin(), ignored.end(), finding.rule->id) != ignored.end(); });
    std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) { return a.offset < b.offset; });
    return findings;
}

}  // namespace ysdb::migrate::lint
