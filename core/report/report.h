// The typed result of anything. Jobs fill a Report; one renderer a format turns it into text, JSON, CSV or HTML (render.h).
// JSON: {"schema":1, <figures by name>, <tables by name>: [objects], "checks": [...], "warnings": [...], "next": "..."}.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/error.h"

namespace ysdb {

// How a number is shown to people; programs always get the raw number in the base unit.
enum class Unit {
    none,
    count,        // 1,234,567
    bytes,        // raw: bytes
    seconds,      // raw: seconds (floating)
    rows_per_s,   // raw: rows a second
    bytes_per_s,
    ratio,        // 0.83 -> "0.83x"
    percent,      // 12.5 -> "12.5 %"
};

using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

struct Column {
    std::string name;         // JSON key and CSV header; snake_case
    Unit unit = Unit::none;
    std::string title;        // table header for people; empty: name
    bool programs_only = false;  // left out of what people see
};

struct Table {
    std::string name;                 // JSON key
    std::string title;                // heading for people; empty: none
    std::vector<Column> columns;              // for people, one that is null in every row is left out
    std::vector<std::vector<Value>> rows;
    // JSON: an object keyed by the first column instead of an array ("stores":{"main":{...}}).
    bool keyed = false;
};

struct Figure {
    std::string name;         // JSON key
    Value value;
    Unit unit = Unit::none;
    std::string title;        // for people; empty: name with spaces
};

enum class CheckState { ok, warn, fail, skipped };
struct Check {
    std::string name;
    CheckState state = CheckState::ok;
    std::string detail;
    std::string hint;
};

// Thread-safety: a value; build it in one thread.
struct Report {
    std::string title;                       // one line; empty: none
    std::vector<Figure> figures;
    std::vector<Table> tables;
    std::vector<Check> checks;
    std::vector<std::string> warnings;       // stderr for text; "warnings" in JSON
    // A whole text that IS the result (a TOML file, a script). Text output prints it verbatim and nothing else on stdout.
    std::optional<std::string> document;
    std::string next;                        // the command to type next; last line for people
    Code code = Code::ok;                    // the process exits with this
    bool beside_data = false;                // stdout carries something else: this goes to stderr

    Table& add_table(std::string name, std::string title, std::vector<Column> columns) {
        tables.push_back({std::move(name), std::move(title), std::move(columns), {}, false});
        return tables.back();
    }
    void add_figure(std::string name, Value value, Unit unit = Unit::none, std::string figure_title = {}) {
        figures.push_back({std::move(name), std::move(value), unit, std::move(figure_title)});
    }
};

}  // namespace ysdb
