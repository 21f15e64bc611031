// Where in a command its key is.
#pragma once

#include <optional>
#include <string_view>

#include "core/store/redis/redis.h"

namespace ysdb::redis {

// The first key of a command; nothing for those that have none (PING, INFO, SCAN). A command that is not known has its key where nearly all
// have it, behind the command's name.
std::optional<std::string_view> command_key(const Command& command);

}  // namespace ysdb::redis
