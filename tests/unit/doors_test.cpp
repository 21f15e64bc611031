// The doors of the house, read from the includes: cmd -> core/<job> -> core/store/store.h.
#include <doctest/doctest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <vector>

#include "core/base/file.h"
#include "core/base/text.h"

namespace fs = std::filesystem;
using namespace ysdb;

namespace {

struct Source {
    std::string path;  // "core/store/open.cpp"
    bool header = false;
    std::string text;
    std::vector<std::string> includes;
};

std::vector<Source> sources_below(const std::string& folder) {
    static const std::regex include_line(R"re(^\s*#\s*include\s*[<"]([^>"]+)[>"])re");
    std::vector<Source> sources;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(YSDB_SOURCE_DIR) / folder)) {
        const std::string extension = entry.path().extension().string();
        if (extension != ".h" && extension != ".cpp") continue;
        Source source{fs::relative(entry.path(), YSDB_SOURCE_DIR).string(), extension == ".h", read_file(entry.path()), {}};
        for (const std::string& line : split(source.text, '\n')) {
            std::smatch match;
            if (std::regex_search(line, match, include_line)) source.includes.push_back(match[1]);
        }
        sources.push_back(std::move(source));
    }
    REQUIRE(sources.size() > 5);
    return sources;
}

// "path includes name" for every include that `bad` objects to.
template <class Bad>
std::string offenders(const std::vector<Source>& sources, Bad bad) {
    std::string found;
    for (const Source& source : sources) {
        for (const std::string& include : source.includes) {
            if (bad(source, include)) found += source.path + " includes " + include + "\n";
        }
    }
    return found;
}

bool vendor_header(const std::string& include) {
    for (const char* prefix : {"CLI/", "toml++/", "nlohmann/", "spdlog/", "pqxx/", "libpq", "hiredis", "librdkafka/", "curl/",
                               "microhttpd", "pg_query", "openssl/", "zstd", "xxhash", "sqlite3"}) {
        if (include.starts_with(prefix)) return true;
    }
    return false;
}

std::string without_comments_and_texts(const std::string& text) {
    static const std::regex noise(R"re(//[^\n]*|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')re");
    return std::regex_replace(text, noise, "");
}

}  // namespace

TEST_CASE("core knows neither the command line nor its parser") {
    CHECK(offenders(sources_below("core"), [](const Source&, const std::string& include) {
              return include.starts_with("cmd/") || include.starts_with("CLI/");
          }) == "");
}

TEST_CASE("the flag parser is included by cmd/cli.cpp alone") {
    CHECK(offenders(sources_below("cmd"), [](const Source& source, const std::string& include) {
              return include.starts_with("CLI/") && source.path != "cmd/cli.cpp";
          }) == "");
}

TEST_CASE("vendor headers stay out of our headers") {
    for (const char* folder : {"core", "cmd"}) {
        CHECK(offenders(sources_below(folder), [](const Source& source, const std::string& include) {
                  return source.header && vendor_header(include);
              }) == "");
    }
}

TEST_CASE("the slowest headers are each paid for in few places") {
    const std::set<std::string> allowed{"core/config/toml_file.cpp", "core/lab/pins.cpp"};
    CHECK(offenders(sources_below("core"), [&](const Source& source, const std::string& include) {
              return include.starts_with("toml++/") && !allowed.contains(source.path);
          }) == "");
}

TEST_CASE("a driver knows no job") {
    CHECK(offenders(sources_below("core/store"), [](const Source&, const std::string& include) {
              if (!include.starts_with("core/")) return false;
              for (const char* room : {"core/base/", "core/config/", "core/value/", "core/store/", "core/context.h"}) {
                  if (include.starts_with(room)) return false;
              }
              return true;
          }) == "");
}

TEST_CASE("the base and the values know nothing above them") {
    CHECK(offenders(sources_below("core/base"), [](const Source&, const std::string& include) {
              return include.starts_with("core/") && !include.starts_with("core/base/");
          }) == "");
    CHECK(offenders(sources_below("core/value"), [](const Source&, const std::string& include) {
              return include.starts_with("core/") && !include.starts_with("core/base/") && !include.starts_with("core/value/");
          }) == "");
    CHECK(offenders(sources_below("core/config"), [](const Source&, const std::string& include) {
              return include.starts_with("core/") && !include.starts_with("core/base/") && !include.starts_with("core/config/");
          }) == "");
}

TEST_CASE("core does not print, exit or read the environment") {
    // With reasons: a library that cannot be loaded has no caller to tell; a child inherits the environment; the engine's own
    // threads do not survive an ordinary exit.
    const std::set<std::string> allowed{"core/base/lazy_library.cpp: _exit(", "core/base/process.cpp: environ",
                                        "core/store/clickhouse/engine.cpp: _exit(",
                                        "core/store/clickhouse/engine.cpp: std::cout"};
    static const std::regex forbidden(
        R"re(std::c(?:out|err|log)\b|\bv?f?printf\s*\(|\bputs\s*\(|fmt::print\b|\bgetenv\s*\(|\benviron\b|\b(?:std::)?_?[eE]xit\s*\()re");
    std::string found;
    for (const Source& source : sources_below("core")) {
        const std::string code = without_comments_and_texts(source.text);
        for (std::sregex_iterator match(code.begin(), code.end(), forbidden), end; match != end; ++match) {
            const std::string use = source.path + ": " + match->str();
            if (!allowed.contains(use)) found += use + "\n";
        }
    }
    CHECK(found == "");
}
