// What a person gets who mistypes something.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using test::run_ysdb;
using test::TempDir;

namespace {

// In an empty directory, with no configuration of the machine's own in the way.
CommandResult run(const TempDir& directory, std::vector<std::string> arguments,
                  std::map<std::string, std::string> environment = {}) {
    environment["XDG_CONFIG_HOME"] = directory.string() + "/none";
    return run_ysdb(std::move(arguments), std::move(environment), directory.string());
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("an unknown command, verb or flag exits 2 with the nearest name on stderr and nothing on stdout") {
    const TempDir directory;
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
        {{"sttus"}, "did you mean 'status'?"},
        {{"config", "shwo"}, "did you mean 'show'?"},
        {{"status", "--qiet"}, "did you mean '--quiet'?"},
        {{"status", "--output", "jsno"}, "did you mean 'json'?"}};
    for (const auto& [arguments, suggestion] : cases) {
        const CommandResult result = run(directory, arguments);
        CHECK(result.exit_code == 2);
        CHECK(contains(result.err, suggestion));
        CHECK(contains(result.err, "\nhint: "));
        CHECK(result.out.empty());
    }
}

TEST_CASE("no command at all prints the help and exits 2; --help exits 0") {
    const TempDir directory;
    CHECK(run(directory, {}).exit_code == 2);
    CHECK(contains(run(directory, {}).out, "Usage: ysdb COMMAND"));
    CHECK(run(directory, {"config"}).exit_code == 2);
    CHECK(run(directory, {"--help"}).exit_code == 0);
    CHECK(run(directory, {"config", "show", "--help"}).out == run(directory, {"help", "config", "show"}).out);
    CHECK(run(directory, {"help", "confg"}).exit_code == 2);
}

TEST_CASE("--help and help need no configuration, not even a readable one") {
    const TempDir directory;
    directory.write("ysdb.toml", "this is not toml");
    CHECK(run(directory, {"status", "--help"}).exit_code == 0);
    CHECK(run(directory, {"help"}).exit_code == 0);
    CHECK(run(directory, {"status"}).exit_code == 3);
}

TEST_CASE("an unknown key exits 3 with file, line and the nearest name") {
    const TempDir directory;
    directory.write("ysdb.toml", "[stores.main]\nurl = \"postgres://127.0.0.1/x\"\npasword_file = \"x\"\n");
    const CommandResult result = run(directory, {"status"});
    CHECK(result.exit_code == 3);
    CHECK(contains(result.err, "ysdb: ysdb.toml:3: unknown key 'stores.main.pasword_file'; did you mean 'password_file'?"));
}

TEST_CASE("an unknown scheme exits 3 with the nearest one") {
    const TempDir directory;
    directory.write("ysdb.toml", "[stores.main]\nurl = \"postgress://127.0.0.1/x\"\n");
    for (const char* command : {"status", "config"}) {
        std::vector<std::string> arguments{command};
        if (arguments[0] == "config") arguments.push_back("check");
        const CommandResult result = run(directory, arguments);
        CHECK(result.exit_code == 3);
        CHECK(contains(result.out, "unknown scheme 'postgress'; did you mean 'postgres'?"));
    }
}

TEST_CASE("a configuration with several mistakes names one and says how to see all") {
    const TempDir directory;
    directory.write("ysdb.toml", "[a]\nx = 1\n[b]\nx = 1\n");
    CHECK(contains(run(directory, {"status"}).err, "1 more: ysdb config check"));
    const CommandResult check = run(directory, {"config", "check", "--output", "json"});
    CHECK(check.exit_code == 3);
    const auto json = nlohmann::json::parse(check.out);
    int failed = 0;
    for (const auto& item : json["checks"]) failed += item["state"] == "fail";
    CHECK(failed == 2);
}

TEST_CASE("no store at all exits 3 and says how to begin") {
    const CommandResult result = run(TempDir(), {"status"});
    CHECK(result.exit_code == 3);
    CHECK(contains(result.err, "hint: write a configuration with: ysdb init"));
}

TEST_CASE("with --output json an error is an object on stdout, wherever the flag stands") {
    const TempDir directory;
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"--output", "json", "nonsense"}, {"status", "--nonsense", "--output=json"}}) {
        const CommandResult result = run(directory, arguments);
        CHECK(result.exit_code == 2);
        const auto json = nlohmann::json::parse(result.out);
        CHECK(json["schema"] == 1);
        CHECK(json["error"]["code"] == "usage");
        CHECK(json["error"]["exit_code"] == 2);
        CHECK(contains(json["error"]["message"], "unknown"));
        CHECK(!json["error"]["hint"].get<std::string>().empty());
        CHECK(contains(result.err, "ysdb: "));
    }
}

TEST_CASE("global flags work in any place") {
    const TempDir directory;
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"--timeout", "7s", "config", "show", "--output", "csv"},
          {"config", "--output", "csv", "show", "--timeout=7s"},
          {"config", "show", "--output=csv", "--timeout", "7s"}}) {
        const CommandResult result = run(directory, arguments);
        CHECK(result.exit_code == 0);
        CHECK(contains(result.out, "run.timeout,7s,--timeout\n"));
    }
}

TEST_CASE("the whole tree is there for programs") {
    const auto json = nlohmann::json::parse(run(TempDir(), {"help", "--output", "json"}).out);
    CHECK(json["schema"] == 1);
    bool found = false;
    for (const auto& command : json["commands"]) found = found || command["command"] == "ysdb config show";
    CHECK(found);
    CHECK(json["flags"].size() > 8);
    CHECK(json["exit_codes"].size() == 12);
}

TEST_CASE("--config names the one file to read") {
    const TempDir directory;
    directory.write("ysdb.toml", "broken");
    directory.write("good.toml", "[migrate]\ndir = \"elsewhere\"\n");
    const CommandResult result = run(directory, {"--config", "good.toml", "config", "show", "--output", "csv"});
    CHECK(result.exit_code == 0);
    CHECK(contains(result.out, "migrate.dir,elsewhere,good.toml:2\n"));
    CHECK(run(directory, {"config", "show", "--config", "absent.toml"}).exit_code == 0);
    CHECK(run(directory, {"status", "--config", "absent.toml"}).exit_code == 3);
}

TEST_CASE("unknown variables warn on stderr and change nothing") {
    const CommandResult result = run(TempDir(), {"config", "show"}, {{"YSDB_RUN_TIMEOT", "1s"}});
    CHECK(result.exit_code == 0);
    CHECK(contains(result.err, "did you mean 'YSDB_RUN_TIMEOUT'?"));
    CHECK(!contains(result.out, "TIMEOT"));
}

TEST_CASE("a mistyped duration is a usage error") {
    const CommandResult result = run(TempDir(), {"config", "show", "--timeout", "5x"});
    CHECK(result.exit_code == 2);
    CHECK(contains(result.err, "--timeout: '5x' is not a duration"));
}

TEST_CASE("a result that cannot be written is an error, not silence") {
    SpawnOptions options;
    options.argv = {"bash", "-c", std::string(YSDB_BINARY) + " help > /dev/full"};
    const CommandResult result = run_command(options, Deadline::after(Millis(30'000)));
    CHECK(result.exit_code == 70);
    CHECK(contains(result.err, "cannot write the result: No space left on device"));
}

TEST_CASE("a command that changes nothing says so when it is asked for a dry run") {
    const CommandResult result = run_ysdb({"migrate", "plan", "--dry-run"});
    CHECK(result.exit_code == 2);
    CHECK(result.err.find("it changes nothing: leave --dry-run out") != std::string::npos);
}
