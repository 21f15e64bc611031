// The files below sql/ and templates/, compiled into the program.
#pragma once

#include <string_view>
#include <vector>

namespace ysdb {

struct EmbeddedFile {
    std::string_view path;     // "sql/yieldsensei/main/0001_types.sql"
    std::string_view content;  // lives as long as the program
};

// Sorted by path. `prefix` selects a folder: "sql/yieldsensei/".
std::vector<EmbeddedFile> embedded_files(std::string_view prefix);
// Throws Error(internal) when there is no such file.
std::string_view embedded_file(std::string_view path);

}  // namespace ysdb
