// needs: main analytics
// What a newcomer runs first: the commands of `./bootstrap demo` and of the README's "By hand", word for word, but for the lab, and with fewer rows.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "core/base/file.h"
#include "core/base/text.h"
#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using namespace ysdb::test;
namespace fs = std::filesystem;

namespace {

// The arguments of each line that calls ysdb, as `form` finds them.
std::vector<std::vector<std::string>> calls(const std::string& text, const std::regex& form) {
    std::vector<std::vector<std::string>> found;
    for (const std::string& line : split(text, '\n')) {
        std::smatch match;
        if (!std::regex_match(line, match, form)) continue;
        std::vector<std::string> words;
        for (const std::string& word : split(match[1].str(), ' ')) {
            if (word.starts_with("#")) break;
            if (!word.empty()) words.push_back(word);
        }
        if (words.front() != "lab" || words.at(1) == "load") found.push_back(std::move(words));
    }
    return found;
}

void run_all(const std::vector<std::vector<std::string>>& commands) {
    const TestDatabase main;
    const TestClickHouse analytics;
    const TempDir directory;
    for (std::vector<std::string> words : commands) {
        const auto rows = std::find(words.begin(), words.end(), "--rows");
        if (rows != words.end()) {
            *(rows + 1) = "3000";
            words.insert(words.end(), {"--token-list", "none"});
        }
        if (words.front() == "status") words = {"status", "main", "analytics"};   // no Redis of its own here
        if (words.front() != "status" && words.front() != "validate" && words.front() != "init" && std::find(words.begin(), words.end(), "--yes") == words.end()) words.push_back("--yes");
        const CommandResult result = run_ysdb(words, {{"YSDB_STORES_MAIN_URL", main.config().url}, {"YSDB_STORES_ANALYTICS_URL", analytics.config().url}}, directory.string());
        CAPTURE(join(words, " "));
        CAPTURE(result.out);
        CAPTURE(result.err);
        REQUIRE(result.exit_code == 0);
    }
}

}  // namespace

TEST_CASE("the commands of the demo, and of the README, end well") {
    const fs::path source = YSDB_SOURCE_DIR;
    const std::string bootstrap = read_file(source / "bootstrap");
    const auto demo = calls(bootstrap.substr(bootstrap.find("\ndemo() {")), std::regex(R"RE(.*run "\$ysdb" (.*))RE"));
    REQUIRE(demo.size() >= 6);
    run_all(std::vector(demo.begin(), std::find_if(demo.begin(), demo.end(), [](const auto& words) { return words.front() == "status"; }) + 1));

    const std::string readme = read_file(source / "README.md");
    const auto by_hand = calls(readme.substr(readme.find("## By hand"), 900), std::regex("ysdb (.*)"));
    REQUIRE(by_hand.size() >= 5);
    run_all(by_hand);
}
