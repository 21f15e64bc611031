// Live tests: real servers, named by the file in YSDB_TEST_STORES (what `ysdb lab env --output json` prints).
// `--needs a,b` exits 77 with a reason when one of these stores is not in that file, `--programs a,b` when one of these programs is
// not on PATH, `--fetched a,b` when `ysdb lab fetch` has not brought one of these: ctest shows the test as skipped.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <signal.h>

#include <cstdio>
#include <string>
#include <vector>

#include "cmd/lab_places.h"
#include "core/base/text.h"
#include "core/lab/pins.h"
#include "tests/live/support.h"

namespace {

// Why `name` cannot be had, or "".
std::string missing(const std::string& tag, const std::string& name) {
    if (tag == "--needs") return ysdb::test::missing_store(name);
    if (tag == "--programs") return ysdb::find_program(name, {"/usr/sbin"}) ? "" : "not on PATH";
    return ysdb::lab::find_fetched(name, ysdb::default_cache_dir()) ? "" : "try: ysdb lab fetch " + name;
}

}  // namespace

int main(int argc, char** argv) {
    signal(SIGPIPE, SIG_IGN);  // as the program does
    std::vector<char*> rest{argv[0]};
    for (int i = 1; i < argc; ++i) {
        const std::string tag = argv[i];
        if ((tag != "--needs" && tag != "--programs" && tag != "--fetched") || i + 1 == argc) {
            rest.push_back(argv[i]);
            continue;
        }
        for (const std::string& name : ysdb::split(argv[++i], ',')) {
            if (const std::string reason = missing(tag, name); !reason.empty()) {
                std::printf("SKIPPED: needs '%s' (%s): %s\n", name.c_str(), tag.c_str() + 2, reason.c_str());
                return 77;
            }
        }
    }
    doctest::Context context(static_cast<int>(rest.size()), rest.data());
    context.setOption("no-intro", true);
    return context.run();
}
