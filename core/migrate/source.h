// The text of a migration file and places in it, as people name them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace ysdb::migrate {

struct Place {
    std::size_t line = 1;
    std::size_t column = 1;  // characters, not bytes
};

// A value; the text is valid UTF-8 without a byte order mark.
struct Source {
    std::string path;  // as shown to people: "migrations/0001_users.sql"
    std::string text;
    std::size_t lines_before = 0;  // lines at the beginning of the text that are not the file's

    Place place(std::size_t offset) const;
    // "migrations/0001_users.sql:3:14"
    std::string where(std::size_t offset) const;
    // The line and a caret under [offset, offset + length), which is cut at the end of the line.
    std::string excerpt(std::size_t offset, std::size_t length) const;
    // "where: message", with the excerpt.
    Error fault(Code code, std::size_t offset, std::size_t length, const std::string& message, std::string hint = {}) const;
};

// Places of offsets that only grow: each counts on from the one before, since a file may have a million statements. The source must outlive it.
class Places {
public:
    explicit Places(const Source& source) : source_(source) {}
    // As Source::where().
    std::string where(std::size_t offset);

private:
    const Source& source_;
    std::size_t at_ = 0, newlines_ = 0;  // before at_
};

// The byte of `text` at which its character number `position` (from 1) begins; the size of the text when it is shorter.
std::size_t byte_of_character(std::string_view text, std::size_t position);
// The length of the word at the beginning of `text`, at least 1 unless it is empty: what a caret underlines.
std::size_t word_length(std::string_view text);

}  // namespace ysdb::migrate
