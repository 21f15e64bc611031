// TCP on 127.0.0.1: choosing ports and asking whether somebody answers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.h"

namespace ysdb::lab {

// True when a server could listen there now.
bool port_is_free(int port);
// A free port below the range the kernel gives to outgoing connections, at random so that labs started together do not meet.
// Throws Error(refused) when there is none.
int choose_port();

// Connects, sends `request`, returns what comes back first (at most 4 KiB); nullopt when nobody answers in time.
std::optional<std::string> tcp_exchange(int port, std::string_view request, Millis limit = Millis(500));
// True when somebody accepts connections.
bool tcp_accepts(int port);
// GET on http://127.0.0.1:port/path answers 2xx and its response holds `expected`.
bool http_answers(int port, std::string_view path, std::string_view expected = {});

}  // namespace ysdb::lab
