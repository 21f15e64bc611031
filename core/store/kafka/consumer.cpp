#include "core/store/kafka/consumer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/store/kafka/errors.h"

namespace ysdb::kafka {

namespace {

constexpr Millis slice{100};            // how soon poll() notices what the library reports meanwhile
constexpr Millis leaving_slice{10};     // how soon close() notices that the group was left
constexpr Millis farewell{5'000}, goodbye{1'000};

int left_ms(Deadline deadline) { return static_cast<int>(std::clamp<Millis::rep>(deadline.left().count(), 1, 3'600'000)); }

using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, void (*)(rd_kafka_topic_partition_list_t*)>;
using Message = std::unique_ptr<rd_kafka_message_t, void (*)(rd_kafka_message_t*)>;

void destroy_message(rd_kafka_message_t* message) {
    if (message != nullptr) rd_kafka_message_destroy(message);
}

// A partition that its topic loses while a member has it keeps its client from being destroyed by what is left in its queue (librdkafka before 2.6, #4724).
void drop_all(EventQueue& queue) {
    while (Message(rd_kafka_consume_queue(queue.get(), 0), destroy_message)) continue;
}

PartitionList new_list(std::size_t size) { return {rd_kafka_topic_partition_list_new(static_cast<int>(size)), rd_kafka_topic_partition_list_destroy}; }

std::vector<Position> to_positions(const rd_kafka_topic_partition_list_t& list) {
    std::vector<Position> positions;
    for (int i = 0; i < list.cnt; ++i) positions.push_back({list.elems[i].topic, list.elems[i].partition, list.elems[i].offset});
    return positions;
}

std::optional<std::string> to_bytes(const void* data, std::size_t size) {
    if (data == nullptr) return std::nullopt;
    return std::string(static_cast<const char*>(data), size);
}

Record to_record(const rd_kafka_message_t& message) {
    Record record;
    record.topic = rd_kafka_topic_name(message.rkt);
    record.partition = message.partition;
    record.offset = message.offset;
    record.key = to_bytes(message.key, message.key_len);
    record.value = to_bytes(message.payload, message.len);
    record.timestamp_ms = rd_kafka_message_timestamp(&message, nullptr);
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
            record.headers.emplace_back(name, std::string(static_cast<const char*>(value), size));
        }
    }
    return record;
}

}  // namespace

std::vector<Position> positions_after(std::span<const Record> records) {
    std::vector<Position> positions;
    for (const Record& record : records) {
        const auto same = [&](const Position& p) { return p.partition == record.partition && p.topic == record.topic; };
        const auto found = std::find_if(positions.begin(), positions.end(), same);
        if (found == positions.end()) positions.push_back({record.topic, record.partition, record.offset + 1});
        else found->offset = std::max(found->offset, record.offset + 1);
    }
    return positions;
}

