#include "core/store/kafka/bus_group.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/store/kafka/bus.h"

namespace ysdb::kafka {

namespace {

Consumer beside(KafkaStore& store, const std::string& group, Deadline deadline) {
    ConsumerOptions options;
    options.group = group;
    return store.consumer(std::move(options), deadline);
}

}  // namespace

BusGroup::BusGroup(KafkaStore& store, const std::string& set, std::string group, Deadline deadline) : topic_(bus_topic(set)), group_(std::move(group)), consumer_(beside(store, group_, deadline)) {
    const auto topic = store.topic(topic_, deadline);
    if (!topic) throw Error(Code::refused, "store '" + store.name() + "' has no topic " + topic_ + ": nothing was told there yet", "ysdb sync run --to " + store.name());
    for (const Partition& partition : topic->partitions) ends_.push_back({topic_, partition.id, 0});
    aim(deadline);
}

void BusGroup::aim(Deadline deadline) {
    begins_.clear();
    for (Position& end : ends_) {
        const Extent extent = consumer_.extent(topic_, end.partition, deadline);
        end.offset = extent.high;
        begins_.push_back(extent.low);
    }
}

std::optional<std::uint64_t> BusGroup::behind(Deadline deadline) {
    std::uint64_t left = 0;
    bool any = false;
    const std::vector<Position> committed = consumer_.committed(ends_, deadline);
    for (std::size_t i = 0; i < ends_.size(); ++i) {
        any = any || committed[i].offset >= 0;
        const std::int64_t reached = committed[i].offset >= 0 ? committed[i].offset : begins_[i];   // of an empty partition nobody has to say anything
        left += static_cast<std::uint64_t>(std::max<std::int64_t>(0, ends_[i].offset - reached));
    }
    return any ? std::optional(left) : std::nullopt;
}

}  // namespace ysdb::kafka
