// Kafka: kafka://host:9092,host2:9092, and kafkas:// over TLS. Topics, groups, producing, consuming.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/store/store.h"

namespace ysdb::kafka {

struct Broker {
    int id = 0;
    std::string address;  // "host:port", as the broker advertises itself
};

struct Cluster {
    std::string id;
    std::vector<Broker> brokers;
    int controller = -1;  // with KRaft, the broker that forwards to it; -1: not known
};

struct Partition {
    int id = 0;
    int leader = -1;            // -1: none now
    std::vector<int> replicas;
    std::vector<int> in_sync;
};

struct Topic {
    std::string name;
    std::vector<Partition> partitions;
};

struct NewTopic {
    std::string name;
    int partitions = 1;
    int replication = -1;       // -1: the broker's default
    std::map<std::string, std::string> settings;
};

struct TopicSetting {
    std::string name;
    std::string value;
    bool own = false;           // set on this topic, not inherited from the broker
};

struct Group {
    std::string name;
    std::string state;          // "Stable", "Empty", ...
};

struct Record {
    std::string topic;
    std::optional<std::string> key;
    std::optional<std::string> value;                          // none: a tombstone
    std::vector<std::pair<std::string, std::string>> headers;
    int partition = -1;                                        // -1: chosen by the key
    std::int64_t offset = -1;                                  // of what was read
    std::int64_t timestamp_ms = 0;                             // 0: now
};

// --- Producer and consumer: must not outlive their store; their callbacks must not throw ---

struct Delivery {
    std::uint64_t token = 0;         // as given to send()
    int partition = -1;
    std::int64_t offset = -1;
    std::optional<Error> error;      // set: the record was not written, as far as can be known
};

struct ProducerOptions {
    Millis delivery_timeout{30'000};                     // a record not confirmed after this has failed
    std::function<void(const Delivery&)> on_delivery;    // called within send() and flush(), once a record
    std::size_t queue_bytes = 0;                         // that may wait; 0: the library's default
    std::size_t message_bytes = 0;                       // of the largest record and of the largest batch; 0: the library's default
    std::string transactional_id;                        // empty: no transactions
};

// Idempotent: acknowledged by all in-sync replicas, in order within a partition, retried without duplicates. Records with the same key
// go to the same partition, chosen as Java clients choose it. Thread-safe. What was not flushed is dropped at the end.
class Producer {
public:
    ~Producer();
    Producer(Producer&&) noexcept;
    Producer& operator=(Producer&&) = delete;

    // Queues one record. While the queue is full, waits for room: Error(connect, retryable) at the deadline.
    void send(const Record& record, std::uint64_t token, Deadline deadline);
    // Returns when every record sent so far was confirmed. Throws Error(connect, retryable) when some are still open at the deadline, and
    // the first failure (with the count of all) when records failed since the last flush: then send everything since that flush again.
    void flush(Deadline deadline);
    // flush() does not tell failures of records with smaller tokens any more; they are still sent, and waited for.
    void forget_below(std::uint64_t token);
    // True once it cannot send anything any more: use another.
    bool broken() const;

