#include "core/migrate/source.h"

#include <fmt/core.h>

#include <algorithm>

namespace ysdb::migrate {

namespace {

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

std::size_t line_begin(std::string_view text, std::size_t offset) {
    const auto newline = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
    return newline == std::string_view::npos ? 0 : newline + 1;
}

std::size_t newlines(std::string_view text) { return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')); }

// Where `newlines` are before it.
Place place_behind(const Source& source, std::size_t newlines, std::size_t offset) {
    const std::string_view before = std::string_view(source.text).substr(0, offset);
    return {newlines + 1 - std::min(source.lines_before, newlines), characters(before.substr(line_begin(source.text, before.size()))) + 1};
}

std::string where_text(const Source& source, const Place& at) { return fmt::format("{}:{}:{}", source.path, at.line, at.column); }

}  // namespace

Place Source::place(std::size_t offset) const { return place_behind(*this, newlines(std::string_view(text).substr(0, offset)), offset); }

std::string Places::where(std::size_t offset) {
    if (offset < at_) at_ = newlines_ = 0;
    newlines_ += newlines(std::string_view(source_.text).substr(at_, offset - at_));
    at_ = offset;
    return where_text(source_, place_behind(source_, newlines_, offset));
}

std::string Source::where(std::size_t offset) const {
    return where_text(*this, place(offset));
}

std::string Source::excerpt(std::size_t offset, std::size_t length) const {
    offset = std::min(offset, text.size());
    const auto begin = line_begin(text, offset);
    std::string_view line = std::string_view(text).substr(begin, text.find('\n', begin) - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string_view before = line.substr(0, offset - begin);
    const std::string_view marked = line.substr(std::min(before.size(), line.size())).substr(0, length);
    // Tabs stay tabs, so that the caret stands under the word at any tab width.
    std::string indent;
    for (const char c : before) {
        if (!continues_character(c)) indent += c == '\t' ? '\t' : ' ';
    }
    const std::string number = fmt::format("{:>5} | ", place(offset).line);
    return fmt::format("{}{}\n{:>5} | {}{}\n", number, line, "", indent, std::string(std::max<std::size_t>(1, characters(marked)), '^'));
}

Error Source::fault(Code code, std::size_t offset, std::size_t length, const std::string& message, std::string hint) const {
    return Error(code, where(offset) + ": " + message, std::move(hint)).with_excerpt(excerpt(offset, length));
}

std::size_t byte_of_character(std::string_view text, std::size_t position) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!continues_character(text[i]) && --position == 0) return i;
    }
    return text.size();
}

std::size_t word_length(std::string_view text) {
    const auto in_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (static_cast<unsigned char>(c) & 0x80) != 0; };
    const auto end = std::find_if_not(text.begin(), text.end(), in_word);
    return std::max<std::size_t>(text.empty() ? 0 : 1, static_cast<std::size_t>(end - text.begin()));
}

}  // namespace ysdb::migrate
