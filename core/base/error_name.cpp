#include "core/base/error_name.h"

#include <array>

namespace ysdb {

namespace {
constexpr std::array<CodeInfo, 12> codes{{{Code::ok, "ok", "done"},
                                          {Code::differences, "differences", "ran, and found differences or a failed check"},
                                          {Code::usage, "usage", "the command line is wrong"},
                                          {Code::config, "config", "the configuration is wrong"},
                                          {Code::connect, "connect", "cannot connect or log in"},
                                          {Code::rejected, "rejected", "the server refused the statement"},
                                          {Code::locked, "locked", "another run holds the lock"},
                                          {Code::refused, "refused", "not confirmed, or a precondition does not hold"},
                                          {Code::partial, "partial", "partly done, resumable"},
                                          {Code::internal, "internal", "a defect in ysdb"},
                                          {Code::interrupted, "interrupted", "stopped by SIGINT"},
                                          {Code::terminated, "terminated", "stopped by SIGTERM"}}};
}  // namespace

std::span<const CodeInfo> code_table() { return codes; }

std::string_view code_name(Code code) {
    for (const CodeInfo& info : codes) {
        if (info.code == code) return info.name;
    }
    return "internal";
}

}  // namespace ysdb
