#include "core/lab/java.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/process.h"

namespace ysdb::lab {

std::string find_java(const std::string& server) {
    if (const auto java = find_program("java")) return *java;
    throw Error(Code::refused, fmt::format("{} needs Java 17 or later, and there is no java on this machine", server), "apt-get install default-jre-headless");
}

std::vector<std::string> java_command(const std::string& java, const std::string& class_path, const std::string& temporary_dir, int heap_mib) {
    return {java, "-Xms32m", fmt::format("-Xmx{}m", heap_mib), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
            "-Djava.io.tmpdir=" + temporary_dir, "-cp", class_path};
}

}  // namespace ysdb::lab
