// A position in PostgreSQL's log as PostgreSQL writes it: "16/B374D848".
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>

namespace ysdb {

inline std::string lsn_text(std::uint64_t position) { return fmt::format("{:X}/{:X}", position >> 32, position & 0xffffffff); }

}  // namespace ysdb
