// What changed between two lists of statement hashes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ysdb::migrate {

struct Edit {
    enum class Kind { changed, added, removed, moved } kind = Kind::changed;
    std::size_t before = 0;    // index in the old list; of `added`: none
    std::size_t now = 0;       // index in the new one; of `removed`: none
};

// Shortest first difference onwards (longest common subsequence); a statement removed in one place and added in another has moved, and one
// removed where another was added has changed. In the order of the file.
std::vector<Edit> edits_between(const std::vector<std::string>& before, const std::vector<std::string>& now);

}  // namespace ysdb::migrate
