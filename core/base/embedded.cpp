#include "core/base/embedded.h"

#include <cstdint>
#include <string>

#include "core/base/error.h"

namespace {
struct Entry {
    const char* name;
    const char* data;
    std::uint64_t size;
};
}  // namespace

extern "C" const Entry ysdb_embedded_files[];
extern "C" const std::uint64_t ysdb_embedded_count;

namespace ysdb {

std::vector<EmbeddedFile> embedded_files(std::string_view prefix) {
    std::vector<EmbeddedFile> found;
    for (std::uint64_t i = 0; i < ysdb_embedded_count; ++i) {
        const Entry& e = ysdb_embedded_files[i];
        if (std::string_view(e.name).starts_with(prefix)) found.push_back({e.name, {e.data, e.size}});
    }
    return found;
}

std::string_view embedded_file(std::string_view path) {
    for (const EmbeddedFile& file : embedded_files(path)) {
        if (file.path == path) return file.content;
    }
    throw Error(Code::internal, "no embedded file '" + std::string(path) + "'");
}

}  // namespace ysdb
