// PostgreSQL's errors in our terms.
#pragma once

#include <string>

#include "core/base/error.h"

namespace ysdb::postgres {

// A failed connection attempt; `reason` is libpq's message (it never holds a password).
Error connect_error(const std::string& store, const std::string& url, const std::string& reason);
// A failed statement. `sqlstate` may be empty (the connection broke).
Error statement_error(const std::string& store, const std::string& sqlstate, const std::string& message);
Error timeout_error(const std::string& store, const std::string& doing);

}  // namespace ysdb::postgres
