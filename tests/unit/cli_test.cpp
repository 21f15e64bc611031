#include "cmd/cli.h"

#include <doctest/doctest.h>

#include "cmd/generated.h"
#include "cmd/help.h"
#include "core/base/error.h"

using namespace ysdb;

namespace {

CommandSpec test_program() {
    const auto nothing = [](const Invocation&, Context&, Operator&) { return Report{}; };
    CommandSpec up;
    up.name = "up";
    up.summary = "apply";
    up.flags = {{"--to", "V", "stop there", "", {}, false},
                {"--mode", "M", "how", "fast", {"fast", "safe"}, false},
                {"--on", "STORE", "where", "", {}, true},
                {"--force", "", "really", "", {}, false}};
    up.changes = true;
    up.run = nothing;
    CommandSpec create;
    create.name = "new";
    create.summary = "make";
    create.arguments = {{"NAME", "its name", true, false}, {"EXTRA", "more", false, false}};
    create.run = nothing;
    CommandSpec secret;
    secret.name = "secret";
    secret.hidden = true;
    secret.run = nothing;
    CommandSpec migrate;
    migrate.name = "migrate";
    migrate.summary = "migrations";
    migrate.verbs = {up, create, secret};
    CommandSpec program;
    program.name = "ysdb";
    program.summary = "test";
    program.verbs = {migrate};
    return program;
}

const CommandSpec program = test_program();

CommandLine parse(std::vector<std::string> words) { return parse_command_line(program, words); }

std::string error_of(std::vector<std::string> words) {
    try {
        parse(std::move(words));
    } catch (const Error& error) {
        CHECK(error.code() == Code::usage);
        CHECK(!error.hint().empty());
        return error.message();
    }
    return "";
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("global flags stand before, between or after the command") {
    for (const Words& words : {Words{"--timeout", "5s", "--output=json", "migrate", "up", "--to", "3"},
                               Words{"migrate", "--timeout=5s", "up", "--output", "json", "--to=3"},
                               Words{"migrate", "up", "--to", "3", "--output", "json", "--timeout", "5s"},
                               Words{"migrate", "--to", "3", "--output", "json", "--timeout", "5s", "up"}}) {
        const CommandLine line = parse(words);
        CHECK(command_name(line.path) == "ysdb migrate up");
        CHECK(line.globals.output == OutputFormat::json);
        CHECK(line.globals.timeout == "5s");
        CHECK(line.invocation.text("--to") == "3");
    }
}

TEST_CASE("a flag takes one word, the next one is an argument") {
    const CommandLine line = parse({"migrate", "new", "--config", "file", "name", "extra"});
    CHECK(line.globals.config_file == "file");
    CHECK(line.invocation.arguments == Words{"name", "extra"});
    CHECK(parse({"migrate", "up", "--on", "a", "--to", "3", "--on", "b"}).invocation.all("--on") == Words{"a", "b"});
}

TEST_CASE("unknown names are answered with the nearest one") {
    CHECK(error_of({"migrat"}) == "unknown command 'migrat'; did you mean 'migrate'?");
    CHECK(error_of({"migrate", "upp"}) == "migrate: unknown command 'upp'; did you mean 'up'?");
    CHECK(error_of({"migrate", "up", "--forse"}) == "migrate up: unknown flag '--forse'; did you mean '--force'?");
    CHECK(error_of({"migrate", "up", "--tmeout=3s"}) == "migrate up: unknown flag '--tmeout'; did you mean '--timeout'?");
    CHECK(error_of({"migrate", "up", "--mode", "saef"}) == "migrate up: --mode cannot be 'saef'; did you mean 'safe'?");
    CHECK(error_of({"migrate", "up", "-x"}).starts_with("migrate up: unknown flag '-x'"));
    CHECK(error_of({"migrate", "secre"}) == "migrate: unknown command 'secre'");  // hidden ones are not suggested
}

TEST_CASE("missing, surplus and repeated words are refused") {
    CHECK(error_of({"migrate", "new"}) == "migrate new: NAME is missing");
    CHECK(error_of({"migrate", "new", "a", "b", "c"}) == "migrate new: unexpected argument 'c'");
    CHECK(error_of({"migrate", "up", "--to"}) == "migrate up: --to needs a value (V)");
    CHECK(error_of({"migrate", "up", "--to", "--yes"}) == "migrate up: --to needs a value (V)");
    CHECK(error_of({"migrate", "up", "--to", "1", "--to", "2"}) == "migrate up: --to is given 2 times");
    CHECK(error_of({"migrate", "up", "--force=maybe"}) == "migrate up: --force takes no value");
}

TEST_CASE("values may begin with a dash, and words after -- are arguments") {
    CHECK(parse({"migrate", "up", "--to", "-1"}).invocation.integer("--to") == -1);
    CHECK(parse({"migrate", "up", "--to=--odd"}).invocation.text("--to") == "--odd");
    CHECK(parse({"migrate", "new", "--", "--name"}).invocation.arguments == Words{"--name"});
    CHECK(parse({"migrate", "new", "--", "-h"}).invocation.arguments == Words{"-h"});
}

TEST_CASE("an invocation tells typed values from fallbacks") {
    const Invocation typed = parse({"migrate", "up", "--on", "a", "--on", "b", "--force"}).invocation;
    CHECK(typed.all("--on") == Words{"a", "b"});
    CHECK(typed.has("--force"));
    CHECK(!typed.has("--mode"));
    CHECK(typed.text("--mode") == "fast");
    CHECK(!typed.text("--to"));
    CHECK_THROWS_AS(parse({"migrate", "up", "--to", "3x"}).invocation.integer("--to"), Error);
}

TEST_CASE("--help asks for nothing else") {
    CHECK(parse({"migrate", "new", "--help"}).globals.help);
    CHECK(parse({"-h"}).globals.help);
    CHECK(parse({"migrate", "-h"}).globals.help);
}

TEST_CASE("changing commands get --dry-run, --yes and --confirm, others do not") {
    CHECK(parse({"migrate", "up", "--dry-run", "--yes", "--confirm", "x"}).invocation.has("--dry-run"));
    CHECK(error_of({"migrate", "new", "a", "--dry-run"}) != "");
}

TEST_CASE("the command line is kept as it would be typed again") {
    CHECK(parse({"migrate", "new", "it's new"}).invocation.command_line == "ysdb migrate new 'it'\\''s new'");
}

TEST_CASE("the format for errors is found in any line, even a wrong one") {
    CHECK(output_format_of({"nonsense", "--output", "json"}) == OutputFormat::json);
    CHECK(output_format_of({"--output=csv"}) == OutputFormat::csv);
    CHECK(output_format_of({"--output"}) == OutputFormat::text);
}

TEST_CASE("completion offers commands, flags, choices and stores") {
    const Words stores{"main", "analytics"};
    CHECK(complete(program, {""}, stores) == Words{"migrate"});
    CHECK(complete(program, {"migrate", "n"}, stores) == Words{"new"});
    CHECK(complete(program, {"migrate", "up", "--mo"}, stores) == Words{"--mode"});
    CHECK(complete(program, {"migrate", "up", "--mode", ""}, stores) == Words{"fast", "safe"});
    CHECK(complete(program, {"migrate", "up", "--mode", "=", "s"}, stores) == Words{"safe"});
    CHECK(complete(program, {"migrate", "up", "--mode", "="}, stores) == Words{"fast", "safe"});
    CHECK(complete(program, {"migrate", "up", "--mode=s"}, stores) == Words{"--mode=safe"});
    CHECK(complete(program, {"migrate", "up", "--on", "a"}, stores) == Words{"analytics"});
    CHECK(complete(program, {"--output", "json", "mi"}, stores) == Words{"migrate"});
    CHECK(complete(program, {"migrate", "up", "--to", ""}, stores).empty());
    CHECK(complete(program, {"nonsense", "x", ""}, stores).empty());
    CHECK(complete(program, {}, stores) == Words{"migrate"});
}

TEST_CASE("help shows usage, flags with their fallback and choices, and no hidden command") {
    const CommandLine line = parse({"migrate", "up"});
    const std::string text = help_text(line.path);
    CHECK(text.starts_with("ysdb migrate up - apply\n\nUsage: ysdb migrate up [flags]\n"));
    CHECK(text.find("how [fast, safe; default fast]") != std::string::npos);
    CHECK(help_text(parse({"migrate"}).path).find("secret") == std::string::npos);
    CHECK(man_page(program).find("secret") == std::string::npos);
}

TEST_CASE("the manual page survives dots, dashes and backslashes") {
    CommandSpec odd = program;
    odd.verbs[0].verbs[0].description = ".hidden request\nback\\slash --flag";
    const std::string page = man_page(odd);
    CHECK(page.find("\n\\&.hidden request\n") != std::string::npos);
    CHECK(page.find("back\\eslash \\-\\-flag") != std::string::npos);
}

TEST_CASE("generated blocks of a page are renewed, the rest stays") {
    const std::string page = "# x\n<!-- generated: exit codes -->\nstale text\n<!-- /generated -->\ntail\n";
    const std::string renewed = renew_blocks(page, "docs/x.md");
    CHECK(renewed.starts_with("# x\n<!-- generated: exit codes -->\n| exit code |"));
    CHECK(renewed.ends_with("<!-- /generated -->\ntail\n"));
    CHECK(renewed.find("stale text") == std::string::npos);
    CHECK(renew_blocks(renewed, "docs/x.md") == renewed);
    CHECK_THROWS_AS(renew_blocks("<!-- generated: nonsense -->\n<!-- /generated -->", "p"), Error);
    CHECK_THROWS_AS(renew_blocks("<!-- generated: settings -->\n", "p"), Error);
}

TEST_CASE("every command of ysdb has a summary, either verbs or a function, and flags in order") {
    const std::function<void(const CommandSpec&)> check = [&](const CommandSpec& command) {
        INFO(command.name);
        CHECK(!command.summary.empty());
        CHECK(command.verbs.empty() == static_cast<bool>(command.run));
        for (const FlagSpec& flag : flags_of(command)) {
            INFO(flag.name);
            CHECK(flag.name.starts_with("--"));
            CHECK(!flag.help.empty());
            CHECK(!flag.help.ends_with("."));
            CHECK((flag.choices.empty() || flag.fallback.empty() ||
                   std::count(flag.choices.begin(), flag.choices.end(), flag.fallback) == 1));
            for (const FlagSpec& global : global_flags()) CHECK(global.name != flag.name);
        }
        for (const CommandSpec& verb : command.verbs) check(verb);
    };
    check(program_spec());
}
