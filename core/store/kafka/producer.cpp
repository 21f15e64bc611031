#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <map>

#include "core/store/kafka/errors.h"
#include "core/store/kafka/producer.h"

namespace ysdb::kafka {

namespace {

constexpr int slice_ms = 50;

void* opaque_of(std::uint64_t token) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(token)); }

rd_kafka_vu_t with_memory(rd_kafka_vtype_t type, const std::optional<std::string>& bytes) {
    rd_kafka_vu_t value{};
    value.vtype = type;
    if (bytes) value.u.mem = {const_cast<char*>(bytes->data()), bytes->size()};  // copied by the library, never written to
    return value;
}

std::vector<rd_kafka_vu_t> to_values(const Record& record, std::uint64_t token) {
    std::vector<rd_kafka_vu_t> values;
    const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
        values.push_back({});
        values.back().vtype = type;
        return values.back();
    };
    add(RD_KAFKA_VTYPE_TOPIC).u.cstr = record.topic.c_str();
    add(RD_KAFKA_VTYPE_PARTITION).u.i32 = record.partition;
    add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
    add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = record.timestamp_ms;
    add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = opaque_of(token);
    if (record.key) values.push_back(with_memory(RD_KAFKA_VTYPE_KEY, record.key));
    if (record.value) values.push_back(with_memory(RD_KAFKA_VTYPE_VALUE, record.value));
    for (const auto& [name, value] : record.headers) {
        add(RD_KAFKA_VTYPE_HEADER).u.header = {name.c_str(), value.data(), static_cast<ssize_t>(value.size())};
    }
    return values;
}

std::map<std::string, std::string> settings_of(const ProducerOptions& options) {
    std::map<std::string, std::string> settings{{"enable.idempotence", "true"},
                                                {"compression.type", "lz4"},
                                                {"linger.ms", "5"},
                                                {"partitioner", "murmur2_random"},
                                                {"message.timeout.ms", std::to_string(options.delivery_timeout.count())}};
    if (!options.transactional_id.empty()) {
        settings["transactional.id"] = options.transactional_id;
        settings["transaction.timeout.ms"] = std::to_string(std::max<Millis::rep>(options.delivery_timeout.count(), 60'000));
    }
    if (options.queue_bytes > 0) settings["queue.buffering.max.kbytes"] = std::to_string(std::max<std::size_t>(1, options.queue_bytes / 1024));
    if (options.message_bytes > 0) {
        settings["message.max.bytes"] = std::to_string(std::clamp<std::size_t>(options.message_bytes, 1'000, 1'000'000'000));
        settings["batch.size"] = std::to_string(std::min<std::size_t>(options.message_bytes, 1'000'000));
    }
    return settings;
}

}  // namespace

Producer::Impl::Impl(const Target& target, ProducerOptions given, KafkaStore::LogSink log)
    : options(std::move(given)),
      client(target, ClientKind::producer, settings_of(options), std::move(log), this, [](rd_kafka_conf_t* conf) { rd_kafka_conf_set_dr_msg_cb(conf, on_delivery); }) {}

Producer::Impl::~Impl() { rd_kafka_purge(client.handle(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT); }

void Producer::Impl::init(Deadline deadline) {
    if (options.transactional_id.empty()) return;
    transact("begin transactions as " + options.transactional_id, deadline, [this](int timeout_ms) { return rd_kafka_init_transactions(client.handle(), timeout_ms); });
}

void Producer::Impl::transact(const std::string& doing, Deadline deadline, const std::function<rd_kafka_error_s*(int)>& call) {
    while (true) {
        const auto slice = std::clamp<Millis::rep>(deadline.left().count(), 1, 1'000);
        const std::unique_ptr<rd_kafka_error_t, void (*)(rd_kafka_error_t*)> error(call(static_cast<int>(slice)), rd_kafka_error_destroy);
        if (!error) return;
        const int code = rd_kafka_error_code(error.get());
        const bool again = rd_kafka_error_is_retriable(error.get()) == 1;
        if (again && !deadline.passed()) {
            rd_kafka_poll(client.handle(), 0);
            client.throw_reported(doing, deadline);
            continue;
        }
        if (again) throw timeout_error(client.target(), doing);
        throw kafka_error(client.target(), doing, code, rd_kafka_error_string(error.get()));
    }
}

void Producer::Impl::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    Impl& self = *static_cast<Impl*>(static_cast<Client*>(opaque)->owner());
    Delivery delivery{reinterpret_cast<std::uintptr_t>(message->_private), message->partition, message->offset, {}};
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const std::string topic = rd_kafka_topic_name(message->rkt);
        delivery.error = kafka_error(self.client.target(), "produce to " + topic, message->err, {});
        const std::lock_guard lock(self.mutex);
        if (delivery.token >= self.forgotten && self.failed++ == 0) self.first_failure = delivery.error;
    }
    if (self.options.on_delivery) self.options.on_delivery(delivery);
}

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::Producer(Producer&&) noexcept = default;
Producer::~Producer() = default;

void Producer::send(const Record& record, std::uint64_t token, Deadline deadline) {
    const std::vector<rd_kafka_vu_t> values = to_values(record, token);
    rd_kafka_t* handle = impl_->client.handle();
    while (true) {
        const std::unique_ptr<rd_kafka_error_t, void (*)(rd_kafka_error_t*)> error(rd_kafka_produceva(handle, values.data(), values.size()), rd_kafka_error_destroy);
        if (!error) break;
        const int code = rd_kafka_error_code(error.get());
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            impl_->client.throw_reported("produce to " + record.topic, deadline);
            throw kafka_error(impl_->client.target(), "produce to " + record.topic, code, rd_kafka_error_string(error.get()));
        }
        rd_kafka_poll(handle, slice_ms);
        if (deadline.passed()) {
            throw timeout_error(impl_->client.target(), "produce to " + record.topic + ": the queue stayed full (" + std::to_string(rd_kafka_outq_len(handle)) + " records wait)");
        }
    }
    rd_kafka_poll(handle, 0);  // serves delivery reports
}

