#include "cmd/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/error.h"
#include "core/base/text.h"

extern char** environ;

namespace ysdb {

namespace {

bool set_and_not_empty(const Environment& environment, const char* name) {
    const auto found = environment.find(name);
    return found != environment.end() && !found->second.empty();
}

// One line from the terminal, without the newline; end of input reads as empty.
std::string read_line() {
    std::string line;
    char c = 0;
    while (true) {
        const ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0 || c == '\n') return line;
        line += c;
    }
}

}  // namespace

Environment read_environment() {
    Environment environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const auto equals = text.find('=');
        if (equals != std::string_view::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return environment;
}

TextStyle style_of(int descriptor, const Environment& environment, bool no_color) {
    if (isatty(descriptor) == 0) return {};
    TextStyle style;
    const auto term = environment.find("TERM");
    const bool dumb = term != environment.end() && term->second == "dumb";
    style.color = !no_color && !dumb && !set_and_not_empty(environment, "NO_COLOR");
    winsize size{};
    style.width = ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 100;
    return style;
}

int write_out(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t put = write(descriptor, text.data(), text.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return errno;
        text.remove_prefix(static_cast<std::size_t>(put));
    }
    return 0;
}

bool TerminalOperator::confirm(const Report& preview, const std::string& question, const std::optional<std::string>& name) {
    if (name ? invocation_.text("--confirm") == name : invocation_.has("--yes")) return true;
    const std::string go_ahead = invocation_.command_line + (name ? " --confirm " + shell_quote(*name) : " --yes");
    if (name && invocation_.has("--confirm")) {
        throw Error(Code::refused, "not confirmed: --confirm says '" + *invocation_.text("--confirm") + "', not '" + *name + "'",
                    "nothing was changed");
    }
    if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
        throw Error(Code::refused, "not confirmed: " + question, "look at it with --dry-run; to go ahead: " + go_ahead);
    }
    write_out(STDERR_FILENO,
              render_text(preview, style_) + "\n" + question + (name ? " Type " + *name + " to go ahead: " : " [y/N] "));
    const std::string answer(trim(read_line()));
    return name ? answer == *name : lower(answer) == "y" || lower(answer) == "yes";
}

}  // namespace ysdb
