// PostgreSQL: "Lexical Structure" of its manual, with psql's rules where they differ (meta commands). ClickHouse: "Syntax" of its manual.
#include "core/migrate/scan.h"

#include <algorithm>
#include <string>

namespace ysdb::migrate {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (static_cast<unsigned char>(c) & 0x80) != 0; }
bool in_word(char c) { return starts_word(c) || is_digit(c) || c == '$'; }
bool is_operator(char c) { return std::string_view("+-*/<>=~!@#%^&|`?").find(c) != std::string_view::npos; }

}  // namespace

Token Scanner::next() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    if (at_ >= text_.size()) return {TokenKind::end, text_.size(), text_.size()};
    const Token token = dialect_ == Dialect::clickhouse ? clickhouse() : postgres();
    at_ = token.end;
    return token;
}

Token Scanner::postgres() {
    const std::size_t begin = at_;
    const char c = text_[begin];
    const char then = peek(begin + 1);
    if (c == '-' && then == '-') return line_comment(begin);
    if (c == '/' && then == '*') return block_comment(begin);
    if (c == '\'') return quoted(TokenKind::string, begin, '\'', false);
    if (c == '"') return quoted(TokenKind::quoted, begin, '"', false);
    if (then == '\'' && (c == 'e' || c == 'E')) return quoted(TokenKind::string, begin, '\'', true);
    if (then == '\'' && std::string_view("bBxXnN").find(c) != std::string_view::npos) return quoted(TokenKind::string, begin, '\'', false);
    if ((c == 'u' || c == 'U') && then == '&' && peek(begin + 2) == '\'') return quoted(TokenKind::string, begin, '\'', false);
    if ((c == 'u' || c == 'U') && then == '&' && peek(begin + 2) == '"') return quoted(TokenKind::quoted, begin, '"', false);
    if (c == '$' && dollar_tag(begin) != 0) return dollar_quote(begin);
    if (is_digit(c) || (c == '.' && is_digit(then)) || (c == '$' && is_digit(then))) return number(begin);
    if (starts_word(c)) return word(begin);
    if (c == '\\') {
        const std::size_t length = 1 + word_length(text_.substr(std::min(begin + 1, text_.size())));
        throw source_.fault(Code::refused, begin, length, "'" + std::string(text_.substr(begin, length)) + "' is a command of psql, not SQL",
                            "take it out: what it does for psql must be said in SQL here");
    }
    if (is_operator(c)) return operator_run(begin);
    for (const std::string_view pair : {"::", ":=", ".."}) {
        if (at(begin, pair)) return {TokenKind::symbol, begin, begin + 2};
    }
    return {TokenKind::symbol, begin, begin + 1};
}

Token Scanner::clickhouse() {
    const std::size_t begin = at_;
    const char c = text_[begin];
    const char then = peek(begin + 1);
    if (c == '-' && then == '-') return line_comment(begin);
    if (c == '#' && (then == ' ' || then == '!')) return line_comment(begin);
    if (c == '/' && then == '*') return block_comment(begin);
    if (c == '\'') return quoted(TokenKind::string, begin, '\'', true);
    if (c == '"' || c == '`') return quoted(TokenKind::quoted, begin, c, true);
    if (c == '$' && dollar_tag(begin) != 0) return dollar_quote(begin);
    if (is_digit(c) || (c == '.' && is_digit(then))) return number(begin);
    if (starts_word(c) || c == '$') return word(begin);
    for (const std::string_view pair : {"->", "<=>", "<=", ">=", "<>", "!=", "==", "::", "||"}) {
        if (at(begin, pair)) return {TokenKind::symbol, begin, begin + pair.size()};
    }
    return {TokenKind::symbol, begin, begin + 1};
}

Token Scanner::quoted(TokenKind kind, std::size_t begin, char quote, bool backslash) {
    std::size_t end = text_.find(quote, begin) + 1;
    for (; end < text_.size(); ++end) {
        if (backslash && text_[end] == '\\') {
            ++end;
        } else if (text_[end] == quote) {
            if (peek(end + 1) != quote) return {kind, begin, end + 1};
            ++end;  // a doubled quote stands for one
        }
    }
    throw source_.fault(Code::refused, begin, 1, std::string("nothing ends the quote ") + quote + " that begins here");
}

Token Scanner::block_comment(std::size_t begin) {
    int depth = 1;  // both servers nest them
    for (std::size_t end = begin + 2; end < text_.size(); ++end) {
        if (at(end, "/*")) {
            ++depth;
            ++end;
        } else if (at(end, "*/")) {
            ++end;
            if (--depth == 0) return {TokenKind::comment, begin, end + 1};
        }
    }
    throw source_.fault(Code::refused, begin, 2, "nothing ends the comment that begins here");
}

Token Scanner::line_comment(std::size_t begin) {
    std::size_t end = std::min(text_.find('\n', begin), text_.size());
    if (end > begin && text_[end - 1] == '\r') --end;
    return {TokenKind::comment, begin, end};
}

Token Scanner::number(std::size_t begin) {
    std::size_t end = begin + 1;
    while (end < text_.size()) {
        const char c = text_[end];
        const char before = text_[end - 1];
        const bool sign = (c == '+' || c == '-') && (before == 'e' || before == 'E' || before == 'p' || before == 'P') && is_digit(peek(end + 1));
        const bool point = c == '.' && peek(end + 1) != '.';  // 1..10 is a range of PL/pgSQL
        if (!in_word(c) && !sign && !point) break;
        ++end;
    }
    return {TokenKind::number, begin, end};
}

// The length of `$tag$` at `begin`, 0 when there is none.
std::size_t Scanner::dollar_tag(std::size_t begin) const {
    std::size_t end = begin + 1;
    if (is_digit(peek(end))) return 0;
    while (end < text_.size() && text_[end] != '$' && in_word(text_[end])) ++end;
    return peek(end) == '$' ? end + 1 - begin : 0;
}

Token Scanner::dollar_quote(std::size_t begin) {
    const std::string_view tag = text_.substr(begin, dollar_tag(begin));
    const auto close = text_.find(tag, begin + tag.size());
    if (close == std::string_view::npos) throw source_.fault(Code::refused, begin, tag.size(), "nothing ends the quote " + std::string(tag) + " that begins here");
    return {TokenKind::string, begin, close + tag.size()};
}

Token Scanner::word(std::size_t begin) {
    std::size_t end = begin + 1;
    while (end < text_.size() && in_word(text_[end])) ++end;
    return {TokenKind::word, begin, end};
}

// As long as PostgreSQL makes it: up to a comment; a trailing + or - belongs to it only beside one of the special characters.
Token Scanner::operator_run(std::size_t begin) {
    std::size_t end = begin;
    while (end < text_.size() && is_operator(text_[end]) && !at(end, "--") && !at(end, "/*")) ++end;
    const std::string_view run = text_.substr(begin, end - begin);
    if (run.find_first_of("~!@#%^&|`?") == std::string_view::npos) {
        while (end - begin > 1 && (text_[end - 1] == '+' || text_[end - 1] == '-')) --end;
    }
    return {TokenKind::symbol, begin, end};
}

}  // namespace ysdb::migrate
