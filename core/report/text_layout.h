// Text on a terminal: how wide it is, where it breaks, what must not reach the terminal raw.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ysdb {

// Columns that `text` (UTF-8) takes on a terminal: wide characters count two, combining ones none.
std::size_t display_width(std::string_view text);
// Control characters and bad UTF-8 as \xNN, newlines and tabs as spaces: data must not steer the terminal.
std::string printable(std::string_view text);
// Lines of at most `width` columns, broken at spaces where there are any. `width` 0: one line.
std::vector<std::string> wrap(std::string_view text, std::size_t width);
// `text` filled up with spaces to `width` columns.
std::string pad_right(std::string text, std::size_t width);
std::string pad_left(std::string text, std::size_t width);

}  // namespace ysdb
