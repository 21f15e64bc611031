#include "core/store/clickhouse/statement.h"

#include <algorithm>
#include <cctype>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb::clickhouse {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (static_cast<unsigned char>(c) & 0x80) != 0; }

// Data begins after the format's name, blanks and at most one line end.
std::size_t payload_start(std::string_view text, std::size_t at) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
    if (at < text.size() && text[at] == ';') ++at;
    if (at < text.size() && text[at] == '\r') ++at;
    if (at < text.size() && text[at] == '\n') ++at;
    return at;
}

// After INSERT: [INTO] [TABLE | FUNCTION] name[.name] [(columns)]; returns the token behind the name.
Token skip_target(Scanner& scanner) {
    Token token = scanner.next();
    if (token.is("into")) token = scanner.next();
    if (token.is("table") || token.is("function")) token = scanner.next();
    token = scanner.next();  // behind the name's first part
    while (token.is_symbol('.')) {
        scanner.next();
        token = scanner.next();
    }
    return token;
}

void look_at_insert(std::string_view text, Scanner& scanner, Statement& statement) {
    statement.takes_payload = true;
    statement.sql = trim(text);
    std::size_t end = text.size();
    bool place_known = false;
    for (Token token = skip_target(scanner); token.kind != Token::Kind::end; token = scanner.next()) {
        if (token.depth > 0) continue;
        const auto start = static_cast<std::size_t>(token.text.data() - text.data());
        if (token.is("select") || token.is("with") || token.is("values") || token.is("from") || token.is("watch")) {
            statement.takes_payload = false;
            continue;
        }
        if (token.is_symbol(';')) {
            end = start;
            statement.several = scanner.next().kind != Token::Kind::end;
            break;
        }
        if (!statement.takes_payload) continue;
        if (token.is("settings") && !place_known) {
            statement.infile_at = start;
            place_known = true;
        }
        if (token.is("format")) {
            if (!place_known) statement.infile_at = start;
            statement.format = scanner.next().text;
            end = scanner.position();
            statement.payload = text.substr(payload_start(text, end));
            place_known = true;
            break;
        }
    }
    if (!place_known) statement.infile_at = end;
    statement.sql = text.substr(0, end);
}

void look_at_other(std::string_view text, Scanner& scanner, Statement& statement) {
    std::size_t end = text.size();
    Token before;
    Token token = scanner.next();
    Token second_before;
    while (token.kind != Token::Kind::end) {
        if (token.is_symbol(';') && token.depth <= 0) {
            end = static_cast<std::size_t>(token.text.data() - text.data());
            statement.several = scanner.next().kind != Token::Kind::end;
            break;
        }
        if (before.is("format") && token.kind == Token::Kind::word && token.depth == 0) statement.format = token.text;
        if (token.is("processes") && before.is_symbol('.') && second_before.is("system")) statement.reads_processes = true;
        second_before = before;
        before = token;
        token = scanner.next();
    }
    statement.sql = text.substr(0, end);
}

}  // namespace

