// The configuration files below templates/lab: text with ${name} places.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace ysdb::lab {

// Replaces every ${name}. Throws Error(internal) for a name without a value: a template and its user have drifted apart.
std::string render(std::string_view text, const std::map<std::string, std::string>& values);
// Renders templates/lab/<name> into `target`, atomically.
void render_file(const std::string& name, const std::map<std::string, std::string>& values, const std::filesystem::path& target,
                 unsigned mode = 0644);

}  // namespace ysdb::lab
