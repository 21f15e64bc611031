#include <doctest/doctest.h>

#include <filesystem>
#include <regex>
#include <set>

#include "core/base/file.h"

namespace {

std::set<std::string> all_matches(const std::string& text, const std::regex& pattern) {
    std::set<std::string> found;
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) found.insert((*it)[1]);
    return found;
}

}  // namespace

TEST_CASE("docs/faults.md lists every fault point of the source, and no other") {
    const std::filesystem::path root = YSDB_SOURCE_DIR;
    std::set<std::string> in_source;
    for (const char* folder : {"core", "cmd"}) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
            if (entry.path().extension() == ".cpp") in_source.merge(all_matches(ysdb::read_file(entry.path()), std::regex("fault::point\\(\"([^\"]+)\"\\)")));
        }
    }
    CHECK(in_source.size() > 10);
    const auto listed = all_matches(ysdb::read_file(root / "docs/faults.md"), std::regex("\\| `([a-z_.]+)` \\|"));
    for (const std::string& name : in_source) CHECK_MESSAGE(listed.count(name) == 1, "not listed: ", name);
    for (const std::string& name : listed) CHECK_MESSAGE(in_source.count(name) == 1, "no such point: ", name);
}
