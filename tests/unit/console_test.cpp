// Asking the person at the terminal: a real pseudo-terminal, and none.
#include "cmd/console.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"

using namespace ysdb;

namespace {

Invocation invocation_with(std::map<std::string, std::vector<std::string>> values) {
    Invocation invocation;
    invocation.values = std::move(values);
    invocation.command_line = "ysdb lab down --destroy";
    return invocation;
}

Report preview() {
    Report report;
    report.title = "3 servers would be destroyed";
    return report;
}

// Runs confirm() in a child whose stdin, stdout and stderr are `terminal`; what it showed, and whether it confirmed.
struct Answered {
    std::string screen;
    int code = 0;  // 0 no, 1 yes, 2 refused
};
Answered ask(const std::string& typed, std::optional<std::string> name, Invocation invocation = invocation_with({})) {
    int terminal = -1;
    const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
    REQUIRE(child >= 0);
    if (child == 0) {
        try {
            _exit(TerminalOperator(invocation, {}).confirm(preview(), "destroy the lab?", name) ? 1 : 0);
        } catch (const Error&) {
            _exit(2);
        }
    }
    REQUIRE(write(terminal, typed.data(), typed.size()) == static_cast<ssize_t>(typed.size()));
    Answered answered;
    char buffer[4096];
    ssize_t got = 0;
    while ((got = read(terminal, buffer, sizeof buffer)) > 0) answered.screen.append(buffer, static_cast<std::size_t>(got));
    int status = 0;
    waitpid(child, &status, 0);
    close(terminal);
    answered.code = WEXITSTATUS(status);
    return answered;
}

Error refusal(const Invocation& invocation, const std::optional<std::string>& name) {
    const int saved = dup(STDIN_FILENO);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    close(null);
    std::optional<Error> refused;
    try {
        TerminalOperator(invocation, {}).confirm(preview(), "destroy the lab?", name);
    } catch (const Error& error) {
        refused = error;
    }
    dup2(saved, STDIN_FILENO);
    close(saved);
    REQUIRE(refused);
    return *refused;
}

}  // namespace

TEST_CASE("on a terminal the plan is shown and the answer counts") {
    const Answered yes = ask("y\n", {});
    CHECK(yes.code == 1);
    CHECK(yes.screen.find("3 servers would be destroyed") < yes.screen.find("destroy the lab? [y/N]"));
    CHECK(ask("yes\n", {}).code == 1);
    CHECK(ask("n\n", {}).code == 0);
    CHECK(ask("\n", {}).code == 0);
    CHECK(ask("yesterday\n", {}).code == 0);
}

TEST_CASE("where a name has to be typed, nothing else will do") {
    CHECK(ask("prod\n", "prod").code == 1);
    CHECK(ask("y\n", "prod").code == 0);
    CHECK(ask("y\n", "prod", invocation_with({{"--yes", {"true"}}})).code == 0);
}

TEST_CASE("without a terminal nothing asks: it refuses with the command to type") {
    const Error plain = refusal(invocation_with({}), {});
    CHECK(plain.code() == Code::refused);
    CHECK(plain.hint().find("ysdb lab down --destroy --yes") != std::string::npos);
    CHECK(refusal(invocation_with({}), "my lab").hint().find("ysdb lab down --destroy --confirm 'my lab'") != std::string::npos);
    CHECK(refusal(invocation_with({{"--yes", {"true"}}}), "prod").code() == Code::refused);
    CHECK(refusal(invocation_with({{"--confirm", {"test"}}}), "prod").message().find("'test', not 'prod'") != std::string::npos);
}

TEST_CASE("flags confirm without asking") {
    const Invocation yes = invocation_with({{"--yes", {"true"}}});
    CHECK(TerminalOperator(yes, {}).confirm(preview(), "?", {}));
    const Invocation named = invocation_with({{"--confirm", {"prod"}}});
    CHECK(TerminalOperator(named, {}).confirm(preview(), "?", "prod"));
}

TEST_CASE("colour is for terminals alone, and NO_COLOR, TERM=dumb and --no-color are obeyed") {
    int controller = -1, terminal = -1;
    REQUIRE(openpty(&controller, &terminal, nullptr, nullptr, nullptr) == 0);
    CHECK(style_of(terminal, {{"TERM", "xterm"}}, false).color);
    CHECK(style_of(terminal, {{"TERM", "xterm"}}, false).width > 0);
    CHECK(!style_of(terminal, {{"TERM", "xterm"}, {"NO_COLOR", "1"}}, false).color);
    CHECK(style_of(terminal, {{"TERM", "xterm"}, {"NO_COLOR", ""}}, false).color);
    CHECK(!style_of(terminal, {{"TERM", "dumb"}}, false).color);
    CHECK(!style_of(terminal, {{"TERM", "xterm"}}, true).color);
    close(terminal);
    CHECK(style_of(open("/dev/null", O_WRONLY | O_CLOEXEC), {}, false).width == 0);
    close(controller);
}
