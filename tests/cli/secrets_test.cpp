// A password never comes back, whatever is asked and whatever goes wrong.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using test::run_ysdb;
using test::TempDir;

namespace {
constexpr const char* secret = "hunter2";
}

TEST_CASE("a password is in no output of any command, in no format") {
    const TempDir directory;
    directory.write("pw", "hunter2-file\n");
    // Nothing listens on port 1: every probe fails and says so.
    directory.write("ysdb.toml",
                    "[stores.a]\nurl = \"postgres://app:hunter2@127.0.0.1:1/x?password=hunter2\"\n"
                    "[stores.b]\nurl = \"redis://:hunter2@127.0.0.1:1/0\"\n"
                    "[stores.c]\nurl = \"clickhouse://u@127.0.0.1:1/x\"\npassword_file = \"pw\"\n"
                    "[stores.d]\nurl = \"nonsense://u:hunter2@127.0.0.1:1/x\"\n"
                    "[stores.e]\nurl = \"postgres://app:hun/ter2@127.0.0.1:1/x\"\n");
    const std::map<std::string, std::string> environment{{"YSDB_STORES_A_PASSWORD", "hunter2-env"},
                                                         {"XDG_CONFIG_HOME", directory.string() + "/none"}};
    for (const std::vector<std::string>& command : {std::vector<std::string>{"config", "show"},
                                                    {"config", "check"},
                                                    {"status"},
                                                    {"doctor"},
                                                    {"__complete", "--", "status", ""}}) {
        for (const char* format : {"text", "json", "csv", "html"}) {
            std::vector<std::string> arguments = command;
            arguments.insert(arguments.begin(), {"--output", format, "--verbose", "--timeout", "2s"});
            const CommandResult result = run_ysdb(arguments, environment, directory.string());
            INFO(command[0] << " " << format << "\n" << result.out << result.err);
            CHECK(result.exit_code != 70);
            CHECK((result.out + result.err).find(secret) == std::string::npos);
            CHECK((result.out + result.err).find("ter2") == std::string::npos);
        }
    }
}

TEST_CASE("status redacts stores it can and cannot open") {
    const TempDir directory;
    directory.write(
        "ysdb.toml",
        "[stores.a]\nurl = \"postgres://app:hunter2@127.0.0.1:1/x\"\n[stores.b]\nurl = \"redis://:hunter2@127.0.0.1:1/0\"\n");
    const CommandResult result =
        run_ysdb({"status", "--timeout", "2s"}, {{"XDG_CONFIG_HOME", directory.string() + "/none"}}, directory.string());
    CHECK(result.exit_code == 4);
    CHECK(result.out.find("127.0.0.1:1") != std::string::npos);
    CHECK((result.out + result.err).find(secret) == std::string::npos);
}

TEST_CASE("doctor warns when a file with a password is readable by everyone") {
    const TempDir directory;
    directory.write("pw", "x\n");
    directory.write("ysdb.toml", "[stores.a]\nurl = \"postgres://app@127.0.0.1:1/x\"\npassword_file = \"pw\"\n");
    const auto doctor = [&] {
        return run_ysdb({"doctor", "--timeout", "2s"}, {{"XDG_CONFIG_HOME", directory.string() + "/none"}}, directory.string())
            .out;
    };
    std::filesystem::permissions(directory.path() / "pw", std::filesystem::perms(0644));
    CHECK(doctor().find("pw is readable by everyone") != std::string::npos);
    std::filesystem::permissions(directory.path() / "pw", std::filesystem::perms(0600));
    CHECK(doctor().find("readable by everyone") == std::string::npos);
}
