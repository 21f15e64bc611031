// A cursor over the first words of a statement, for classify.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/migrate/scan.h"

namespace ysdb::migrate {

// A possibly qualified name: as written, and its parts without quotes as the server knows them.
struct Name {
    std::string written;                 // `public."Users"`
    std::vector<std::string> parts;      // public, Users
    bool empty() const { return parts.empty(); }
    const std::string& last() const { return parts.back(); }
    // What stands before the last part, or empty.
    std::string qualifier() const { return parts.size() > 1 ? parts[parts.size() - 2] : std::string(); }
};

class Words {
public:
    Words(std::string_view sql, Dialect dialect);

    bool at_end() const { return at_ >= words_.size(); }
    bool is(std::string_view word, std::size_t ahead = 0) const;
    // Takes the word, or the words one after the other, when they are next.
    bool take(std::string_view word);
    bool take_all(std::initializer_list<std::string_view> words);
    // Takes the next token, whatever it is; its text in lower case.
    std::string take_any();
    // Takes a name; empty when none is next.
    Name take_name();
    // Takes a string literal; its text, without quotes. Empty when none is next.
    std::string take_string();
    // Skips a parenthesis with everything in it, when one is next.
    void skip_parentheses();
    // True when the word stands anywhere behind the cursor, outside of literals.
    bool has(std::string_view word) const;
    bool has(std::initializer_list<std::string_view> in_order) const;
    std::size_t position() const { return at_; }
    void go_to(std::size_t position) { at_ = position; }

private:
    struct Word {
        TokenKind kind;
        std::string text;     // as written
        std::string lower;    // words and symbols
    };
    std::string bare(const Word& word) const;

    Dialect dialect_;
    std::vector<Word> words_;
    std::size_t at_ = 0;
};

}  // namespace ysdb::migrate
