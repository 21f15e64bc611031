// One handle of the Kafka client library, with its callbacks and its bounded waits.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/store/kafka/kafka.h"
#include "core/store/kafka/target.h"

// librdkafka's own opaque types.
struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_metadata;
struct rd_kafka_queue_s;
struct rd_kafka_op_s;

namespace ysdb::kafka {

using Metadata = std::unique_ptr<const struct ::rd_kafka_metadata, void (*)(const struct ::rd_kafka_metadata*)>;

enum class ClientKind { producer, consumer };

// Thread-safe, as the library is.
class Client {
public:
    // What the library calls back with, from poll calls (all but the log). `prepare` may set callbacks of its own before the start; the
    // library's opaque pointer is this Client.
    using Prepare = std::function<void(rd_kafka_conf_s*)>;

    Client(const Target& target, ClientKind kind, const std::map<std::string, std::string>& settings, KafkaStore::LogSink log, void* owner = nullptr,
           const Prepare& prepare = {});
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    rd_kafka_s* handle() const { return handle_; }
    ClientKind kind() const { return kind_; }
    void* owner() const { return owner_; }
    const Target& target() const { return target_; }

    // Throws what the library reported: a refused login or a fatal error (from then on each time), or, after it lost all brokers and
    // while none answers a greeting, that.
    void throw_reported(const std::string& doing, Deadline deadline);
    // Metadata of the cluster and all its topics.
    Metadata metadata(Deadline deadline);

private:
    static void on_error(rd_kafka_s* handle, int code, const char* reason, void* opaque);
    static void on_log(const rd_kafka_s* handle, int level, const char* facility, const char* line);

    const Target& target_;
    ClientKind kind_;
    KafkaStore::LogSink log_;
    void* owner_;
    std::mutex mutex_;
    int login_refused_ = 0;
    int fatal_ = 0;
    std::string fatal_reason_;
    std::atomic<bool> all_lost_ = false;
    rd_kafka_s* handle_ = nullptr;
};

// A queue of the library's events, waited for with a deadline.
class EventQueue {
public:
    using Event = std::unique_ptr<rd_kafka_op_s, void (*)(rd_kafka_op_s*)>;
    explicit EventQueue(Client& client);
    // The one that the library keeps for a partition, as it is now.
    EventQueue(Client& client, const std::string& topic, int partition);
    ~EventQueue();
    EventQueue(const EventQueue&) = delete;
    EventQueue& operator=(const EventQueue&) = delete;
    rd_kafka_queue_s* get() const { return queue_; }
    // The next event; null at the deadline.
    Event next(Deadline deadline);
    // The next event, which must be a success: throws timeout_error or kafka_error.
    Event answer(const std::string& doing, Deadline deadline);

private:
    Client& client_;
    rd_kafka_queue_s* queue_;
};

}  // namespace ysdb::kafka
