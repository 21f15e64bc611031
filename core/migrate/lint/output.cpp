#include "core/migrate/lint/output.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/report/render.h"
#include "core/report/text_layout.h"

namespace ysdb::migrate::lint {

namespace {

using Json = nlohmann::ordered_json;

std::string full_message(const Finding& finding) {
    if (!finding.sized) return finding.message;
    return fmt::format("{} ({}: {})", finding.message, finding.table, human_value(static_cast<std::int64_t>(finding.bytes), Unit::bytes));
}

std::string lines_for_terminal(const std::string& lines) {
    std::string out;
    for (const std::string& line : split(lines, '\n')) {
        if (!line.empty()) out += printable(line) + "\n";
    }
    return out;
}

std::string with_escapes(std::string_view text, std::string_view special) {
    std::string out;
    for (const char c : text) {
        if (special.find(c) == std::string_view::npos) out += c;
        else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

Json sarif_rule(const Rule& rule) {
    Json json{{"id", rule.id},
              {"shortDescription", {{"text", message_of(rule, rule.dialect == Dialect::clickhouse ? "the table" : "it")}}},
              {"fullDescription", {{"text", rule.why}}},
              {"help", {{"text", rule.instead}}},
              {"defaultConfiguration", {{"level", severity_name(rule.severity)}}}};
    return json;
}

}  // namespace

std::string text_of(const std::vector<Finding>& findings) {
    std::string out;
    std::set<std::string_view> explained;
    for (const Finding& finding : findings) {
        const Source& source = finding.file->source;
        out += fmt::format("{}: {}: {} [{}]\n", printable(source.where(finding.offset)), severity_name(finding.severity), printable(full_message(finding)), finding.rule->id);
        out += lines_for_terminal(source.excerpt(finding.offset, finding.length));
        if (explained.insert(finding.rule->id).second) out += fmt::format("  why: {}\n  instead: {}\n", finding.rule->why, finding.rule->instead);
        out += "\n";
    }
    return out;
}

std::string sarif_of(const std::vector<Finding>& findings) {
    Json rules = Json::array();
    for (const Rule& rule : rule_table()) rules.push_back(sarif_rule(rule));
    Json results = Json::array();
    for (const Finding& finding : findings) {
        const Place begin = finding.file->source.place(finding.offset);
        const Place end = finding.file->source.place(finding.offset + finding.length);
        Json region{{"startLine", begin.line}, {"startColumn", begin.column}};
        if (end.line == begin.line && end.column > begin.column) region["endColumn"] = end.column;
        results.push_back({{"ruleId", finding.rule->id},
                           {"ruleIndex", finding.rule - rule_table().data()},
                           {"level", severity_name(finding.severity)},
                           {"message", {{"text", full_message(finding) + ". " + std::string(finding.rule->instead)}}},
                           {"locations", {{{"physicalLocation", {{"artifactLocation", {{"uri", with_escapes(finding.file->source.path, " %#?\"<>\\^`{|}")}}}, {"region", region}}}}}}});
    }
    const Json driver{{"name", "ysdb"}, {"version", YSDB_VERSION}, {"rules", rules}};
    const Json run{{"tool", {{"driver", driver}}}, {"columnKind", "unicodeCodePoints"}, {"results", results}};
    const Json log{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"version", "2.1.0"}, {"runs", Json::array({run})}};
    return log.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string gitlab_of(const std::vector<Finding>& findings) {
    Json issues = Json::array();
    std::map<std::string, int> seen;  // of two alike, each has a fingerprint of its own, and keeps it when lines move
    for (const Finding& finding : findings) {
        const std::string alike = finding.file->source.path + "\n" + std::string(finding.rule->id) + "\n" + finding.message;
        const std::string_view severity = finding.severity == Severity::error ? "critical" : finding.severity == Severity::warning ? "minor" : "info";
        issues.push_back({{"description", full_message(finding) + ". " + std::string(finding.rule->instead)},
                          {"check_name", finding.rule->id},
                          {"fingerprint", sha256_hex(alike + "\n" + std::to_string(seen[alike]++))},
                          {"severity", severity},
                          {"location", {{"path", finding.file->source.path}, {"lines", {{"begin", finding.file->source.place(finding.offset).line}}}}}});
    }
    return issues.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string github_of(const std::vector<Finding>& findings) {
    std::string out;
    for (const Finding& finding : findings) {
        const Place at = finding.file->source.place(finding.offset);
        const std::string_view level = finding.severity == Severity::note ? "notice" : severity_name(finding.severity);
        out += fmt::format("::{} file={},line={},col={},title={}::{}\n", level, with_escapes(finding.file->source.path, "%\r\n:,"), at.line, at.column, finding.rule->id,
                           with_escapes(full_message(finding) + ". " + std::string(finding.rule->instead), "%\r\n"));
    }
    return out;
}

std::string rules_as_markdown() {
    const auto cell = [](std::string_view text) {
        std::string out;
        for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
        return out;
    };
    std::string out;
    const auto table = [&](std::string_view title, std::optional<Dialect> dialect) {
        out += fmt::format("### {}\n\n| rule | severity | what it says | why | instead |\n| --- | --- | --- | --- | --- |\n", title);
        for (const Rule& rule : rule_table()) {
            if (rule.dialect != dialect) continue;
            std::string summary = message_of(rule, "…");
            out += fmt::format("| `{}` | {}{} | {} | {} | {} |\n", rule.id, severity_name(rule.severity), rule.sized ? ", by size" : "", cell(summary), cell(rule.why), cell(rule.instead));
        }
        out += "\n";
    };
    table("PostgreSQL", Dialect::postgres);
    table("ClickHouse", Dialect::clickhouse);
    table("Every file", std::nullopt);
    out.pop_back();
    return out;
}

}  // namespace ysdb::migrate::lint
