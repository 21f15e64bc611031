// The one table of exit codes: number, name in JSON, meaning.
#pragma once

#include <span>
#include <string_view>

#include "core/base/error.h"

namespace ysdb {

struct CodeInfo {
    Code code;
    std::string_view name;      // "connect"
    std::string_view meaning;   // "cannot connect or log in"
};

std::span<const CodeInfo> code_table();
std::string_view code_name(Code code);

}  // namespace ysdb
