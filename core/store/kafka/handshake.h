// The first words with a broker, spoken directly: the client library retries for ever and never says "that is no Kafka".
#pragma once

#include <string>
#include <string_view>

#include "core/base/time.h"
#include "core/store/kafka/target.h"

namespace ysdb::kafka {

struct Greeting {
    double latency_s = 0;   // one round trip on the standing connection
    std::string release;    // "4.3", from the newest metadata.version the broker supports; empty for brokers that do not tell
};

// Asks each host in turn until one answers as a Kafka broker does. Throws Error(connect) with what the last one did instead.
Greeting greet(const Target& target, Deadline deadline);

// The release in the body of an answer to ApiVersions version 3; empty when it is not told, or the body makes no sense.
std::string release_in(std::string_view body);

}  // namespace ysdb::kafka
