// The person at the terminal: what the terminal can show, and asking before something is changed.
#pragma once

#include <map>
#include <string>

#include "cmd/cli.h"
#include "core/report/render.h"

namespace ysdb {

using Environment = std::map<std::string, std::string>;

Environment read_environment();

// Colour only on a terminal that is not "dumb", without NO_COLOR and without --no-color; width only on a terminal.
TextStyle style_of(int descriptor, const Environment& environment, bool no_color);

// Writes all of it. Returns 0, or errno. Not thread-safe.
int write_out(int descriptor, std::string_view text);

class TerminalOperator final : public Operator {
public:
    // `invocation` must outlive this.
    TerminalOperator(const Invocation& invocation, TextStyle style) : invocation_(invocation), style_(style) {}
    bool confirm(const Report& preview, const std::string& question, const std::optional<std::string>& name) override;

private:
    const Invocation& invocation_;
    TextStyle style_;
};

}  // namespace ysdb
