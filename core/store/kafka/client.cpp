#include "core/store/kafka/client.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

#include "core/store/kafka/errors.h"
#include "core/store/kafka/handshake.h"

namespace ysdb::kafka {

namespace {

using Conf = std::unique_ptr<rd_kafka_conf_t, void (*)(rd_kafka_conf_t*)>;

int left_ms(Deadline deadline) { return static_cast<int>(std::clamp<Millis::rep>(deadline.left().count(), 1, 3'600'000)); }

void set(const Target& target, rd_kafka_conf_t* conf, const std::string& key, const std::string& value) {
    std::array<char, 512> reason{};
    if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), reason.data(), reason.size()) == RD_KAFKA_CONF_OK) return;
    const bool secret = key == "sasl.password";
    throw Error(Code::config, "store '" + target.store + "': the client library refuses " + key + (secret ? "" : ": " + std::string(reason.data())),
                "see the settings of librdkafka " + std::string(rd_kafka_version_str()));
}

std::string bootstrap(const Target& target) {
    std::string hosts;
    for (const Endpoint& endpoint : target.hosts) hosts += (hosts.empty() ? "" : ",") + endpoint.text();
    return hosts;
}

}  // namespace

Client::Client(const Target& target, ClientKind kind, const std::map<std::string, std::string>& settings, KafkaStore::LogSink log, void* owner,
               const Prepare& prepare)
    : target_(target), kind_(kind), log_(std::move(log)), owner_(owner) {
    Conf conf(rd_kafka_conf_new(), rd_kafka_conf_destroy);
    set(target, conf.get(), "client.id", "ysdb");
    set(target, conf.get(), "log.connection.close", "false");
    set(target, conf.get(), "socket.connection.setup.timeout.ms", std::to_string(std::max<Millis::rep>(1000, target.connect_timeout.count())));
    for (const auto& [key, value] : settings) set(target, conf.get(), key, value);
    for (const auto& [key, value] : target.settings) set(target, conf.get(), key, value);  // what people set wins
    set(target, conf.get(), "bootstrap.servers", bootstrap(target));
    if (!target.password.empty()) set(target, conf.get(), "sasl.password", target.password.reveal());
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_error_cb(conf.get(), on_error);
    rd_kafka_conf_set_log_cb(conf.get(), on_log);
    if (prepare) prepare(conf.get());

    std::array<char, 512> reason{};
    handle_ = rd_kafka_new(kind == ClientKind::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf.get(), reason.data(), reason.size());
    if (handle_ == nullptr) {
        throw Error(Code::config, "store '" + target.store + "': the client library does not start: " + reason.data(), "check the options of [stores." + target.store + "]");
    }
    static_cast<void>(conf.release());
}

Client::~Client() { rd_kafka_destroy_flags(handle_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); }

void Client::on_error(rd_kafka_t* handle, int code, const char*, void* opaque) {
    Client& client = *static_cast<Client*>(opaque);
    const std::lock_guard lock(client.mutex_);
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED) client.login_refused_ = code;
    // Said once, not again while they stay away: kept until a broker answers a greeting.
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) client.all_lost_ = true;
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        std::array<char, 512> text{};
        client.fatal_ = rd_kafka_fatal_error(handle, text.data(), text.size());
        client.fatal_reason_ = text.data();
    }
}

void Client::on_log(const rd_kafka_t* handle, int level, const char* facility, const char* line) {
    const Client* client = static_cast<const Client*>(rd_kafka_opaque(handle));
    if (client == nullptr || !client->log_) return;
    client->log_(level <= 3 ? LogLevel::error : level <= 4 ? LogLevel::warn : level <= 6 ? LogLevel::info : LogLevel::debug, facility, line);
}

void Client::throw_reported(const std::string& doing, Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        if (login_refused_ != 0) throw kafka_error(target_, doing, login_refused_, {});
        if (fatal_ != 0) throw kafka_error(target_, doing, fatal_, fatal_reason_ + " (this client cannot go on)").with_retryable(false);
    }
    if (!all_lost_) return;
    greet(target_, deadline);
    all_lost_ = false;
}

Metadata Client::metadata(Deadline deadline) {
    const std::string doing = "read the cluster's metadata";
    // In growing slices: the library would go on asking a dead broker, or one that refuses the login, until the very end.
    for (Millis slice{250};; slice *= 2) {
        const struct ::rd_kafka_metadata* found = nullptr;
        const int code = rd_kafka_metadata(handle_, 1, nullptr, &found, left_ms(Deadline::after(std::min(slice, deadline.left()))));
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {found, rd_kafka_metadata_destroy};
        if (deadline.passed()) {
            throw connect_error(target_, "the broker speaks, but tells nothing of the cluster in time", "does it want a login (a user in the url), or is that a controller's port?");
        }
        rd_kafka_poll(handle_, 0);
        throw_reported(doing, deadline);
    }
}

EventQueue::EventQueue(Client& client) : client_(client), queue_(rd_kafka_queue_new(client.handle())) {}
EventQueue::EventQueue(Client& client, const std::string& topic, int partition) : client_(client), queue_(rd_kafka_queue_get_partition(client.handle(), topic.c_str(), partition)) {}
EventQueue::~EventQueue() { rd_kafka_queue_destroy(queue_); }

EventQueue::Event EventQueue::next(Deadline deadline) { return {rd_kafka_queue_poll(queue_, left_ms(deadline)), rd_kafka_event_destroy}; }

EventQueue::Event EventQueue::answer(const std::string& doing, Deadline deadline) {
    constexpr Millis slice{250};  // how soon it is noticed that the brokers are gone
    while (true) {
        Event event = next(Deadline::after(std::min(slice, deadline.left())));
        if (!event) {
            if (deadline.passed()) throw timeout_error(client_.target(), doing);
            if (client_.kind() == ClientKind::producer) rd_kafka_poll(client_.handle(), 0);  // a consumer's callbacks come with its records
            client_.throw_reported(doing, deadline);
            continue;
        }
        if (const int code = rd_kafka_event_error(event.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            throw kafka_error(client_.target(), doing, code, rd_kafka_event_error_string(event.get()));
        }
        return event;
    }
}

}  // namespace ysdb::kafka
