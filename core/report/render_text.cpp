#include <algorithm>
#include <numeric>

#include "core/report/render.h"
#include "core/report/text_layout.h"

namespace ysdb {

namespace {

constexpr std::string_view gap = "  ";
constexpr std::size_t narrowest_column = 8;

class Paint {
public:
    explicit Paint(bool on) : on_(on) {}
    std::string bold(const std::string& text) const { return with("1", text); }
    std::string dim(const std::string& text) const { return with("2", text); }
    std::string state(CheckState state, const std::string& text) const {
        switch (state) {
            case CheckState::ok:
                return with("32", text);
            case CheckState::warn:
                return with("33", text);
            case CheckState::fail:
                return with("31;1", text);
            case CheckState::skipped:
                return dim(text);
        }
        return text;
    }

private:
    std::string with(const char* code, const std::string& text) const {
        return on_ && !text.empty() ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
    }
    bool on_;
};

std::string without_trailing_blanks(std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

bool numeric(const Value& value) { return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value); }

// A column is set right when it holds numbers and nothing else but nulls.
bool right_aligned(const Table& table, std::size_t column) {
    bool any = false;
    for (const auto& row : table.rows) {
        if (std::holds_alternative<std::monostate>(row[column])) continue;
        if (!numeric(row[column])) return false;
        any = true;
    }
    return any;
}

// Takes width from the widest columns until the table fits; below a readable minimum it stays too wide.
void fit(std::vector<std::size_t>& widths, std::size_t available) {
    const auto total = [&] { return std::accumulate(widths.begin(), widths.end(), gap.size() * (widths.size() - 1)); };
    while (total() > available) {
        const auto widest = std::max_element(widths.begin(), widths.end());
        if (*widest <= narrowest_column) return;
        --*widest;
    }
}

using Cells = std::vector<std::vector<std::string>>;

Cells cells_of(const Table& table) {
    Cells cells;
    for (const auto& row : table.rows) {
        std::vector<std::string> line;
        for (std::size_t i = 0; i < table.columns.size(); ++i)
            line.push_back(printable(human_value(row[i], table.columns[i].unit)));
        cells.push_back(std::move(line));
    }
    return cells;
}

// One table row, over as many lines as its longest wrapped cell needs.
std::string lay_out(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
                    const std::vector<bool>& right) {
    std::vector<std::vector<std::string>> wrapped;
    std::size_t height = 1;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        wrapped.push_back(wrap(cells[i], widths[i]));
        height = std::max(height, wrapped.back().size());
    }
    std::string out;
    for (std::size_t line = 0; line < height; ++line) {
        std::string text;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            if (i > 0) text += gap;
            const std::string part = line < wrapped[i].size() ? wrapped[i][line] : "";
            text += right[i] ? pad_left(part, widths[i]) : pad_right(part, widths[i]);
        }
        out += without_trailing_blanks(text) + "\n";
    }
    return out;
}

std::string table_text(const Table& whole, const TextStyle& style, const Paint& paint) {
    const Table table = for_people(whole);
    std::string out;
    if (!table.title.empty()) out += paint.bold(table.title) + "\n";
    if (table.rows.empty()) return out + (table.title.empty() ? "no " + heading("", table.name) : "  none") + "\n";
    const Cells cells = cells_of(table);
    std::vector<std::string> header;
    std::vector<std::size_t> widths;
    std::vector<bool> right;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        header.push_back(heading(table.columns[i].title, table.columns[i].name));
        right.push_back(right_aligned(table, i));
        std::size_t width = display_width(header[i]);
        for (const auto& row : cells) width = std::max(width, display_width(row[i]));
        widths.push_back(width);
    }
    if (style.width > 0) fit(widths, style.width);
    std::string head = lay_out(header, widths, right);
    head.pop_back();
    out += paint.dim(head) + "\n";
    for (const auto& row : cells) out += lay_out(row, widths, right);
    return out;
}

std::string figures_text(const std::vector<Figure>& figures, const TextStyle& style) {
    std::size_t width = 0;
    for (const Figure& figure : figures) width = std::max(width, display_width(heading(figure.title, figure.name)));
    std::string out;
    for (const Figure& figure : figures) {
        const std::size_t indent = width + gap.size();
        const auto lines = wrap(printable(human_value(figure.value, figure.unit)),
                                style.width > indent + narrowest_column ? style.width - indent : 0);
        out += pad_right(heading(figure.title, figure.name), indent) + lines[0] + "\n";
        for (std::size_t i = 1; i < lines.size(); ++i) out += std::string(indent, ' ') + lines[i] + "\n";
    }
    return out;
}

std::string checks_text(const std::vector<Check>& checks, const TextStyle& style, const Paint& paint) {
    constexpr std::size_t mark_width = 6;
    std::size_t width = 0;
    for (const Check& check : checks) width = std::max(width, display_width(check.name));
    const std::size_t indent = mark_width + width + gap.size();
    const std::size_t room = style.width > indent + narrowest_column ? style.width - indent : 0;
    std::string out;
    for (const Check& check : checks) {
        const std::string mark(check.state == CheckState::skipped ? "skip" : check_state_name(check.state));
        auto lines = wrap(printable(check.detail), room);
        if (!check.hint.empty()) {
            for (const std::string& line : wrap("hint: " + printable(check.hint), room)) lines.push_back(line);
        }
        if (lines[0].empty() && lines.size() > 1) lines.erase(lines.begin());
        out += paint.state(check.state, mark) + std::string(mark_width - mark.size(), ' ') +
               without_trailing_blanks(pad_right(printable(check.name), width + gap.size()) + lines[0]) + "\n";
        for (std::size_t i = 1; i < lines.size(); ++i) out += std::string(indent, ' ') + lines[i] + "\n";
    }
    return out;
}

}  // namespace

std::string render_text(const Report& report, const TextStyle& style) {
    if (report.document) return *report.document;
    const Paint paint(style.color);
    std::vector<std::string> blocks;
    if (!report.title.empty()) blocks.push_back(paint.bold(printable(report.title)) + "\n");
    if (!report.figures.empty()) blocks.push_back(figures_text(report.figures, style));
    for (const Table& table : report.tables) blocks.push_back(table_text(table, style, paint));
    if (!report.checks.empty()) blocks.push_back(checks_text(report.checks, style, paint));
    if (!report.next.empty()) blocks.push_back(paint.dim("next:") + " " + report.next + "\n");
    std::string out;
    for (const std::string& block : blocks) out += (out.empty() ? "" : "\n") + block;
    return out;
}

std::string render_warnings(const Report& report, const TextStyle& style) {
    std::string out;
    for (const std::string& warning : report.warnings) {
        out += Paint(style.color).state(CheckState::warn, "warning:") + " " + printable(warning) + "\n";
    }
    return out;
}

}  // namespace ysdb
