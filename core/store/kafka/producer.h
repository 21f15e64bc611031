// What a Producer is made of.
#pragma once

#include <functional>
#include <mutex>
#include <optional>

#include "core/store/kafka/client.h"

struct rd_kafka_message_s;
struct rd_kafka_error_s;

namespace ysdb::kafka {

struct Producer::Impl {
    Impl(const Target& target, ProducerOptions options, KafkaStore::LogSink log);
    ~Impl();
    // Starts its transactions, where it has an id.
    void init(Deadline deadline);
    // Runs one call of the library on the transaction until it needs no more tries. Throws what it says.
    void transact(const std::string& doing, Deadline deadline, const std::function<rd_kafka_error_s*(int timeout_ms)>& call);
    static void on_delivery(rd_kafka_s* handle, const rd_kafka_message_s* message, void* opaque);

    ProducerOptions options;
    std::mutex mutex;
    std::uint64_t failed = 0;               // since the last flush
    std::uint64_t forgotten = 0;            // tokens below this do not count
    std::optional<Error> first_failure;
    Client client;                          // last: its end may still report deliveries
};

}  // namespace ysdb::kafka
