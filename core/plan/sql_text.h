#pragma once

#include <optional>
#include <string>
#include <vector>

namespace ysdb::plan {

// A statement with its values.
struct SqlText {
    std::string sql;
    std::vector<std::optional<std::string>> params;
};

}  // namespace ysdb::plan