Consumer::Impl::Impl(const Target& target, ConsumerOptions given, KafkaStore::LogSink log)
    : options(std::move(given)),
      client(target, ClientKind::consumer,
             {{"group.id", options.group},
              {"session.timeout.ms", std::to_string(options.session_timeout.count())},
              {"enable.auto.commit", "false"},
              {"enable.auto.offset.store", "false"},
              {"auto.offset.reset", options.strict ? "error" : "earliest"},
              {"isolation.level", "read_committed"},
              {"partition.assignment.strategy", "cooperative-sticky"}},
             std::move(log), this, [](rd_kafka_conf_t* conf) {
                 rd_kafka_conf_set_rebalance_cb(conf, [](rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions, void* opaque) {
                     static_cast<Impl*>(static_cast<Client*>(opaque)->owner())->rebalance(code, partitions);
                 });
             }) {
    rd_kafka_poll_set_consumer(client.handle());
    const PartitionList topics = new_list(options.topics.size());
    for (const std::string& topic : options.topics) rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    if (options.topics.empty()) return;   // a member of nothing, which only asks
    if (const int code = rd_kafka_subscribe(client.handle(), topics.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw kafka_error(target, "subscribe as group " + options.group, code, {});
    }
}

// What came behind the close is answered last of all: see there.
Consumer::Impl::~Impl() {
    close(Deadline::after(farewell));
    options.on_revoked = {};   // called no more
    given.clear();
    while (answer(Millis(0))) continue;
}

void Consumer::Impl::rebalance(int code, rd_kafka_topic_partition_list_t* partitions) {
    rd_kafka_t* handle = client.handle();
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        for (const Position& position : to_positions(*partitions)) {
            auto& queue = given[{position.topic, position.partition}];
            if (queue) drop_all(*queue);
            queue = std::make_unique<EventQueue>(client, position.topic, position.partition);
        }
        if (closed) {   // came while this member leaves: it gives them back at once, and reads none of it
            rd_kafka_error_destroy(rd_kafka_incremental_assign(handle, partitions));
            return;
        }
        if (options.on_start) {
            std::vector<Position> start = to_positions(*partitions);
            for (Position& position : start) position.offset = -1;
            options.on_start(start);
            for (int i = 0; i < partitions->cnt; ++i) {
                if (start[static_cast<std::size_t>(i)].offset >= 0) partitions->elems[i].offset = start[static_cast<std::size_t>(i)].offset;
            }
        }
        if (options.on_assigned) options.on_assigned(to_positions(*partitions));
        rd_kafka_error_destroy(rd_kafka_incremental_assign(handle, partitions));
    } else {
        if (options.on_revoked) options.on_revoked(to_positions(*partitions), rd_kafka_assignment_lost(handle) == 1);
        // One that is no member any more has nobody to give them back to. The library would go on with what was given in exchange, nothing mostly, and that
        // would meet the destruction; without an answer here that is safe.
        if (closed && !is_member()) return;
        rd_kafka_error_destroy(rd_kafka_incremental_unassign(handle, partitions));
    }
}

bool Consumer::Impl::is_member() {
    const std::unique_ptr<char, void (*)(char*)> id(rd_kafka_memberid(client.handle()), [](char* text) { rd_kafka_mem_free(nullptr, text); });
    return id != nullptr && *id != '\0';
}

// Answers the library; records are dropped. True: there was something.
bool Consumer::Impl::answer(Millis wait) { return Message(rd_kafka_consumer_poll(client.handle(), static_cast<int>(wait.count())), destroy_message) != nullptr; }

// Not the library's own close: that never ends, and neither does the destruction behind it, where the member was given no partitions and has not heard of
// that when it begins (librdkafka before 2.4, #4527). A member that unsubscribed gives back what it has, leaves, and is given nothing more.
void Consumer::Impl::close(Deadline deadline) {
    if (std::exchange(closed, true)) return;
    const bool was_member = is_member();
    if (rd_kafka_unsubscribe(client.handle()) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    while (is_member()) {
        if (deadline.passed()) return;   // it joins still, with others that take long: the broker gives a silent member up
        answer(std::min(leaving_slice, deadline.left()));
    }
    while (answer(Millis(0))) continue;
    if (was_member) {   // an answer of the coordinator that comes behind its goodbye: that has been sent
        const PartitionList any = new_list(1);
        rd_kafka_topic_partition_list_add(any.get(), options.topics.front().c_str(), 0);
        rd_kafka_committed(client.handle(), any.get(), left_ms(Deadline::after(std::min(goodbye, deadline.left()))));
    }
    for (const auto& [partition, queue] : given) drop_all(*queue);
}

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer::~Consumer() = default;

std::vector<Record> Consumer::poll(std::size_t limit, Deadline deadline) {
    const std::string doing = "read as group " + impl_->options.group;
    std::vector<Record> records;
    while (records.size() < limit && !impl_->deferred) {
        const auto wait = records.empty() ? std::min(slice, deadline.left()) : Millis(0);
        const Message message(rd_kafka_consumer_poll(impl_->client.handle(), static_cast<int>(wait.count())), destroy_message);
        if (!message) {
            if (!records.empty()) break;
            if (deadline.passed()) break;
            impl_->client.throw_reported(doing, deadline);
        } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            records.push_back(to_record(*message));
        } else {
            impl_->deferred = kafka_error(impl_->client.target(), doing, message->err, rd_kafka_message_errstr(message.get()));
        }
    }
    if (records.empty() && impl_->deferred) throw *std::exchange(impl_->deferred, std::nullopt);
    return records;
}

