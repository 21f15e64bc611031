// programs: cmake
// The ways onto a machine: `cmake --install`, and what ./bootstrap says where it can not go on.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
namespace fs = std::filesystem;

namespace {

CommandResult run(std::vector<std::string> argv, std::map<std::string, std::string> environment = {}, const std::string& cwd = {}) {
    SpawnOptions options;
    options.argv = std::move(argv);
    options.env = std::move(environment);
    options.cwd = cwd;
    return run_command(options, Deadline::after(Millis(60'000)));
}

const std::string bootstrap = std::string(YSDB_SOURCE_DIR) + "/bootstrap";

}  // namespace

TEST_CASE("cmake --install brings the program, its manual and its completions, and the program runs from there") {
    const test::TempDir dir;
    const fs::path build = fs::path(YSDB_BINARY).parent_path().parent_path();
    const CommandResult installed = run({"cmake", "--install", build.string(), "--prefix", dir.string()});
    REQUIRE_MESSAGE(installed.exit_code == 0, installed.err);
    for (const char* file : {"share/man/man1/ysdb.1", "share/bash-completion/completions/ysdb", "share/zsh/vendor-completions/_ysdb", "share/fish/vendor_completions.d/ysdb.fish", "lib/systemd/system/ysdb-migrate.service", "lib/systemd/system/ysdb-sync@.service"}) {
        CHECK_MESSAGE(fs::exists(dir.path() / file), file);
    }
    const CommandResult version = run({(dir.path() / "bin/ysdb").string(), "--version"});
    CHECK(version.exit_code == 0);
    CHECK(version.out.starts_with("ysdb "));
    // What it carries with it: the shipped schemas.
    CHECK(run({(dir.path() / "bin/ysdb").string(), "init", (dir.path() / "project").string(), "--schema", "yieldsensei"}).exit_code == 0);
}

TEST_CASE("bootstrap without apt-get lists what to install, in one message") {
    const test::TempDir dir;
    for (const char* tool : {"bash", "dirname", "readlink", "cat", "fmt"}) {
        for (const char* place : {"/usr/bin", "/bin"}) {
            if (fs::exists(fs::path(place) / tool) && !fs::exists(dir.path() / tool)) fs::create_symlink(fs::path(place) / tool, dir.path() / tool);
        }
    }
    const CommandResult result = run({(dir.path() / "bash").string(), bootstrap, "build"}, {{"PATH", dir.string()}}, "/");
    CHECK(result.exit_code == 7);
    CHECK(result.err.find("no apt-get") != std::string::npos);
    for (const char* package : {"cmake", "libpq-dev", "librdkafka-dev", "postgresql", "redis-server"}) CHECK_MESSAGE(result.err.find(package) != std::string::npos, package);
}

TEST_CASE("bootstrap refuses a verb it does not know and shows those it does, from any directory") {
    const CommandResult unknown = run({bootstrap, "tset"}, {}, "/");
    CHECK(unknown.exit_code == 2);
    CHECK(unknown.err.find("unknown verb 'tset'") != std::string::npos);
    CHECK(unknown.err.find("./bootstrap test") != std::string::npos);
    const CommandResult help = run({bootstrap}, {}, "/");
    CHECK(help.exit_code == 0);
    CHECK(help.out.find("./bootstrap demo") != std::string::npos);
}
