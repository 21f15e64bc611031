// Files that people copy: each of their `ysdb` lines is one that the program takes.
#include <doctest/doctest.h>

#include <filesystem>
#include <regex>

#include "core/base/file.h"
#include "core/base/text.h"
#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
namespace fs = std::filesystem;

namespace {

const fs::path source = YSDB_SOURCE_DIR;

// Lines that begin with ysdb, as a shell, a workflow or a unit has them; of a page only those in blocks of code.
std::vector<std::string> command_lines(const std::string& text, bool page) {
    static const std::regex form(R"(^\s*(?:- )?(?:run: )?(ysdb .*)$|^ExecStart=\S*/(ysdb .*)$)");
    std::vector<std::string> lines;
    bool code = !page;
    for (const std::string& line : split(text, '\n')) {
        std::smatch match;
        if (page && line.starts_with("```")) code = !code;
        if (code && std::regex_match(line, match, form)) lines.push_back(match[1].matched ? match[1].str() : match[2].str());
    }
    return lines;
}

// The words that a shell gives to each `ysdb` of the line.
std::vector<std::vector<std::string>> invocations(const std::string& line, const std::string& directory) {
    SpawnOptions options;
    options.argv = {"bash", "-c", "ysdb() { printf '%s\\n' \"$@\" >&3; printf '\\f\\n' >&3; }; " + line, "bash"};
    options.argv[2] = "exec 3>words; " + options.argv[2];
    options.cwd = directory;
    run_command(options, Deadline::after(Millis(20'000)));
    std::vector<std::vector<std::string>> all(1);
    for (const std::string& word : split(read_file(fs::path(directory) / "words"), '\n')) {
        if (word == "\f") all.emplace_back();
        else if (!word.empty()) all.back().push_back(word);
    }
    all.pop_back();
    return all;
}

// What of the text's lines the program does not take; and how many it was asked for.
std::vector<std::string> not_taken(const std::string& text, int& count, bool page = false) {
    const test::TempDir directory;
    std::vector<std::string> bad;
    for (const std::string& line : command_lines(text, page)) {
        if (line.find(" ...") != std::string::npos) continue;
        for (std::vector<std::string>& words : invocations(line, directory.string())) {
            ++count;
            words.push_back("--help");  // flags are looked at, and nothing is run
            if (test::run_ysdb(words, {{"XDG_CONFIG_HOME", directory.string()}}, directory.string()).exit_code != 0) bad.push_back(line);
        }
    }
    return bad;
}

}  // namespace

TEST_CASE("every ysdb line of the files to copy, and of the pages about migrations, has flags that exist") {
    for (const char* file : {"docs/ci/github-actions.yml", "docs/ci/gitlab-ci.yml", "templates/systemd/ysdb-migrate.service.in", "templates/systemd/ysdb-sync@.service.in", "docs/sync.md", "docs/ci.md", "docs/migrate.md", "docs/lint.md", "docs/expand-contract.md", "README.md"}) {
        CAPTURE(file);
        int count = 0;
        const std::vector<std::string> bad = not_taken(read_file(source / file), count, std::string(file).ends_with(".md"));
        CHECK_MESSAGE(bad.empty(), join(bad, "\n"));
        if (std::string(file) != "docs/ci.md") CHECK(count > 0);
    }
    int count = 0;
    CHECK(not_taken("      - run: ysdb migrate up --yse\n- ysdb migrate status && ysdb migrate lnt > x\n  ExecStart=/usr/bin/ysdb migrate wat\nExecStart=/usr/bin/ysdb migrate wat\n", count).size() == 3);
    CHECK(count == 4);
}

TEST_CASE("systemd takes the unit") {
    SpawnOptions which;
    which.argv = {"sh", "-c", "command -v systemd-analyze"};
    if (run_command(which, Deadline::after(Millis(20'000))).exit_code != 0) {
        MESSAGE("systemd-analyze is missing");
        return;
    }
    const test::TempDir directory;
    for (const std::string name : {"ysdb-migrate.service", "ysdb-sync@.service"}) {
        CAPTURE(name);
        std::string unit = read_file(source / ("templates/systemd/" + name + ".in"));
        const std::string place = "@CMAKE_INSTALL_FULL_BINDIR@/ysdb";
        REQUIRE(unit.find(place) != std::string::npos);
        unit.replace(unit.find(place), place.size(), YSDB_BINARY);
        // The lines that are commented out are for people: they have to be right too.
        for (const char* line : {"#LoadCredential", "#Environment"}) {
            REQUIRE(unit.find(line) != std::string::npos);
            unit.erase(unit.find(line), 1);
        }
        const std::string file = (directory.path() / name).string();
        write_file_atomically(file, unit);
        SpawnOptions verify;
        verify.argv = {"systemd-analyze", "verify", "--man=no", file};
        const CommandResult result = run_command(verify, Deadline::after(Millis(60'000)));
        CHECK_MESSAGE(result.exit_code == 0, result.err);
        // Of this unit it has nothing to say; about others of the machine it may.
        CHECK_MESSAGE(result.err.find(name) == std::string::npos, result.err);
    }
}
