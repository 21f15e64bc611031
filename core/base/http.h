// Small HTTP requests: health endpoints, REST APIs. Bulk transfer has its own transport where it is needed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"

namespace ysdb {

struct HttpResponse {
    int status = 0;
    std::string body;
};

// One request on a connection of its own, TLS verified. Throws Error(connect, retryable) naming host and port when there is no
// answer by the deadline; any status that arrives is returned. Thread-safe.
HttpResponse http_get(const std::string& url, Deadline deadline, const std::vector<std::string>& headers = {});
HttpResponse http_post(const std::string& url, std::string_view body, Deadline deadline, const std::vector<std::string>& headers = {});

}  // namespace ysdb
