// Small text helpers that several rooms need.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ysdb {

std::string_view trim(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string lower(std::string_view text);  // ASCII only
std::string upper(std::string_view text);
bool valid_utf8(std::string_view text);
std::string base64(std::string_view bytes);

// The candidate nearest to `word` by edit distance, or nullopt when none is near enough to be worth suggesting.
std::optional<std::string> nearest_name(std::string_view word, std::span<const std::string> candidates);
// "; did you mean 'x'?" or "".
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace ysdb
