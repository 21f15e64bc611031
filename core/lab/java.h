// Servers that run on Java.
#pragma once

#include <string>
#include <vector>

namespace ysdb::lab {

// Full path of java. Throws Error(refused) with the package to install; `server` is who needs it.
std::string find_java(const std::string& server);
// java with settings for a small heap and a quick start.
std::vector<std::string> java_command(const std::string& java, const std::string& class_path, const std::string& temporary_dir, int heap_mib);

}  // namespace ysdb::lab
