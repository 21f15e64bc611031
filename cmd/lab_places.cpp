#include "cmd/lab_places.h"

#include <unistd.h>

#include <filesystem>

#include "cmd/console.h"
#include "core/base/error.h"

namespace ysdb {

std::string default_lab_dir() { return ".ysdb-lab"; }

std::string default_cache_dir() {
    const Environment environment = read_environment();
    const auto value = [&](const char* name) {
        const auto found = environment.find(name);
        return found == environment.end() ? std::string() : found->second;
    };
    if (const std::string cache = value("XDG_CACHE_HOME"); !cache.empty()) return cache + "/ysdb";
    if (geteuid() == 0) return "/var/cache/ysdb";
    if (const std::string home = value("HOME"); !home.empty()) return home + "/.cache/ysdb";
    throw Error(Code::usage, "neither XDG_CACHE_HOME nor HOME is set", "name a place for downloads: --cache DIR");
}

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

}  // namespace ysdb
