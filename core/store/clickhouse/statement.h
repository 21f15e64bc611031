// What must be known about a statement before the engine sees it: where an INSERT's data begins, whether there is more than one.
// Tokens only; the engine parses.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ysdb::clickhouse {

struct Token {
    enum class Kind { word, quoted, string, symbol, end };
    Kind kind = Kind::end;
    std::string_view text;   // with its quotes
    int depth = 0;           // parentheses around it

    bool is(std::string_view keyword) const;  // an unquoted word, any case
    bool is_symbol(char c) const { return kind == Kind::symbol && text[0] == c; }
};

// Walks over words, names, strings and symbols; skips blanks and comments (--, #, /* */).
class Scanner {
public:
    explicit Scanner(std::string_view sql) : sql_(sql) {}
    Token next();
    std::size_t position() const { return at_; }

private:
    void skip_blanks();
    std::size_t quoted_end(std::size_t from, char quote) const;

    std::string_view sql_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

struct Statement {
    enum class Verb { select, insert, kill, set, other };
    Verb verb = Verb::other;
    std::string sql;                   // without a payload and the last semicolon
    std::string_view payload;          // INSERT ... FORMAT x: what follows in the same text
    bool takes_payload = false;        // an INSERT whose data is not in its own words (SELECT, VALUES, INFILE)
    std::string format;                // named by FORMAT, or empty
    std::size_t infile_at = 0;         // takes_payload: where FROM INFILE '...' belongs in sql
    bool several = false;              // more than one statement
    bool reads_processes = false;      // mentions system.processes
};

Statement look_at(std::string_view text);

// SET a = 1, b = 'x', c = DEFAULT as names and values (nullopt: the default); throws Error(usage) on anything else.
std::vector<std::pair<std::string, std::optional<std::string>>> parse_set(std::string_view sql);

std::string quote(std::string_view name);      // `name`
std::string literal(std::string_view text);    // 'text'
// A value as the text of a {name:Type} parameter, which ClickHouse reads as a TabSeparated field. NULL needs a Nullable type there.
std::string escape_param(const std::optional<std::string>& value);

}  // namespace ysdb::clickhouse
