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

std::vector<Verdict> look(Stores& stores, const Migration& file, bool together) {
    std::vector<Verdict> verdicts;
    const bool keep_new = together && !stores.begun.insert(file.store).second;
    if (file.dialect == Dialect::postgres) {
        PostgresRules& rules = stores.postgres[file.store];
        rules.begin_file(file.transaction, keep_new);
        for (const Statement& statement : file.up) verdicts.push_back(rules.look(statement.text(file.source), statement.batch.has_value()));
        for (Verdict& verdict : verdicts) {
            std::erase_if(verdict.hits, [&](const Hit& hit) { return hit.rule->id == "no-primary-key" && rules.given_keys().count(hit.table) != 0; });
        }
    } else if (file.dialect == Dialect::clickhouse) {
        ClickHouseRules& rules = stores.clickhouse[file.store];
        rules.begin_file(keep_new, stores.clusters.count(file.store) != 0);
        for (const Statement& statement : file.up) verdicts.push_back(rules.look(statement.text(file.source), !statement.probe.empty()));
    } else {
        verdicts.resize(file.up.size());
    }
    return verdicts;
}

struct Allow {
    std::string rule;
    bool reason = false;
    std::size_t offset = 0, length = 0;
    std::size_t statement = 0;
    bool used = false;
};

void read_allow(const Source& source, const Token& comment, std::size_t statement, std::vector<Allow>& allows) {
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

// A comment belongs to the statement it stands in, behind which it stands on the same line, or above which it stands.
std::vector<Allow> allows_of(const Migration& file) {
    std::vector<Allow> allows;
    const std::string& text = file.source.text;
    if (text.find("ysdb:allow") == std::string::npos) return allows;
    const auto whole_end = [&](std::size_t i) { return file.up[i].copies ? std::min(text.find('\n', file.up[i].rows_end), text.size()) : file.up[i].end; };
    const auto read = [&](std::size_t from, std::size_t to, auto&& statement_at) {
        Scanner scanner(file.source, file.dialect, from);
        for (Token token = scanner.next(); token.kind != TokenKind::end && token.begin < to; token = scanner.next()) {
            if (token.kind == TokenKind::comment) read_allow(file.source, token, statement_at(token.begin), allows);
            if (token.kind == TokenKind::comment && !read_directive(file.source, token).word.empty() && to == text.size()) return;  // the next section
        }
    };
    for (std::size_t i = 0; i < file.up.size(); ++i) {
        const std::size_t before = i == 0 ? 0 : whole_end(i - 1);
        read(before, file.up[i].begin, [&](std::size_t at) { return i > 0 && text.find('\n', before) > at ? i - 1 : i; });
        read(file.up[i].begin, file.up[i].end, [&](std::size_t) { return i; });
    }
    const std::size_t last = whole_end(file.up.size() - 1);
    read(last, std::min(text.find('\n', last), text.size()), [&](std::size_t) { return file.up.size() - 1; });
    return allows;
}

}  // namespace

std::vector<Judged> judge(const std::vector<const Migration*>& before, const std::vector<const Migration*>& files, bool together) {
    Stores stores;
    for (const Migration* file : files) {
        if (says_on_cluster(*file)) stores.clusters.insert(file->store);
    }
    for (const Migration* file : before) look(stores, *file, false);
    stores.begun.clear();
    std::vector<Judged> judged;
    for (const Migration* file : files) judged.push_back({file, look(stores, *file, together)});
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
    for (std::size_t i = 0; i < judged.up.size(); ++i) {
        const std::string_view sql = file.up[i].text(file.source);
        for (const Hit& hit : judged.up[i].hits) {
            const auto allow = std::find_if(allows.begin(), allows.end(), [&](const Allow& one) { return one.statement == i && one.rule == hit.rule->id; });
            if (allow != allows.end()) {
                allow->used = true;
                continue;
            }
            Finding& finding = add(hit.rule->id, file.up[i].begin + hit.offset, word_length(sql.substr(hit.offset)), hit.subject);
            finding.table = hit.table;
            finding.column = hit.column;
            finding.type = hit.type;
        }
    }
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
