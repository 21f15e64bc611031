// What a Consumer is made of.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/store/kafka/client.h"

struct rd_kafka_topic_partition_list_s;

namespace ysdb::kafka {

struct Consumer::Impl {
    Impl(const Target& target, ConsumerOptions options, KafkaStore::LogSink log);
    ~Impl();
    void rebalance(int code, rd_kafka_topic_partition_list_s* partitions);
    void close(Deadline deadline);

    ConsumerOptions options;
    bool closed = false;
    std::optional<Error> deferred;   // came after records that the same poll still had to return
    Client client;
    std::map<std::pair<std::string, int>, std::unique_ptr<EventQueue>> given;   // partitions that this member has or had, by topic and number

private:
    bool is_member();
    bool answer(Millis wait);
};

// All records of a topic as it is now, partition by partition mixed.
std::vector<Record> read_topic(const Target& target, const Topic& topic, KafkaStore::LogSink log, Deadline deadline);

}  // namespace ysdb::kafka
