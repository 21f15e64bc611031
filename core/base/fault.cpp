#include "core/base/fault.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "core/base/error.h"

namespace ysdb::fault {

namespace {
std::atomic<bool> armed{false};
std::string armed_name;
std::atomic<long> passes_left{0};
}  // namespace

void arm(std::string_view spec) {
    armed.store(false);
    if (spec.empty()) return;
    const auto colon = spec.rfind(':');
    armed_name = spec.substr(0, colon);
    long count = 1;
    if (colon != std::string_view::npos) {
        try {
            count = std::stol(std::string(spec.substr(colon + 1)));
        } catch (const std::exception&) {
            count = 0;
        }
        if (count < 1) throw Error(Code::usage, "YSDB_FAULT: '" + std::string(spec) + "' is not a fault point", "write it like name or name:3");
    }
    passes_left.store(count);
    armed.store(true);
}

void point(std::string_view name) {
    if (!armed.load(std::memory_order_relaxed) || name != armed_name) return;
    if (passes_left.fetch_sub(1) == 1) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

}  // namespace ysdb::fault
