#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/store/kafka/bus.h"
#include "core/store/kafka/kafka.h"

namespace ysdb::kafka {

namespace {

Consumer beside(KafkaStore& store, const std::string& group, Deadline deadline) {
    ConsumerOptions options;
    options.group = group;
    return store.consumer(std::move(options), deadline);
}

class GroupSeen final : public BusGroup {
public:
    GroupSeen(KafkaStore& store, const std::string& set, const std::string& group, Deadline deadline) : consumer_(beside(store, group, deadline)) {
        const std::string name = bus_topic(set);
        const auto topic = store.topic(name, deadline);
        if (!topic) throw Error(Code::refused, "store '" + store.name() + "' has no topic " + name + ": nothing was told there yet", "ysdb sync run --to " + store.name());
        for (const Partition& partition : topic->partitions) {
            const Extent extent = consumer_.extent(name, partition.id, deadline);
            ends_.push_back({name, partition.id, extent.high});
            begins_.push_back(extent.low);
        }
    }

    std::optional<std::uint64_t> behind(Deadline deadline) override {
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

private:
    Consumer consumer_;            // a member of nothing
    std::vector<Position> ends_;   // of every partition
    std::vector<std::int64_t> begins_;
};

}  // namespace

std::unique_ptr<BusGroup> look_at_group(KafkaStore& store, const std::string& set, const std::string& group, Deadline deadline) {
    return std::make_unique<GroupSeen>(store, set, group, deadline);
}

}  // namespace ysdb::kafka
