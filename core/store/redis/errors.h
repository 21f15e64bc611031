// Redis failures in this project's words.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/store/redis/target.h"

namespace ysdb::redis {

// Could not reach, log in to, or understand the server.
Error connect_error(const Target& target, const Endpoint& endpoint, const std::string& reason, std::string hint = {}, bool retryable = true);
// The server's answer to AUTH, SELECT and the rest of logging in. Never repeats it where it might quote the password.
Error login_error(const Target& target, const Endpoint& endpoint, std::string_view reply);
// The server's answer to an ordinary command.
Error command_error(const Target& target, const std::string& command, const std::string& reply);
// True for the answers of a server that did not run the command and is not (or no longer, or not yet) the one to ask.
bool means_elsewhere(std::string_view reply);
// True for the answers of a cluster that did not run the command and will, once it has found its next master, or moved a slot.
bool means_another_time(std::string_view reply);

}  // namespace ysdb::redis