void Producer::forget_below(std::uint64_t token) {
    const std::lock_guard lock(impl_->mutex);
    impl_->forgotten = token;
    impl_->failed = 0;
    impl_->first_failure.reset();
}

bool Producer::broken() const { return rd_kafka_fatal_error(impl_->client.handle(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR; }

void Producer::begin() {
    impl_->transact("begin a transaction", Deadline::after(Millis(1'000)), [this](int) { return rd_kafka_begin_transaction(impl_->client.handle()); });
}

void Producer::commit(Deadline deadline) {
    flush(deadline);
    impl_->transact("commit a transaction", deadline, [this](int timeout_ms) { return rd_kafka_commit_transaction(impl_->client.handle(), timeout_ms); });
}

void Producer::abort(Deadline deadline) {
    impl_->transact("abort a transaction", deadline, [this](int timeout_ms) { return rd_kafka_abort_transaction(impl_->client.handle(), timeout_ms); });
}

void Producer::flush(Deadline deadline) {
    rd_kafka_t* handle = impl_->client.handle();
    while (rd_kafka_flush(handle, slice_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (!deadline.passed()) continue;
        throw timeout_error(impl_->client.target(), std::to_string(rd_kafka_outq_len(handle)) + " records were not confirmed");
    }
    const std::lock_guard lock(impl_->mutex);
    if (impl_->failed == 0) return;
    const std::uint64_t failed = std::exchange(impl_->failed, 0);
    Error first = *std::exchange(impl_->first_failure, std::nullopt);
    throw Error(first.code(), first.message() + " (" + std::to_string(failed) + " records not delivered)", first.hint())
        .with_server_code(first.server_code())
        .with_retryable(first.retryable());
}

}  // namespace ysdb::kafka
