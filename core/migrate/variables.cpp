#include "core/migrate/variables.h"

#include <algorithm>
#include <functional>

#include "core/base/text.h"

namespace ysdb::migrate {

namespace {

constexpr std::string_view opening = "${", escape = "$${";
// Characters of Unicode's private use, which both servers take as parts of a word.
constexpr std::string_view mask_begin = "\xee\x80\x80", mask_end = "\xee\x80\x81", mask_colon = "\xee\x80\x82";

struct Span {
    std::size_t begin, end;
};

// What no variable is looked for in: comments, and the tags of dollar quotes, which may be followed by a brace.
std::vector<Span> opaque_spans(const Source& source, Dialect dialect, std::size_t begin, std::size_t end) {
    std::vector<Span> spans;
    Scanner scanner(source, dialect, begin);
    for (Token token = scanner.next(); token.kind != TokenKind::end && token.begin < end; token = scanner.next()) {
        if (token.kind == TokenKind::comment) spans.push_back({token.begin, token.end});
        if (token.kind != TokenKind::string || source.text[token.begin] != '$') continue;
        const std::size_t tag = source.text.find('$', token.begin + 1) + 1 - token.begin;
        spans.push_back({token.begin, token.begin + tag});
        spans.push_back({token.end - tag, token.end});
    }
    return spans;
}

// The length of a name that ends in a brace, from `at`; 0 when there is none.
std::size_t name_length(std::string_view text, std::size_t at, bool built_in_names) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    const std::size_t begin = built_in_names && text.substr(at).starts_with(built_in_prefix) ? at + built_in_prefix.size() : at;
    std::size_t end = begin;
    while (end < text.size() && (letter(text[end]) || (end > begin && text[end] >= '0' && text[end] <= '9'))) ++end;
    return end > begin && end < text.size() && text[end] == '}' ? end - at : 0;
}

using ValueOf = std::function<std::string(std::string_view name, std::size_t at)>;
using Refuse = std::function<void(std::size_t at, std::size_t length)>;

Expanded replace(const Source& source, Dialect dialect, std::size_t begin, std::size_t end, bool built_in_names, const ValueOf& value_of, const Refuse& refuse) {
    Expanded expanded;
    const std::string_view text = std::string_view(source.text).substr(0, end);
    if (text.find(opening, begin) == std::string_view::npos) {
        expanded.text = text.substr(begin);
        expanded.pieces = {{0, begin, true}};
        return expanded;
    }
    const std::vector<Span> spans = opaque_spans(source, dialect, begin, end);
    auto span = spans.begin();
    const auto copy = [&](std::size_t from, std::size_t to) {
        if (from == to) return;
        expanded.pieces.push_back({expanded.text.size(), from, true});
        expanded.text += text.substr(from, to - from);
    };
    std::size_t at = begin, copied = begin;
    while (true) {
        at = std::min(text.find('$', at), text.size());
        while (span != spans.end() && span->end <= at) ++span;
        if (at >= text.size()) break;
        if (span != spans.end() && at >= span->begin) {
            at = span->end;
        } else if (text.substr(at).starts_with(escape)) {
            copy(copied, at);
            copied = at + 1;
            at += escape.size();
        } else if (text.substr(at).starts_with(opening)) {
            const std::size_t length = name_length(text, at + opening.size(), built_in_names);
            if (length == 0) {
                refuse(at, opening.size());
                at += opening.size();
                continue;
            }
            copy(copied, at);
            expanded.pieces.push_back({expanded.text.size(), at, false});
            expanded.text += value_of(text.substr(at + opening.size(), length), at);
            at += opening.size() + length + 1;
            copied = at;
        } else {
            ++at;
        }
    }
    copy(copied, text.size());
    if (expanded.pieces.empty()) expanded.pieces = {{0, begin, true}};
    return expanded;
}

Error unknown(const Source& source, std::size_t at, std::string_view name, const Variables& variables) {
    std::vector<std::string> known;
    for (const auto& [each, _] : variables) known.push_back(each);
    const std::string lowered = lower(name);
    return source.fault(Code::refused, at, name.size() + 3, "nothing gives the variable '" + std::string(name) + "' a value" + did_you_mean(lowered, known),
                        "write it into [migrate.variables], set YSDB_MIGRATE_VARIABLES_" + upper(name) + ", or for a literal ${ write $${ or variables:false on the first section line");
}

// What Flyway fills in by itself; `at` for the error.
std::string built_in_value(const Migration& file, std::string_view name, std::size_t at) {
    const std::string key(name.substr(built_in_prefix.size()));
    if (key == "filename") return file.source.path.substr(file.source.path.rfind('/') + 1);
    if (file.built_in != nullptr) {
        if (const auto found = file.built_in->find(key); found != file.built_in->end()) return found->second;
    }
    throw file.source.fault(Code::refused, at, name.size() + 3, "ysdb has no value for Flyway's '" + std::string(name) + "'", "known are defaultSchema, user, database, timestamp, filename, workingDirectory and table; write its value");
}

std::string value_of(const Migration& file, const Variables& variables, std::string_view name, std::size_t at) {
    if (name.starts_with(built_in_prefix)) return built_in_value(file, name, at);
    const auto found = variables.find(lower(name));
    if (found == variables.end()) throw unknown(file.source, at, name, variables);
    return found->second.reveal();
}

}  // namespace

