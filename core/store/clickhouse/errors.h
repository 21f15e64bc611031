// ClickHouse's errors in our terms.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace ysdb::clickhouse {

// "Code: 60. DB::Exception: Unknown table ... (UNKNOWN_TABLE) (version ...)" as an Error; `code` when a header gave it.
Error server_error(const std::string& store, std::string_view text, int code = 0);
// The error a server wrote at the end of a result it could not finish, found in the result's last bytes; nullopt when there is none.
// `tag`: the marker newer servers announce in X-ClickHouse-Exception-Tag.
std::optional<std::string> trailing_exception(std::string_view tail, std::string_view tag);
// The number in "Code: N."; 0 when there is none.
int error_number(std::string_view text);

}  // namespace ysdb::clickhouse
