#include "core/store/kafka/kafka.h"

#include <algorithm>
#include <mutex>

#include "core/store/kafka/admin.h"
#include "core/store/kafka/bus.h"
#include "core/store/kafka/changes.h"
#include "core/store/kafka/consumer.h"
#include "core/store/kafka/errors.h"
#include "core/store/kafka/handshake.h"
#include "core/store/kafka/producer.h"

namespace ysdb::kafka {

namespace {

std::string count_of(std::size_t count, const std::string& thing) { return std::to_string(count) + " " + thing + (count == 1 ? "" : "s"); }

std::string describe(const Cluster& cluster, const std::vector<Topic>& topics) {
    std::string text = count_of(cluster.brokers.size(), "broker");
    std::size_t leaderless = 0;
    std::size_t short_of_replicas = 0;
    for (const Topic& topic : topics) {
        for (const Partition& partition : topic.partitions) {
            if (partition.leader < 0) ++leaderless;
            else if (partition.in_sync.size() < partition.replicas.size()) ++short_of_replicas;
        }
    }
    if (leaderless > 0) text += ", " + count_of(leaderless, "partition") + " without a leader";
    if (short_of_replicas > 0) text += ", " + count_of(short_of_replicas, "partition") + " under-replicated";
    return text + ", cluster " + cluster.id;
}

}  // namespace

struct KafkaStore::Impl {
    explicit Impl(const StoreConfig& config) : target(parse_target(config)) {}

    // The client for everything but producing and consuming; kept once a login succeeded.
    Client& admin(Deadline deadline) {
        const std::unique_lock lock(mutex, deadline.left());
        if (!lock) throw timeout_error(target, "connect (another call is at it)");
        if (!client) {
            greet(target, deadline);
            auto opened = std::make_unique<Client>(target, ClientKind::producer, std::map<std::string, std::string>{}, log);
            opened->metadata(deadline);
            client = std::move(opened);
        }
        return *client;
    }

    Target target;
    LogSink log;
    std::timed_mutex mutex;
    std::unique_ptr<Client> client;
    std::unique_ptr<ChangeSink> changes;
    std::unique_ptr<ChangeBus> bus;
};

KafkaStore::KafkaStore(const StoreConfig& config) : Store(config), impl_(std::make_unique<Impl>(config)) {
    impl_->changes = change_sink(*this);
    impl_->bus = change_bus(*this);
}
KafkaStore::~KafkaStore() = default;

std::string KafkaStore::redacted_url() const { return impl_->target.redacted_url; }

ProbeResult KafkaStore::probe(Deadline deadline) {
    ProbeResult result;
    result.product = "Kafka";
    const Greeting greeting = greet(impl_->target, deadline);
    result.version = greeting.release;
    result.latency_s = greeting.latency_s;
    const Cluster found = cluster(deadline);
    result.role = found.brokers.size() == 1 ? "standalone" : "cluster";
    result.detail = describe(found, topics(deadline));
    return result;
}

void KafkaStore::set_log(LogSink sink) { impl_->log = std::move(sink); }

Cluster KafkaStore::cluster(Deadline deadline) { return kafka::cluster(impl_->admin(deadline), deadline); }
std::vector<Topic> KafkaStore::topics(Deadline deadline) { return kafka::topics(impl_->admin(deadline), deadline); }

std::optional<Topic> KafkaStore::topic(const std::string& name, Deadline deadline) {
    for (Topic& topic : topics(deadline)) {
        if (topic.name == name) return std::move(topic);
    }
    return std::nullopt;
}

std::vector<Group> KafkaStore::groups(Deadline deadline) { return kafka::groups(impl_->admin(deadline), deadline); }

std::vector<std::optional<Error>> KafkaStore::create_topics(std::span<const NewTopic> topics, Deadline deadline, bool validate_only) {
    return kafka::create_topics(impl_->admin(deadline), topics, validate_only, deadline);
}
std::vector<std::optional<Error>> KafkaStore::delete_topics(std::span<const std::string> names, Deadline deadline) {
    return kafka::delete_topics(impl_->admin(deadline), names, deadline);
}

std::vector<TopicSetting> KafkaStore::topic_settings(const std::string& topic, Deadline deadline) {
    return kafka::topic_settings(impl_->admin(deadline), topic, deadline);
}

void KafkaStore::change_topic_settings(const std::string& topic, const std::map<std::string, std::string>& changes, Deadline deadline) {
    std::map<std::string, std::string> settings = changes;
    for (const TopicSetting& setting : topic_settings(topic, deadline)) {
        if (setting.own) settings.emplace(setting.name, setting.value);
    }
    replace_topic_settings(impl_->admin(deadline), topic, settings, deadline);
}

Producer KafkaStore::producer(ProducerOptions options, Deadline deadline) {
    impl_->admin(deadline);
    auto made = std::make_unique<Producer::Impl>(impl_->target, std::move(options), impl_->log);
    made->init(deadline);
    return Producer(std::move(made));
}

Consumer KafkaStore::consumer(ConsumerOptions options, Deadline deadline) {
    impl_->admin(deadline);
    return Consumer(std::make_unique<Consumer::Impl>(impl_->target, std::move(options), impl_->log));
}

std::vector<Record> KafkaStore::read_all(const std::string& name, Deadline deadline) {
    const auto found = topic(name, deadline);
    return found ? read_topic(impl_->target, *found, impl_->log, deadline) : std::vector<Record>();
}

ChangeSink* KafkaStore::changes() { return impl_->changes.get(); }
ChangeBus* KafkaStore::bus() { return impl_->bus.get(); }

std::unique_ptr<Store> open(const StoreConfig& config) { return std::make_unique<KafkaStore>(config); }

KafkaStore& as_kafka(Store& store) {
    auto* kafka = dynamic_cast<KafkaStore*>(&store);
    if (kafka == nullptr) throw Error(Code::refused, "store '" + store.name() + "' is not a Kafka store", "name a store whose url begins with kafka://");
    return *kafka;
}

}  // namespace ysdb::kafka