bool Token::is(std::string_view keyword) const {
    return kind == Kind::word && text.size() == keyword.size() &&
           std::equal(text.begin(), text.end(), keyword.begin(), [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

void Scanner::skip_blanks() {
    while (at_ < sql_.size()) {
        const std::string_view rest = sql_.substr(at_);
        if (is_blank(rest[0])) {
            ++at_;
        } else if (rest.starts_with("--") || rest.starts_with("# ") || rest.starts_with("#!")) {
            at_ = std::min(sql_.size(), sql_.find('\n', at_));
        } else if (rest.starts_with("/*")) {
            const auto end = sql_.find("*/", at_ + 2);
            at_ = end == std::string_view::npos ? sql_.size() : end + 2;
        } else {
            return;
        }
    }
}

std::size_t Scanner::quoted_end(std::size_t from, char quote) const {
    for (std::size_t i = from + 1; i < sql_.size(); ++i) {
        if (sql_[i] == '\\') {
            ++i;
        } else if (sql_[i] == quote) {
            if (i + 1 < sql_.size() && sql_[i + 1] == quote) ++i;
            else return i + 1;
        }
    }
    return sql_.size();
}

Token Scanner::next() {
    skip_blanks();
    Token token;
    if (at_ >= sql_.size()) return token;
    const char c = sql_[at_];
    std::size_t end = at_ + 1;
    token.depth = depth_;
    if (c == '\'') {
        token.kind = Token::Kind::string;
        end = quoted_end(at_, c);
    } else if (c == '`' || c == '"') {
        token.kind = Token::Kind::quoted;
        end = quoted_end(at_, c);
    } else if (is_word(c)) {
        token.kind = Token::Kind::word;
        while (end < sql_.size() && is_word(sql_[end])) ++end;
    } else {
        token.kind = Token::Kind::symbol;
        if (c == '(' || c == '[' || c == '{') ++depth_;
        if (c == ')' || c == ']' || c == '}') token.depth = --depth_;
        if (c == '$') {  // $tag$ text $tag$
            std::size_t name = at_ + 1;
            while (name < sql_.size() && is_word(sql_[name])) ++name;
            if (name < sql_.size() && sql_[name] == '$') {
                const std::string_view tag = sql_.substr(at_, name + 1 - at_);
                if (const auto close = sql_.find(tag, name + 1); close != std::string_view::npos) {
                    token.kind = Token::Kind::string;
                    end = close + tag.size();
                }
            }
        }
    }
    token.text = sql_.substr(at_, end - at_);
    at_ = end;
    return token;
}

Statement look_at(std::string_view text) {
    Statement statement;
    Scanner scanner(text);
    const Token first = scanner.next();
    if (first.is("insert")) {
        statement.verb = Statement::Verb::insert;
        look_at_insert(text, scanner, statement);
        return statement;
    }
    if (first.is("select") || first.is("with") || first.is_symbol('(')) statement.verb = Statement::Verb::select;
    if (first.is("kill")) statement.verb = Statement::Verb::kill;
    if (first.is("set")) statement.verb = Statement::Verb::set;
    look_at_other(text, scanner, statement);
    return statement;
}

std::vector<std::pair<std::string, std::optional<std::string>>> parse_set(std::string_view sql) {
    const auto wrong = [&] { return Error(Code::usage, "'" + std::string(sql) + "' cannot be read", "write it like SET name = value"); };
    std::vector<std::pair<std::string, std::optional<std::string>>> settings;
    Scanner scanner(sql);
    scanner.next();
    while (true) {
        const Token name = scanner.next();
        if (name.kind != Token::Kind::word || !scanner.next().is_symbol('=')) throw wrong();
        const std::size_t from = scanner.position();
        Token token = scanner.next();
        if (token.kind == Token::Kind::end) throw wrong();
        std::size_t to = from;
        while (token.kind != Token::Kind::end && !(token.is_symbol(',') && token.depth == 0) && !token.is_symbol(';')) {
            to = scanner.position();
            token = scanner.next();
        }
        std::string_view value = trim(sql.substr(from, to - from));
        std::optional<std::string> plain;
        if (value.starts_with('\'') && value.ends_with('\'') && value.size() >= 2) {
            value = value.substr(1, value.size() - 2);
            plain.emplace();
            for (std::size_t i = 0; i < value.size(); ++i) {
                if ((value[i] == '\\' || value[i] == '\'') && i + 1 < value.size()) ++i;
                *plain += value[i];
            }
        } else if (lower(value) != "default") {
            plain = value;
        }
        settings.emplace_back(name.text, plain);
        if (!token.is_symbol(',')) return settings;
    }
}

std::string quote(std::string_view name) {
    std::string text = "`";
    for (const char c : name) {
        if (c == '`' || c == '\\') text += '\\';
        text += c;
    }
    return text + "`";
}

std::string escape_param(const std::optional<std::string>& value) {
    if (!value) return "\\N";
    std::string text;
    for (const char c : *value) {
        switch (c) {
            case '\\': text += "\\\\"; break;
            case '\t': text += "\\t"; break;
            case '\n': text += "\\n"; break;
            case '\r': text += "\\r"; break;
            case '\0': text += "\\0"; break;
            default: text += c;
        }
    }
    return text;
}

std::string literal(std::string_view text) {
    std::string quoted = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + "'";
}

}  // namespace ysdb::clickhouse