    // --- With a transactional id: it took the place of every earlier producer of that id, and what that one left open is aborted. Records are
    // sent between begin() and commit(), or abort() ---
    void begin();
    // Returns when everything since begin() is committed. After an error abort(), or, where that fails too, use another producer: whether it
    // was committed is not known then.
    void commit(Deadline deadline);
    void abort(Deadline deadline);

private:
    friend class KafkaStore;
    struct Impl;
    explicit Producer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

struct Position {
    std::string topic;
    int partition = 0;
    std::int64_t offset = 0;   // of the next record to read; -1: none
    std::string note = {};     // kept with a committed position; 4 KiB at most
    bool operator==(const Position&) const = default;
};

// Where reading goes on after these records: one position a partition.
std::vector<Position> positions_after(std::span<const Record> records);

struct ConsumerOptions {
    std::string group;
    std::vector<std::string> topics;
    // Within poll() and close(): partitions came (offsets not filled), or went. `lost`: somebody else may own them already, so
    // nothing can be committed for them any more.
    std::function<void(const std::vector<Position>&)> on_assigned;
    std::function<void(const std::vector<Position>&, bool lost)> on_revoked;
    // Within poll(), before on_assigned: sets where reading begins in partitions that came, which is otherwise (offset -1) what the group has committed.
    std::function<void(std::vector<Position>&)> on_start;
    // A position that the topic does not have any more is an error, not the topic's beginning.
    bool strict = false;
    Millis session_timeout{45'000};
};

// What a partition has: offsets from `low` up to, not including, `high`.
struct Extent {
    std::int64_t low = 0, high = 0;
};

// One member of a consumer group. A group without committed positions starts at the beginning. Only committed transactions are read;
// nothing is committed but by commit(). Not thread-safe.
class Consumer {
public:
    ~Consumer();  // close() with a short deadline
    Consumer(Consumer&&) noexcept;
    Consumer& operator=(Consumer&&) = delete;

    // At most `limit` records; waits for the first until the deadline, then returns none. Call it at least every five minutes. Throws
    // Error(connect, retryable) while no broker can be reached; the consumer may be polled again.
    std::vector<Record> poll(std::size_t limit, Deadline deadline);
    // Returns when the group's coordinator has stored the positions.
    void commit(std::span<const Position> positions, Deadline deadline);
    // What the group has committed, of these partitions whoever owns them; offset -1: nothing.
    std::vector<Position> committed(std::vector<Position> partitions, Deadline deadline);
    Extent extent(const std::string& topic, int partition, Deadline deadline);
    // Nothing more comes from a partition that is this member's, until it may again; where it goes on stays.
    void pause(const std::string& topic, int partition);
    void resume(const std::string& topic, int partition);
    // Leaves the group, so that its partitions go to others at once.
    void close(Deadline deadline);

private:
    friend class KafkaStore;
    struct Impl;
    explicit Consumer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// --- Store ---

// Thread-safe.
class KafkaStore final : public Store {
public:
    using LogSink = std::function<void(LogLevel, std::string_view facility, std::string_view line)>;

    explicit KafkaStore(const StoreConfig& config);
    ~KafkaStore() override;

    std::string redacted_url() const override;
    ProbeResult probe(Deadline deadline) override;

    // The client library's own lines, from any thread. Set before the first call; without it they are dropped.
    void set_log(LogSink sink);

    Cluster cluster(Deadline deadline);
    std::vector<Topic> topics(Deadline deadline);
    std::optional<Topic> topic(const std::string& name, Deadline deadline);
    std::vector<Group> groups(Deadline deadline);

    // One result for each, in order: nothing, or why not ("TOPIC_ALREADY_EXISTS" as server code). `validate_only`: nothing is created.
    std::vector<std::optional<Error>> create_topics(std::span<const NewTopic> topics, Deadline deadline, bool validate_only = false);
    std::vector<std::optional<Error>> delete_topics(std::span<const std::string> names, Deadline deadline);

    std::vector<TopicSetting> topic_settings(const std::string& topic, Deadline deadline);
    // Changes these and keeps the topic's other settings. Two that change one topic at once may undo each other.
    void change_topic_settings(const std::string& topic, const std::map<std::string, std::string>& changes, Deadline deadline);

    Producer producer(ProducerOptions options, Deadline deadline);
    Consumer consumer(ConsumerOptions options, Deadline deadline);
    // All records of a small topic, as of now; none when there is no such topic.
    std::vector<Record> read_all(const std::string& topic, Deadline deadline);

    // A record a change (core/store/kafka/changes.h).
    ChangeSink* changes() override;
    // core/store/kafka/bus.h
    ChangeBus* bus() override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

std::unique_ptr<Store> open(const StoreConfig& config);
// Throws Error(refused) when the store is another product.
KafkaStore& as_kafka(Store& store);

}  // namespace ysdb::kafka
