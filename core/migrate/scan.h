// The words of SQL text, by the lexical rules of each dialect. Knows quotes, dollar quotes, comments and operators; no grammar.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/migrate/source.h"
#include "core/store/store.h"

namespace ysdb::migrate {

enum class TokenKind : std::uint8_t {
    end,
    word,       // identifier or keyword, as written
    quoted,     // identifier in quotes, the quotes included
    number,
    string,     // any literal in quotes, prefix and quotes included; dollar quotes too
    symbol,     // an operator or punctuation, as the server's lexer cuts it
    comment,    // the whole of it; `--` without its newline
};

struct Token {
    TokenKind kind = TokenKind::end;
    std::size_t begin = 0;
    std::size_t end = 0;
};

// Cuts the text from `offset` on. A value; the source must outlive it.
// Throws Error(refused) with the place for a quote or comment that nothing ends, and for a psql meta command.
class Scanner {
public:
    Scanner(const Source& source, Dialect dialect, std::size_t offset = 0) : source_(source), text_(source.text), dialect_(dialect), at_(offset) {}
    Token next();
    std::size_t offset() const { return at_; }
    void skip_to(std::size_t offset) { at_ = offset; }

private:
    Token postgres();
    Token clickhouse();
    Token quoted(TokenKind kind, std::size_t begin, char quote, bool backslash);
    Token block_comment(std::size_t begin);
    Token line_comment(std::size_t begin);
    Token number(std::size_t begin);
    Token dollar_quote(std::size_t begin);
    std::size_t dollar_tag(std::size_t begin) const;
    Token word(std::size_t begin);
    Token operator_run(std::size_t begin);
    bool at(std::size_t offset, std::string_view what) const { return text_.substr(std::min(offset, text_.size())).starts_with(what); }
    char peek(std::size_t offset) const { return offset < text_.size() ? text_[offset] : '\0'; }

    const Source& source_;
    std::string_view text_;
    Dialect dialect_;
    std::size_t at_;
};

}  // namespace ysdb::migrate
