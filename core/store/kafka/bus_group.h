// How far a group of members is with a set's bus (bus.h), seen from beside it: without becoming one of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/store/kafka/kafka.h"

namespace ysdb::kafka {

// Not thread-safe. Must not outlive the store. Errors are the broker's; Error(refused) where there is no such bus.
class BusGroup {
public:
    BusGroup(KafkaStore& store, const std::string& set, std::string group, Deadline deadline);
    const std::string& name() const { return group_; }
    // What is in the bus by now is what behind() is about.
    void aim(Deadline deadline);
    // Records of that which the group has not committed, or not come to: what it commits is durable in every sink of its members. None: it has never
    // committed anything.
    std::optional<std::uint64_t> behind(Deadline deadline);

private:
    std::string topic_, group_;
    std::vector<Position> ends_;   // of every partition
    std::vector<std::int64_t> begins_;
    Consumer consumer_;            // a member of nothing
};

}  // namespace ysdb::kafka
