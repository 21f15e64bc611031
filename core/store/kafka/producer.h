// What a Producer is made of.
#pragma once

#include <mutex>
#include <optional>

#include "core/store/kafka/client.h"

struct rd_kafka_message_s;

namespace ysdb::kafka {

struct Producer::Impl {
    Impl(const Target& target, ProducerOptions options, KafkaStore::LogSink log);
    ~Impl();
    static void on_delivery(rd_kafka_s* handle, const rd_kafka_message_s* message, void* opaque);

    ProducerOptions options;
    std::mutex mutex;
    std::uint64_t failed = 0;               // since the last flush
    std::uint64_t forgotten = 0;            // tokens below this do not count
    std::optional<Error> first_failure;
    Client client;                          // last: its end may still report deliveries
};

}  // namespace ysdb::kafka
