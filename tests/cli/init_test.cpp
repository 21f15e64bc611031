#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/file.h"
#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using test::run_ysdb;
using test::TempDir;
namespace fs = std::filesystem;

TEST_CASE("each shipped schema gives a configuration without problems and its migrations") {
    for (const char* schema : {"empty", "yieldsensei", "solana"}) {
        const TempDir directory;
        const std::string place = directory.string() + "/new/project";
        REQUIRE(run_ysdb({"init", place, "--schema", schema}).exit_code == 0);
        const CommandResult check =
            run_ysdb({"config", "check", "--output", "csv"}, {{"XDG_CONFIG_HOME", directory.string()}}, place);
        INFO(schema << "\n" << check.out);
        CHECK(check.exit_code == 0);
        CHECK(check.out.find("\nproblem,") == std::string::npos);
        const bool migrations = !fs::is_empty(fs::path(place) / "migrations");
        CHECK(migrations == (std::string(schema) != "empty"));
    }
}

TEST_CASE("where no server answers, doctor says how to get some, and does not send people to doctor") {
    const TempDir directory;
    directory.write("ysdb.toml", "[stores.main]\nurl = \"postgres://app@127.0.0.1:1/app\"\n[stores.analytics]\nurl = \"clickhouse://127.0.0.1:1/app\"\n"
                                 "[stores.cache]\nurl = \"redis://127.0.0.1:1/0\"\n");
    const CommandResult result = run_ysdb({"doctor", "--timeout", "2s"}, {{"XDG_CONFIG_HOME", directory.string()}}, directory.string());
    CHECK(result.exit_code == 1);
    INFO(result.out);
    CHECK(result.out.find("next: ysdb lab up") != std::string::npos);
    CHECK(result.out.find("is the url right?\n") != std::string::npos);
    CHECK(result.out.find("ysdb doctor") == std::string::npos);
}

TEST_CASE("init never overwrites and then writes nothing at all") {
    const TempDir directory;
    directory.write("migrations/0001_tokens.sql", "mine");
    const CommandResult result = run_ysdb({"init", "--schema", "solana", "--yes"}, {}, directory.string());
    CHECK(result.exit_code == 7);
    CHECK(read_file(directory.path() / "migrations/0001_tokens.sql") == "mine");
    CHECK(!fs::exists(directory.path() / "ysdb.toml"));
}

TEST_CASE("init --dry-run lists the files and writes none") {
    const TempDir directory;
    const CommandResult result = run_ysdb({"init", "--schema", "solana", "--dry-run"}, {}, directory.string());
    CHECK(result.exit_code == 0);
    CHECK(result.out.find("migrations/0001_tokens.sql") != std::string::npos);
    CHECK(fs::is_empty(directory.path()));
}
