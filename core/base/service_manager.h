// What systemd is told of a service of Type=notify (sd_notify's protocol).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.h"

namespace ysdb {

// A value; without a socket it tells nobody. Thread-safe.
struct ServiceManager {
    std::string socket;                  // NOTIFY_SOCKET: a path, or a name that begins with @
    std::optional<Millis> watchdog;      // WATCHDOG_USEC: "WATCHDOG=1" is waited for so long

    // "READY=1", "STATUS=...", "STOPPING=1", "WATCHDOG=1"; several on lines of their own. Never waits.
    void tell(std::string_view state) const noexcept;
};

}  // namespace ysdb
