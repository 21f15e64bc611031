#include "core/report/render.h"

namespace ysdb {

namespace {

constexpr std::string_view style = R"css(
:root{color-scheme:light dark;--ink:#1c2430;--soft:#667085;--line:#e4e7ec;--card:#fff;--page:#f6f7f9;--ok:#067647;--warn:#b54708;--fail:#b42318}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#98a2b3;--line:#2b3240;--card:#171c26;--page:#0f131a;--ok:#47cd89;--warn:#fdb022;--fail:#f97066}}
*{box-sizing:border-box}
body{margin:0;padding:2.5rem 1rem;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:70rem;margin:auto}
h1{font-size:1.5rem;margin:0 0 1.25rem}
h2{font-size:1.05rem;margin:2rem 0 .6rem}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.75rem;margin:0}
.figures div,.box{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.8rem 1rem}
.figures dt{color:var(--soft);font-size:.8rem}
.figures dd{margin:0;font-size:1.2rem;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.box{overflow-x:auto;padding:0}
table{border-collapse:collapse;width:100%}
th,td{padding:.5rem .9rem;text-align:left;vertical-align:top;border-top:1px solid var(--line);overflow-wrap:anywhere}
thead th{border-top:0;color:var(--soft);font-size:.8rem;font-weight:600;white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.null,.hint,.skipped{color:var(--soft)}
.ok{color:var(--ok)}.warn{color:var(--warn)}.fail{color:var(--fail)}
.ok,.warn,.fail{font-weight:600}
pre{margin:0;padding:1rem;overflow-x:auto}
)css";

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string element(std::string_view tag, std::string_view text, std::string_view css_class = {}) {
    std::string out = "<" + std::string(tag);
    if (!css_class.empty()) out += " class=\"" + std::string(css_class) + "\"";
    return out + ">" + escaped(text) + "</" + std::string(tag) + ">";
}

bool numeric(const Value& value) { return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value); }

std::string table_html(const Table& whole) {
    const Table table = for_people(whole);
    std::string out = element("h2", heading(table.title, table.name)) + "\n<div class=\"box\"><table><thead><tr>";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const bool number = !table.rows.empty() && numeric(table.rows.front()[i]);
        out += element("th", heading(table.columns[i].title, table.columns[i].name), number ? "n" : "");
    }
    out += "</tr></thead><tbody>\n";
    for (const auto& row : table.rows) {
        out += "<tr>";
        for (std::size_t i = 0; i < row.size(); ++i) {
            const bool null = std::holds_alternative<std::monostate>(row[i]);
            out += element("td", human_value(row[i], table.columns[i].unit), null ? "null" : numeric(row[i]) ? "n" : "");
        }
        out += "</tr>\n";
    }
    return out + "</tbody></table></div>\n";
}

std::string figures_html(const std::vector<Figure>& figures) {
    std::string out = "<dl class=\"figures\">\n";
    for (const Figure& figure : figures) {
        out += "<div>" + element("dt", heading(figure.title, figure.name)) +
               element("dd", human_value(figure.value, figure.unit)) + "</div>\n";
    }
    return out + "</dl>\n";
}

std::string checks_html(const std::vector<Check>& checks) {
    std::string out = "<h2>Checks</h2>\n<div class=\"box\"><table><tbody>\n";
    for (const Check& check : checks) {
        const std::string_view state = check_state_name(check.state);
        out += "<tr>" + element("td", state, state) + element("td", check.name) + "<td>" + escaped(check.detail);
        if (!check.hint.empty()) out += element("div", check.hint, "hint");
        out += "</td></tr>\n";
    }
    return out + "</tbody></table></div>\n";
}

}  // namespace

std::string render_html(const Report& report) {
    const std::string title = report.title.empty() ? "ysdb" : report.title;
    std::string out =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\">" +
        element("title", title) + "<style>" + std::string(style) + "</style></head>\n<body><main>\n" + element("h1", title) +
        "\n";
    for (const std::string& warning : report.warnings)
        out += "<p>" + element("span", "warning:", "warn") + " " + escaped(warning) + "</p>\n";
    if (!report.figures.empty()) out += figures_html(report.figures);
    for (const Table& table : report.tables) out += table_html(table);
    if (!report.checks.empty()) out += checks_html(report.checks);
    if (report.document) out += "<div class=\"box\">" + element("pre", *report.document) + "</div>\n";
    if (!report.next.empty()) out += "<p class=\"hint\">next: " + element("code", report.next) + "</p>\n";
    return out + "</main></body></html>\n";
}

}  // namespace ysdb
