#include "core/migrate/statement.h"

#include <array>

#include "core/base/hash.h"
#include "core/base/text.h"

namespace ysdb::migrate {

// What decides whether a semicolon ends the statement: parentheses (CREATE RULE ... DO (a; b)) and SQL-standard function bodies
// (CREATE FUNCTION ... BEGIN ATOMIC a; b; END), the way psql tells them.
class Splitter::Shape {
public:
    void see(std::string_view text, TokenKind kind) {
        if (kind == TokenKind::symbol) {
            if (text == "(") ++parentheses_;
            if (text == ")" && parentheses_ > 0) --parentheses_;
        }
        if (kind != TokenKind::word) {
            ++words_;
            return;
        }
        const std::string word = lower(text);
        if (words_ < first_.size()) first_[words_] = word;
        ++words_;
        if (!defines_routine()) return;
        if (word == "atomic" && previous_ == "begin") ++blocks_;
        else if (word == "case" && blocks_ > 0) ++blocks_;
        else if (word == "end" && blocks_ > 0) --blocks_;
        previous_ = word;
    }
    bool whole() const { return parentheses_ == 0 && blocks_ == 0; }
    bool is_copy() const { return first_[0] == "copy"; }
    const std::string& first_word() const { return first_[0]; }

private:
    bool defines_routine() const {
        const auto routine = [](const std::string& word) { return word == "function" || word == "procedure"; };
        return first_[0] == "create" && (routine(first_[1]) || (first_[1] == "or" && first_[2] == "replace" && routine(first_[3])));
    }

    std::array<std::string, 4> first_;
    std::size_t words_ = 0;
    int parentheses_ = 0;
    int blocks_ = 0;
    std::string previous_;
};

namespace {

// Appends with CR LF as LF: a checkout on another system is no edit.
void append_lines(std::string& out, std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\r' || i + 1 >= text.size() || text[i + 1] != '\n') out += text[i];
    }
}

bool at_line_begin(const Source& source, std::size_t offset) { return offset == 0 || source.text[offset - 1] == '\n'; }

}  // namespace

Directive read_directive(const Source& source, const Token& comment) {
    std::string_view text = std::string_view(source.text).substr(comment.begin, comment.end - comment.begin);
    if (!text.starts_with("--") || !at_line_begin(source, comment.begin)) return {};
    text = trim(text.substr(2));
    constexpr std::string_view mark = "migrate:";
    if (!text.starts_with(mark)) return {};
    text.remove_prefix(mark.size());
    const auto end = std::min(text.find_first_of(" \t"), text.size());
    return {std::string(text.substr(0, end)), std::string(trim(text.substr(end)))};
}

Splitter::Item Splitter::next() {
    Item item;
    Shape shape;
    std::string canonical;
    std::string probe;
    std::optional<std::string> batch;
    std::size_t batch_at = 0;
    bool from = false, from_stdin = false;
    std::size_t tokens = 0;
    while (true) {
        const std::size_t before = scanner_.offset();
        const Token token = scanner_.next();
        const std::string_view text = std::string_view(source_.text).substr(token.begin, token.end - token.begin);
        const auto end_statement = [&] {
            if (shape.is_copy() && from_stdin) take_copy_rows(item.statement, canonical);
        };
        if (token.kind == TokenKind::comment) {
            Directive directive = read_directive(source_, token);
            if (directive.word.empty()) continue;
            if (directive.word == "probe" && tokens == 0) {
                probe = directive.rest;
                continue;
            }
            if (directive.word == "batch" && tokens == 0) {
                batch = directive.rest;
                batch_at = token.begin;
                continue;
            }
            if (tokens > 0) {  // the statement ends here; the directive is read again
                scanner_.skip_to(before);
                end_statement();
                break;
            }
            return {Item::Kind::directive, {}, std::move(directive), token.begin};
        }
        if (token.kind == TokenKind::end) {
            if (tokens == 0) return item;
            end_statement();
            break;
        }
        if (token.kind == TokenKind::symbol && text == ";" && shape.whole()) {
            if (tokens == 0) continue;  // an empty statement
            end_statement();
            break;
        }
        if (tokens++ == 0) item.statement.begin = token.begin;
        item.statement.end = token.end;
        shape.see(text, token.kind);
        if (token.kind == TokenKind::word && shape.is_copy() && shape.whole()) {
            const std::string word = lower(text);
            from_stdin = from_stdin || (from && word == "stdin");
            from = word == "from";
        }
        add_to_hash(canonical, token);
    }
    item.kind = Item::Kind::statement;
    item.statement.probe = std::move(probe);
    item.statement.batch = std::move(batch);
    item.statement.batch_at = batch_at;
    item.statement.hash = sha256_hex(canonical);
    return item;
}

void Splitter::add_to_hash(std::string& canonical, const Token& token) const {
    const std::string_view text = std::string_view(source_.text).substr(token.begin, token.end - token.begin);
    if (token.kind == TokenKind::word && dialect_ != Dialect::clickhouse) canonical += lower(text);
    else append_lines(canonical, text);
    canonical += '\0';  // no token holds one
}

// The rows stand on the lines below the statement, up to a line that holds \. alone.
void Splitter::take_copy_rows(Statement& statement, std::string& canonical) {
    const std::string_view text = source_.text;
    const auto line_end = text.find('\n', scanner_.offset());
    std::size_t at = line_end == std::string_view::npos ? text.size() : line_end + 1;
    statement.copies = true;
    statement.rows_begin = at;
    while (at < text.size()) {
        const auto newline = std::min(text.find('\n', at), text.size());
        if (const auto line = text.substr(at, newline - at); line == "\\." || line == "\\.\r") {
            statement.rows_end = at;
            scanner_.skip_to(newline);
            append_lines(canonical, statement.rows(source_));
            return;
        }
        at = newline + 1;
    }
    throw source_.fault(Code::refused, statement.begin, statement.end - statement.begin, "the rows of this COPY are not ended by a line that holds \\. alone");
}

}  // namespace ysdb::migrate
