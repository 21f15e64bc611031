// A row's version as stores keep it in text: 32 hexadecimal digits, epoch first, which compare as text as the numbers do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/value/batch.h"

namespace ysdb {

std::string version_text(const Version& version);
void append_version(std::string& out, const Version& version);
// Nothing unless it is exactly such a text, in lower case.
std::optional<Version> parse_version(std::string_view text);

}  // namespace ysdb
