// Files of the repository that come from the commands and settings: completions/, man/, and marked blocks in docs/.
#pragma once

#include <string>
#include <vector>

namespace ysdb {

struct GeneratedFile {
    std::string path;      // relative to the repository
    std::string content;
};

std::vector<GeneratedFile> completion_files();

// The page with its marked blocks renewed. A block is
//   <!-- generated: ysdb help migrate up -->  (or "settings", "exit codes")
//   ...
//   <!-- /generated -->
// Throws Error(config) naming `path` for a block it does not know or that has no end.
std::string renew_blocks(const std::string& page, const std::string& path);

}  // namespace ysdb
