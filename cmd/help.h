// Help for one command, as text for people and as tables for programs.
#pragma once

#include <span>
#include <string>

#include "cmd/command.h"

namespace ysdb {

// `path` from the program down to the command.
Report help_report(std::span<const CommandSpec* const> path);
std::string help_text(std::span<const CommandSpec* const> path);
// "ysdb migrate new [flags] NAME"
std::string usage_line(std::span<const CommandSpec* const> path);
// "text, json or csv; default text" in brackets, or "".
std::string flag_note(const FlagSpec& flag);

// The whole tree as one man page in roff: no date, no version, so that it changes only when the commands do.
std::string man_page(const CommandSpec& program);

}  // namespace ysdb
