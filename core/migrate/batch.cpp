#include "core/migrate/batch.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

#include "core/base/text.h"
#include "core/migrate/scan.h"

namespace ysdb::migrate {

namespace {

const auto option_words = std::to_array<std::string>({"size", "target", "pause", "rate", "lag", "key"});
constexpr std::string_view options_hint = "options: size:5000 target:500ms pause:25% rate:2000 lag:10s key:COLUMN,COLUMN";

std::int64_t whole_number(const std::string& key, const std::string& value) {
    std::int64_t number = 0;
    const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (failed != std::errc() || end != value.data() + value.size() || number < 1 || number > 1'000'000'000) throw Error(Code::usage, "migrate:batch: " + key + " is a number of rows, not '" + value + "'", std::string(options_hint));
    return number;
}

double percentage(const std::string& value) {
    double number = -1;
    const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (failed != std::errc() || std::string_view(end, static_cast<std::size_t>(value.data() + value.size() - end)) != "%" || !(number >= 0) || number > 100'000) {
        throw Error(Code::usage, "migrate:batch: pause is a part of the time that a batch takes, like 25%, not '" + value + "'", std::string(options_hint));
    }
    return number / 100;
}

std::string column_name(const std::string& written) {
    if (written.size() > 2 && written.starts_with('"') && written.ends_with('"')) return written.substr(1, written.size() - 2);
    return lower(written);
}

void read_option(plan::Batches& batches, const std::string& option) {
    const auto colon = option.find(':');
    const std::string key = option.substr(0, colon), value = colon == std::string::npos ? "" : option.substr(colon + 1);
    if (key == "size") batches.size = whole_number(key, value);
    else if (key == "rate") batches.rate = whole_number(key, value);
    else if (key == "pause") batches.pause = percentage(value);
    else if (key == "target") batches.target = parse_duration(value, "target of migrate:batch");
    else if (key == "lag" && value == "off") batches.lag.reset();
    else if (key == "lag") batches.lag = parse_duration(value, "lag of migrate:batch");
    else if (key == "key" && !value.empty()) {
        for (const std::string& column : split(value, ',')) batches.key.push_back(column_name(column));
    } else {
        throw Error(Code::usage, "migrate:batch: unknown option '" + key + "'" + did_you_mean(key, option_words), std::string(options_hint));
    }
}

// The tokens of a statement, comments left out, with a cursor.
class Tokens {
public:
    explicit Tokens(std::string_view sql) : source_{"", std::string(sql)} {
        Scanner scanner(source_, Dialect::postgres);
        for (Token token = scanner.next(); token.kind != TokenKind::end; token = scanner.next()) {
            if (token.kind != TokenKind::comment) tokens_.push_back(token);
        }
    }
    bool at_end() const { return at_ >= tokens_.size(); }
    std::string text(std::size_t i) const { return source_.text.substr(tokens_[i].begin, tokens_[i].end - tokens_[i].begin); }
    bool is(std::string_view word) const { return !at_end() && plain(tokens_[at_]) && lower(text(at_)) == word; }
    bool take(std::string_view word) {
        if (is(word)) return ++at_, true;
        return false;
    }
    bool name_next() const { return !at_end() && (tokens_[at_].kind == TokenKind::word || tokens_[at_].kind == TokenKind::quoted); }
    std::string take_text() { return text(at_++); }
    // Behind the parenthesis that is next.
    void skip_parentheses() {
        for (int depth = 0; !at_end();) {
            if (is("(") || is("[")) ++depth;
            if (is(")") || is("]")) --depth;
            ++at_;
            if (depth == 0) return;
        }
    }
    std::size_t end_of_last() const { return at_ == 0 ? 0 : tokens_[at_ - 1].end; }

private:
    static bool plain(const Token& token) { return token.kind == TokenKind::word || token.kind == TokenKind::symbol; }
    Source source_;
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
};

Error cannot(const std::string& why) { return Error(Code::refused, "cannot be run in batches: " + why, "an UPDATE or DELETE of one table, without WITH and RETURNING; take migrate:batch out to run it as it is"); }

// The columns of "a = 1, (b, c) = (...)", up to what follows them.
std::vector<std::string> take_assignments(Tokens& tokens) {
    std::vector<std::string> columns;
    const auto ends = [&] { return tokens.at_end() || tokens.is("from") || tokens.is("where") || tokens.is("returning"); };
    while (!ends()) {
        const bool list = tokens.take("(");
        do {
            if (tokens.name_next()) columns.push_back(column_name(tokens.take_text()));
            while (tokens.is("[")) tokens.skip_parentheses();
            while (!tokens.at_end() && !tokens.is(",") && !tokens.is(")") && !tokens.is("=")) tokens.take_text();
        } while (list && tokens.take(","));
        while (!ends() && !tokens.is(",")) {
            if (tokens.is("(") || tokens.is("[")) tokens.skip_parentheses();
            else tokens.take_text();
        }
        tokens.take(",");
    }
    return columns;
}

}  // namespace

Batched in_batches(std::string_view sql, std::string_view options) {
    Batched batched;
    plan::Batches& batches = batched.batches;
    for (const std::string& option : split(options, ' ')) {
        if (!trim(option).empty()) read_option(batches, std::string(trim(option)));
    }
    Tokens tokens(sql);
    const bool updates = tokens.take("update");
    if (!updates && !(tokens.take("delete") && tokens.take("from"))) throw cannot("it begins with neither UPDATE nor DELETE");
    batches.only = tokens.take("only");
    const bool enclosed = batches.only && tokens.take("(");
    std::string last;
    while (tokens.name_next()) {
        last = tokens.take_text();
        batches.table += last;
        if (!tokens.take(".")) break;
        batches.table += ".";
    }
    if (batches.table.empty()) throw cannot("it names no table");
    if (enclosed) tokens.take(")");
    tokens.take("*");
    batches.rows = last;
    if (tokens.take("as") || (tokens.name_next() && !tokens.is("set") && !tokens.is("using") && !tokens.is("where") && !tokens.is("returning"))) batches.rows = tokens.take_text();
    if (updates && !tokens.take("set")) throw cannot("no SET behind the table");
    if (updates) batches.changes = take_assignments(tokens);
    std::optional<std::size_t> where;  // behind the word
    while (!tokens.at_end()) {
        if (tokens.is("(") || tokens.is("[")) {
            tokens.skip_parentheses();
            continue;
        }
        if (tokens.is("returning")) throw cannot("nobody reads what it returns");
        const bool is_where = tokens.is("where");
        tokens.take_text();
        if (is_where && !where) where = tokens.end_of_last();
        if (is_where && tokens.is("current")) throw cannot("WHERE CURRENT OF names one row");
    }
    batched.sql = std::string(sql);
    if (!where) {
        batched.sql += " WHERE true";
    } else {
        // In the place of a blank, so that what the server says of a place holds for the file.
        const bool blank = *where < sql.size() && std::isspace(static_cast<unsigned char>(sql[*where])) != 0;
        batched.sql.replace(*where, blank ? 1 : 0, "(");
        batched.sql += ")";
    }
    return batched;
}

}  // namespace ysdb::migrate