void Consumer::commit(std::span<const Position> positions, Deadline deadline) {
    if (positions.empty()) return;
    const std::string doing = "commit as group " + impl_->options.group;
    const PartitionList list = new_list(positions.size());
    for (const Position& position : positions) {
        rd_kafka_topic_partition_t* entry = rd_kafka_topic_partition_list_add(list.get(), position.topic.c_str(), position.partition);
        entry->offset = position.offset;
        if (position.note.empty()) continue;
        entry->metadata = std::malloc(position.note.size());   // the list frees it
        if (entry->metadata == nullptr) throw std::bad_alloc();
        std::memcpy(entry->metadata, position.note.data(), position.note.size());
        entry->metadata_size = position.note.size();
    }
    EventQueue queue(impl_->client);
    if (const int code = rd_kafka_commit_queue(impl_->client.handle(), list.get(), queue.get(), nullptr, nullptr); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw kafka_error(impl_->client.target(), doing, code, {});
    }
    const auto event = queue.answer(doing, deadline);
    const rd_kafka_topic_partition_list_t& stored = *rd_kafka_event_topic_partition_list(event.get());
    for (int i = 0; i < stored.cnt; ++i) {
        if (stored.elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) throw kafka_error(impl_->client.target(), doing + " in " + stored.elems[i].topic, stored.elems[i].err, {});
    }
}

std::vector<Position> Consumer::committed(std::vector<Position> partitions, Deadline deadline) {
    const std::string doing = "read the positions of group " + impl_->options.group;
    const PartitionList list = new_list(partitions.size());
    for (const Position& position : partitions) rd_kafka_topic_partition_list_add(list.get(), position.topic.c_str(), position.partition);
    if (const int code = rd_kafka_committed(impl_->client.handle(), list.get(), left_ms(deadline)); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw kafka_error(impl_->client.target(), doing, code, {});
    }
    for (std::size_t i = 0; i < partitions.size(); ++i) {
        const rd_kafka_topic_partition_t& found = list->elems[i];
        if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) throw kafka_error(impl_->client.target(), doing, found.err, {});
        partitions[i].offset = std::max<std::int64_t>(found.offset, -1);
        partitions[i].note.assign(static_cast<const char*>(found.metadata), found.metadata == nullptr ? 0 : found.metadata_size);
    }
    return partitions;
}

Extent Consumer::extent(const std::string& topic, int partition, Deadline deadline) {
    Extent extent;
    const int code = rd_kafka_query_watermark_offsets(impl_->client.handle(), topic.c_str(), partition, &extent.low, &extent.high, left_ms(deadline));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) throw kafka_error(impl_->client.target(), "read the extent of " + topic, code, {});
    return extent;
}

void Consumer::pause(const std::string& topic, int partition) {
    const PartitionList list = new_list(1);
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
    rd_kafka_pause_partitions(impl_->client.handle(), list.get());
}

void Consumer::resume(const std::string& topic, int partition) {
    const PartitionList list = new_list(1);
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
    rd_kafka_resume_partitions(impl_->client.handle(), list.get());
}

void Consumer::close(Deadline deadline) { impl_->close(deadline); }

std::vector<Record> read_topic(const Target& target, const Topic& topic, KafkaStore::LogSink log, Deadline deadline) {
    const std::string doing = "read topic " + topic.name;
    Client client(target, ClientKind::consumer, {{"group.id", "ysdb"}, {"enable.auto.commit", "false"}, {"auto.offset.reset", "earliest"}, {"isolation.level", "read_committed"}, {"enable.partition.eof", "true"}},
                  std::move(log));
    rd_kafka_poll_set_consumer(client.handle());
    const PartitionList list = new_list(topic.partitions.size());
    for (const Partition& partition : topic.partitions) rd_kafka_topic_partition_list_add(list.get(), topic.name.c_str(), partition.id)->offset = 0;
    if (const int code = rd_kafka_assign(client.handle(), list.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) throw kafka_error(target, doing, code, {});
    std::vector<Record> records;
    for (std::size_t ends = 0; ends < topic.partitions.size();) {
        const Message message(rd_kafka_consumer_poll(client.handle(), static_cast<int>(std::min(slice, deadline.left()).count())), destroy_message);
        if (!message) {
            if (deadline.passed()) throw timeout_error(target, doing);
            client.throw_reported(doing, deadline);
        } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ++ends;
        } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            throw kafka_error(target, doing, message->err, rd_kafka_message_errstr(message.get()));
        } else {
            records.push_back(to_record(*message));
        }
    }
    return records;
}

}  // namespace ysdb::kafka
