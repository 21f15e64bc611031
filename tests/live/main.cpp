// Live tests: real servers, named by the file in YSDB_TEST_STORES (what `ysdb lab env --output json` prints).
// `--needs a,b` exits 77 with a reason when one of these stores is not in that file, `--programs a,b` when one of these programs is
// not on PATH: ctest shows the test as skipped.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <signal.h>

#include <cstdio>
#include <string>
#include <vector>

#include "core/base/text.h"
#include "tests/live/support.h"

int main(int argc, char** argv) {
    signal(SIGPIPE, SIG_IGN);  // as the program does
    std::vector<char*> rest{argv[0]};
    for (int i = 1; i < argc; ++i) {
        if (std::string_view(argv[i]) == "--needs" && i + 1 < argc) {
            for (const std::string& store : ysdb::split(argv[++i], ',')) {
                if (const std::string reason = ysdb::test::missing_store(store); !reason.empty()) {
                    std::printf("SKIPPED: needs the store '%s': %s\n", store.c_str(), reason.c_str());
                    return 77;
                }
            }
        } else if (std::string_view(argv[i]) == "--programs" && i + 1 < argc) {
            for (const std::string& program : ysdb::split(argv[++i], ',')) {
                if (!ysdb::find_program(program)) {
                    std::printf("SKIPPED: needs the program '%s', which is not on PATH\n", program.c_str());
                    return 77;
                }
            }
        } else {
            rest.push_back(argv[i]);
        }
    }
    doctest::Context context(static_cast<int>(rest.size()), rest.data());
    context.setOption("no-intro", true);
    return context.run();
}
