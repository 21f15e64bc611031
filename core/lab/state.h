// lab.json: the record of a lab. Written atomically before and after every step, so that a killed ysdb leaves nothing unaccounted.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/lab/site.h"

namespace ysdb::lab {

struct State {
    std::string id;                          // 16 hex digits
    std::map<std::string, Server> servers;   // by name
};

std::filesystem::path state_file(const std::filesystem::path& dir);
// nullopt when the directory holds no lab. Throws Error(config) when lab.json is damaged or of a later schema.
std::optional<State> load_state(const std::filesystem::path& dir);
void save_state(const std::filesystem::path& dir, const State& state);

// `bytes` random bytes as hex, from the system's generator.
std::string random_hex(std::size_t bytes);

}  // namespace ysdb::lab
