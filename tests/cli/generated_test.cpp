// completions/, man/ and the generated blocks of docs/ are those of the binary.
#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/file.h"
#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using test::run_ysdb;
using test::TempDir;
namespace fs = std::filesystem;

TEST_CASE("what the binary generates is what is committed (renew it with: cmake --build --preset dev --target generated)") {
    const TempDir directory;
    const fs::path source(YSDB_SOURCE_DIR);
    fs::copy(source / "docs", directory.path() / "docs", fs::copy_options::recursive);
    const CommandResult result = run_ysdb({"__generate", directory.string()});
    REQUIRE(result.exit_code == 0);
    int compared = 0;
    for (const auto& entry : fs::recursive_directory_iterator(directory.path())) {
        if (!entry.is_regular_file()) continue;
        const fs::path name = fs::relative(entry.path(), directory.path());
        INFO(name.string());
        REQUIRE(fs::exists(source / name));
        CHECK((read_file(entry.path()) == read_file(source / name)));
        ++compared;
    }
    CHECK(compared >= 6);
}

TEST_CASE("the commands print the committed files") {
    const fs::path source(YSDB_SOURCE_DIR);
    CHECK(run_ysdb({"man"}).out == read_file(source / "man/ysdb.1"));
    CHECK(run_ysdb({"completion", "bash"}).out == read_file(source / "completions/ysdb.bash"));
    CHECK(run_ysdb({"completion", "zsh"}).out == read_file(source / "completions/_ysdb"));
    CHECK(run_ysdb({"completion", "fish"}).out == read_file(source / "completions/ysdb.fish"));
}
