// The bash stub in a real bash, asking the real binary.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using test::TempDir;

namespace {

// What bash offers for the words typed so far.
std::string offered(const TempDir& directory, const std::string& words, int count) {
    SpawnOptions options;
    const std::string binary_dir = std::filesystem::path(YSDB_BINARY).parent_path().string();
    options.argv = {"bash", "-c",
                    "PATH=" + binary_dir + ":$PATH; source " YSDB_SOURCE_DIR "/completions/ysdb.bash; COMP_WORDS=(ysdb " + words +
                        "); COMP_CWORD=" + std::to_string(count) + "; _ysdb; echo \"${COMPREPLY[*]}\""};
    options.cwd = directory.string();
    options.env = {{"XDG_CONFIG_HOME", directory.string() + "/none"}};
    return run_command(options, Deadline::after(Millis(30'000))).out;
}

}  // namespace

TEST_CASE("bash completes commands, flags, choices and nothing where a file is expected") {
    const TempDir directory;
    CHECK(offered(directory, "stat", 1) == "status\n");
    CHECK(offered(directory, "config sh", 2) == "show\n");
    CHECK(offered(directory, "status --output js", 3) == "json\n");
    CHECK(offered(directory, "status --output = js", 4) == "json\n");
    CHECK(offered(directory, "status --verb", 2) == "--verbose\n");
    CHECK(offered(directory, "status --config ''", 3) == "\n");
}

TEST_CASE("completion works beside a broken configuration") {
    const TempDir directory;
    directory.write("ysdb.toml", "broken");
    CHECK(offered(directory, "stat", 1) == "status\n");
}
