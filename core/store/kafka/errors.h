// Kafka failures in this project's words.
#pragma once

#include <string>

#include "core/base/error.h"
#include "core/store/kafka/target.h"

namespace ysdb::kafka {

// Could not reach, log in to, or understand the cluster.
Error connect_error(const Target& target, const std::string& reason, std::string hint = {}, bool retryable = true);
// A librdkafka error code (rd_kafka_resp_err_t) and its text, while `doing` ("create topic t").
Error kafka_error(const Target& target, const std::string& doing, int code, const std::string& text);
Error timeout_error(const Target& target, const std::string& doing);

}  // namespace ysdb::kafka
