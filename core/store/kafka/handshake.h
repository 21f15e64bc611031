// The first words with a broker, spoken directly: the client library retries for ever and never says "that is no Kafka".
#pragma once

#include <string>

#include "core/base/time.h"
#include "core/store/kafka/target.h"

namespace ysdb::kafka {

struct Greeting {
    double latency_s = 0;   // one round trip on the standing connection
};

// Asks each host in turn until one answers as a Kafka broker does. Throws Error(connect) with what the last one did instead.
Greeting greet(const Target& target, Deadline deadline);

}  // namespace ysdb::kafka
