// What a set has in Kafka besides its changes, and how marks are told (bus.h).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/store/kafka/bus_message.h"
#include "core/store/kafka/kafka.h"

namespace ysdb::kafka {

// The content of `ysdb.<set>.shapes`.
struct BusMemory {
    std::map<std::uint64_t, std::string> shapes;               // JSON by hash
    std::map<TableRef, std::uint64_t> newest;                  // the shape that a table was told in last
    std::map<TableRef, std::map<int, std::int64_t>> copies;    // where the last whole copy of a table begins, by partition
    std::uint64_t mark = 0;                                    // number of the last one
    std::uint32_t epoch = 0;
};

// Throws Error(rejected) naming topic, partition and offset for what is none of ours.
BusMemory read_memory(KafkaStore& store, const std::string& set, Deadline deadline);

// The writing side of one set's bus: one per store and set, shared by the writers of its tables. Thread-safe.
class BusTopic {
public:
    BusTopic(KafkaStore& store, std::string set) : store_(store), set_(std::move(set)) {}

    const std::string& name() const { return topic_; }
    // Makes the topics where they are missing; `partitions` of the one for changes, should it be made, 0: 12.
    void prepare(int partitions, Deadline deadline);
    // Writes down a table's shape; returns its hash. `told`: rows of it come next.
    std::uint64_t note_shape(const TableInfo& table, bool told, Deadline deadline);
    // The columns a table was told with last; nothing when it never was.
    std::optional<std::vector<ColumnInfo>> columns(const TableRef& table, Deadline deadline);
    // Tells a mark to every partition, and returns when it is there. Whoever tells has flushed what comes before it. The result: where it stands.
    std::map<int, std::int64_t> tell(BusHead head, BusMark mark, Deadline deadline);
    void note_copy(const TableRef& table, const std::map<int, std::int64_t>& begins, Deadline deadline);

    std::uint32_t epoch(Deadline deadline);
    void begin_epoch(std::uint32_t epoch, Deadline deadline);
    // A producer for the rows of one writer.
    Producer rows(Deadline deadline);

private:
    void remember(const std::string& key, const std::string& value, Deadline deadline);
    void load(Deadline deadline);
    void prepare_shapes(Deadline deadline);
    int make(const NewTopic& wanted, Deadline deadline);
    Producer& marks(Deadline deadline);

    KafkaStore& store_;
    std::string set_, topic_ = {}, shapes_ = {};
    std::mutex mutex_;
    bool prepared_ = false, loaded_ = false;   // the topics are there; memory_ is
    int partitions_ = 0;
    BusMemory memory_;
    std::optional<Producer> marks_;
    std::map<int, std::int64_t> delivered_;     // of the mark being told
};

}  // namespace ysdb::kafka
