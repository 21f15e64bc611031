// A Report as text for people, JSON and CSV for programs, HTML for a browser. Pure functions: the caller writes the result.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/report/report.h"

namespace ysdb {

struct TextStyle {
    bool color = false;
    std::size_t width = 0;  // columns of the terminal; 0: lines are as long as they need to be
};

// What belongs on stdout; warnings are not in it. Ends with a newline unless empty.
std::string render_text(const Report& report, const TextStyle& style = {});
// The report's warnings, one "warning: ..." line each, for stderr.
std::string render_warnings(const Report& report, const TextStyle& style = {});

// One JSON object and a newline; shape as report.h says. Text that is not UTF-8 has its bad bytes replaced.
std::string render_json(const Report& report);
// {"schema":1,"error":{"code","exit_code","message","hint"}} and a newline; server_code and retryable where they say something.
std::string render_json(const Error& error);

// RFC 4180 with \n. Each table under its header, an empty line between tables; a report without tables gives its checks, else its
// figures, else its document.
std::string render_csv(const Report& report);

// One self-contained page.
std::string render_html(const Report& report);

// A value as people read it: "1,234,567", "1.4 MiB", "yes"; "-" for null.
std::string human_value(const Value& value, Unit unit);
// A value as programs read it: the raw number, true/false, the text; "" for null.
std::string plain_value(const Value& value);
// "rows copied": the title, or the name with spaces.
std::string heading(const std::string& title, const std::string& name);
// The table without the columns that are for programs only or null in every row.
Table for_people(const Table& table);
// "ok", "warn", "fail", "skipped".
std::string_view check_state_name(CheckState state);

}  // namespace ysdb
