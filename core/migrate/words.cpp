#include "core/migrate/words.h"

#include "core/base/text.h"

namespace ysdb::migrate {

namespace {
// Enough for any definition; of a huge INSERT only the beginning matters.
constexpr std::size_t most_words = 20'000;
}  // namespace

Words::Words(std::string_view sql, Dialect dialect) : dialect_(dialect) {
    const Source source{"", std::string(sql)};
    Scanner scanner(source, dialect);
    for (Token token = scanner.next(); token.kind != TokenKind::end && words_.size() < most_words; token = scanner.next()) {
        if (token.kind == TokenKind::comment) continue;
        std::string text = source.text.substr(token.begin, token.end - token.begin);
        const bool plain = token.kind == TokenKind::word || token.kind == TokenKind::symbol;
        std::string small = plain ? lower(text) : std::string();
        words_.push_back({token.kind, std::move(text), std::move(small)});
    }
}

bool Words::is(std::string_view word, std::size_t ahead) const { return at_ + ahead < words_.size() && words_[at_ + ahead].lower == word; }

bool Words::take(std::string_view word) {
    if (!is(word)) return false;
    ++at_;
    return true;
}

bool Words::take_all(std::initializer_list<std::string_view> words) {
    std::size_t ahead = 0;
    for (const std::string_view word : words) {
        if (!is(word, ahead++)) return false;
    }
    at_ += words.size();
    return true;
}

std::string Words::take_any() {
    if (at_end()) return {};
    return words_[at_++].lower;
}

std::string Words::bare(const Word& word) const {
    if (word.kind == TokenKind::word) return dialect_ == Dialect::clickhouse ? word.text : word.lower;
    const char quote = word.text.back();
    const auto open = word.text.find(quote);
    std::string name;
    for (std::size_t i = open + 1; i + 1 < word.text.size(); ++i) {
        const char c = word.text[i];
        if (c == quote || (c == '\\' && dialect_ == Dialect::clickhouse)) ++i;
        name += word.text[i];
    }
    return name;
}

Name Words::take_name() {
    Name name;
    while (!at_end() && (words_[at_].kind == TokenKind::word || words_[at_].kind == TokenKind::quoted)) {
        name.written += words_[at_].text;
        name.parts.push_back(bare(words_[at_]));
        ++at_;
        if (!take(".")) break;
        name.written += ".";
    }
    return name;
}

std::string Words::take_string() {
    if (at_end() || words_[at_].kind != TokenKind::string) return {};
    return bare(words_[at_++]);
}

void Words::skip_parentheses() {
    if (!is("(")) return;
    int depth = 0;
    do {
        if (is("(")) ++depth;
        if (is(")")) --depth;
        ++at_;
    } while (depth > 0 && !at_end());
}

bool Words::has(std::string_view word) const {
    for (std::size_t i = at_; i < words_.size(); ++i) {
        if (words_[i].lower == word) return true;
    }
    return false;
}

bool Words::has(std::initializer_list<std::string_view> in_order) const {
    for (std::size_t i = at_; i + in_order.size() <= words_.size(); ++i) {
        std::size_t k = 0;
        for (const std::string_view word : in_order) {
            if (words_[i + k].lower != word) break;
            ++k;
        }
        if (k == in_order.size()) return true;
    }
    return false;
}

}  // namespace ysdb::migrate