std::size_t Expanded::source_of(std::size_t at) const {
    const auto next = std::find_if(pieces.begin(), pieces.end(), [&](const Piece& piece) { return piece.begin > at; });
    const Piece& piece = *std::prev(next);
    return piece.verbatim ? piece.source + (at - piece.begin) : piece.source;
}

Expanded expand(const Migration& file, std::size_t begin, std::size_t end, const Variables& variables) {
    const Source& source = file.source;
    if (!file.variables) return {source.text.substr(begin, end - begin), {{0, begin, true}}};
    return replace(
        source, file.dialect, begin, end, file.built_in_names, [&](std::string_view name, std::size_t at) { return value_of(file, variables, name, at); },
        [&](std::size_t at, std::size_t length) {
            throw source.fault(Code::refused, at, length, "no name of a variable follows", "names are letters, digits and _; for a literal ${ write $${ or variables:false on the first section line");
        });
}

std::string expand_text(const Migration& file, std::string_view text, std::size_t at, const Variables& variables) {
    if (!file.variables || text.find(opening) == std::string_view::npos) return std::string(text);
    const Source source{file.source.path, std::string(text)};
    return replace(
               source, file.dialect, 0, source.text.size(), file.built_in_names, [&](std::string_view name, std::size_t) { return value_of(file, variables, name, at); },
               [&](std::size_t, std::size_t) { throw file.source.fault(Code::refused, at, 1, "its probe holds ${ and no name of a variable", "for a literal ${ write $${"); })
        .text;
}

std::string masked(const Migration& file, std::size_t begin, std::size_t end) {
    if (!file.variables) return file.source.text.substr(begin, end - begin);
    return replace(
               file.source, file.dialect, begin, end, file.built_in_names,
               [&](std::string_view name, std::size_t) {
                   std::string word(name);
                   if (const auto colon = word.find(':'); colon != std::string::npos) word.replace(colon, 1, mask_colon);
                   return std::string(mask_begin) + word + std::string(mask_end);
               },
               [](std::size_t, std::size_t) {})
        .text;
}

std::string show(std::string text) {
    for (const auto& [from, to] : {std::pair(mask_begin, opening), std::pair(mask_end, std::string_view("}")), std::pair(mask_colon, std::string_view(":"))}) {
        for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
    }
    return text;
}

std::string without_values(std::string text, const Variables& variables) {
    constexpr std::size_t shortest = 4;
    std::vector<std::pair<std::string, std::string>> values;
    for (const auto& [name, value] : variables) {
        if (value.reveal().size() >= shortest) values.emplace_back(value.reveal(), "${" + name + "}");
    }
    std::sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
    for (const auto& [value, name] : values) {
        for (std::size_t at = text.find(value); at != std::string::npos; at = text.find(value, at + name.size())) text.replace(at, value.size(), name);
    }
    return text;
}

}  // namespace ysdb::migrate
