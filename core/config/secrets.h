// Passwords out of URLs, and URLs fit to be shown.
#pragma once

#include <string>
#include <string_view>

#include "core/config/config.h"

namespace ysdb {

struct UrlParts {
    std::string url;      // without the password
    Secret password;      // decoded; empty when the URL has none
};

// Takes user:PASSWORD@ and ?password=... out of the URL. Throws Error(config), without quoting the URL, when a password in it has
// characters that have to be percent-encoded.
UrlParts split_password(std::string_view url);

// For messages: every password and every query parameter that may be one becomes ***. Never throws; hides too much rather than too little.
std::string redact_url(std::string_view url);

}  // namespace ysdb
