#include <doctest/doctest.h>

#include "core/base/text.h"
#include "core/migrate/edits.h"

using namespace ysdb;
using namespace ysdb::migrate;

namespace {

// "~2" changed, "+2" added, "-2" removed, "1>3" moved; counted from 1.
std::string between(const std::string& before, const std::string& now) {
    std::string text;
    const auto list = [](const std::string& words) { return words.empty() ? std::vector<std::string>{} : split(words, ' '); };
    for (const Edit& edit : edits_between(list(before), list(now))) {
        text += text.empty() ? "" : " ";
        switch (edit.kind) {
            case Edit::Kind::changed: text += "~" + std::to_string(edit.now + 1); break;
            case Edit::Kind::added: text += "+" + std::to_string(edit.now + 1); break;
            case Edit::Kind::removed: text += "-" + std::to_string(edit.before + 1); break;
            case Edit::Kind::moved: text += std::to_string(edit.before + 1) + ">" + std::to_string(edit.now + 1); break;
        }
    }
    return text;
}

}  // namespace

TEST_CASE("an edit of a file is told as the statements that changed") {
    CHECK(between("a b c", "a b c").empty());
    CHECK(between("a b c", "a x c") == "~2");
    CHECK(between("a b c", "a b c d") == "+4");
    CHECK(between("a b c", "x a b c") == "+1");
    CHECK(between("a b c", "a c") == "-2");
    CHECK(between("a b c d", "a d") == "-2 -3");
    CHECK(between("a b c", "b c a") == "1>3");
    CHECK(between("a b c d", "a x c y z") == "~2 ~4 +5");
    CHECK(between("a", "") == "-1");
    CHECK(between("", "a") == "+1");
}

TEST_CASE("files of thousands of statements that have nothing in common are no burden") {
    std::vector<std::string> before, now;
    for (int i = 0; i < 5'000; ++i) {
        before.push_back("b" + std::to_string(i));
        now.push_back("n" + std::to_string(i));
    }
    CHECK(edits_between(before, now).size() == 5'000);
}
