#include "core/store/kafka/admin.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

#include "core/store/kafka/errors.h"

namespace ysdb::kafka {

namespace {

int left_ms(Deadline deadline) { return static_cast<int>(std::clamp<Millis::rep>(deadline.left().count(), 1, 3'600'000)); }

using Options = std::unique_ptr<rd_kafka_AdminOptions_t, void (*)(rd_kafka_AdminOptions_t*)>;

Options options_for(Client& client, rd_kafka_admin_op_t operation, Deadline deadline) {
    Options options(rd_kafka_AdminOptions_new(client.handle(), operation), rd_kafka_AdminOptions_destroy);
    rd_kafka_AdminOptions_set_request_timeout(options.get(), left_ms(deadline), nullptr, 0);
    rd_kafka_AdminOptions_set_operation_timeout(options.get(), left_ms(deadline), nullptr, 0);  // until the brokers know of it
    return options;
}

// Owns `Object`s of the library and shows them to it as an array.
template <class Object, void (*destroy)(Object*)>
struct Objects {
    struct Destroy {
        void operator()(Object* object) const { destroy(object); }
    };
    std::vector<std::unique_ptr<Object, Destroy>> owned;
    std::vector<Object*> array;
    Object* add(Object* object) {
        owned.emplace_back(object);
        array.push_back(object);
        return object;
    }
};

std::vector<std::optional<Error>> to_results(const Target& target, const std::string& doing, const rd_kafka_topic_result_t** results, std::size_t count,
                                             std::span<const std::string> names) {
    std::vector<std::optional<Error>> outcome(names.size());
    for (std::size_t i = 0; i < count; ++i) {
        const int code = rd_kafka_topic_result_error(results[i]);
        const char* text = rd_kafka_topic_result_error_string(results[i]);
        const auto at = std::find(names.begin(), names.end(), rd_kafka_topic_result_name(results[i]));
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || at == names.end()) continue;
        outcome[static_cast<std::size_t>(at - names.begin())] = kafka_error(target, doing + " " + *at, code, text == nullptr ? "" : text);
    }
    return outcome;
}

std::vector<int> to_vector(const std::int32_t* first, int count) { return {first, first + count}; }

}  // namespace

Cluster cluster(Client& client, Deadline deadline) {
    const auto metadata = client.metadata(deadline);
    Cluster cluster;
    for (int i = 0; i < metadata->broker_cnt; ++i) {
        const rd_kafka_metadata_broker_t& broker = metadata->brokers[i];
        cluster.brokers.push_back({broker.id, Endpoint{broker.host, broker.port}.text()});
    }
    // Both are known since the metadata came.
    const std::unique_ptr<char, void (*)(char*)> id(rd_kafka_clusterid(client.handle(), left_ms(deadline)), [](char* text) { rd_kafka_mem_free(nullptr, text); });
    if (id) cluster.id = id.get();
    cluster.controller = rd_kafka_controllerid(client.handle(), left_ms(deadline));
    return cluster;
}

std::vector<Topic> topics(Client& client, Deadline deadline) {
    const auto metadata = client.metadata(deadline);
    std::vector<Topic> topics;
    for (int t = 0; t < metadata->topic_cnt; ++t) {
        const rd_kafka_metadata_topic_t& from = metadata->topics[t];
        if (from.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) continue;  // being deleted
        Topic topic{from.topic, {}};
        for (int p = 0; p < from.partition_cnt; ++p) {
            const rd_kafka_metadata_partition_t& part = from.partitions[p];
            topic.partitions.push_back({part.id, part.leader, to_vector(part.replicas, part.replica_cnt), to_vector(part.isrs, part.isr_cnt)});
        }
        std::sort(topic.partitions.begin(), topic.partitions.end(), [](const Partition& a, const Partition& b) { return a.id < b.id; });
        topics.push_back(std::move(topic));
    }
    std::sort(topics.begin(), topics.end(), [](const Topic& a, const Topic& b) { return a.name < b.name; });
    return topics;
}

std::vector<Group> groups(Client& client, Deadline deadline) {
    const Options options = options_for(client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, deadline);
    EventQueue queue(client);
    rd_kafka_ListConsumerGroups(client.handle(), options.get(), queue.get());
    const auto event = queue.answer("list the consumer groups", deadline);
    const rd_kafka_ListConsumerGroups_result_t* result = rd_kafka_event_ListConsumerGroups_result(event.get());
    std::size_t count = 0;
    const rd_kafka_error_t** errors = rd_kafka_ListConsumerGroups_result_errors(result, &count);
    if (count > 0) throw kafka_error(client.target(), "list the consumer groups", rd_kafka_error_code(errors[0]), rd_kafka_error_string(errors[0]));
    const rd_kafka_ConsumerGroupListing_t** listed = rd_kafka_ListConsumerGroups_result_valid(result, &count);
    std::vector<Group> groups;
    for (std::size_t i = 0; i < count; ++i) {
        groups.push_back({rd_kafka_ConsumerGroupListing_group_id(listed[i]), rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupListing_state(listed[i]))});
    }
    std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.name < b.name; });
    return groups;
}

std::vector<std::optional<Error>> create_topics(Client& client, std::span<const NewTopic> topics, bool validate_only, Deadline deadline) {
    Objects<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy> wanted;
    std::vector<std::string> names;
    for (const NewTopic& topic : topics) {
        std::array<char, 512> reason{};
        rd_kafka_NewTopic_t* made = rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, topic.replication, reason.data(), reason.size());
        if (made == nullptr) throw Error(Code::rejected, "store '" + client.target().store + "': create topic " + topic.name + ": " + reason.data());
        wanted.add(made);
        for (const auto& [key, value] : topic.settings) rd_kafka_NewTopic_set_config(made, key.c_str(), value.c_str());
        names.push_back(topic.name);
    }
    const Options options = options_for(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, deadline);
    rd_kafka_AdminOptions_set_validate_only(options.get(), validate_only ? 1 : 0, nullptr, 0);
    EventQueue queue(client);
    rd_kafka_CreateTopics(client.handle(), wanted.array.data(), wanted.array.size(), options.get(), queue.get());
    const auto event = queue.answer("create topics", deadline);
    std::size_t count = 0;
    const rd_kafka_topic_result_t** results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
    return to_results(client.target(), "create topic", results, count, names);
}

std::vector<std::optional<Error>> delete_topics(Client& client, std::span<const std::string> names, Deadline deadline) {
    Objects<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy> doomed;
    for (const std::string& name : names) doomed.add(rd_kafka_DeleteTopic_new(name.c_str()));
    const Options options = options_for(client, RD_KAFKA_ADMIN_OP_DELETETOPICS, deadline);
    EventQueue queue(client);
    rd_kafka_DeleteTopics(client.handle(), doomed.array.data(), doomed.array.size(), options.get(), queue.get());
    const auto event = queue.answer("delete topics", deadline);
    std::size_t count = 0;
    const rd_kafka_topic_result_t** results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event.get()), &count);
    return to_results(client.target(), "delete topic", results, count, names);
}

std::vector<TopicSetting> topic_settings(Client& client, const std::string& topic, Deadline deadline) {
    Objects<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy> asked;
    asked.add(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    const Options options = options_for(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, deadline);
    EventQueue queue(client);
    rd_kafka_DescribeConfigs(client.handle(), asked.array.data(), asked.array.size(), options.get(), queue.get());
    const auto event = queue.answer("read the settings of topic " + topic, deadline);
    std::size_t count = 0;
    const rd_kafka_ConfigResource_t** resources = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
    std::vector<TopicSetting> settings;
    for (std::size_t i = 0; i < count; ++i) {
        if (const int code = rd_kafka_ConfigResource_error(resources[i]); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            throw kafka_error(client.target(), "read the settings of topic " + topic, code, {});
        }
        std::size_t entries = 0;
        const rd_kafka_ConfigEntry_t** entry = rd_kafka_ConfigResource_configs(resources[i], &entries);
        for (std::size_t e = 0; e < entries; ++e) {
            const char* value = rd_kafka_ConfigEntry_value(entry[e]);
            settings.push_back({rd_kafka_ConfigEntry_name(entry[e]), value == nullptr ? "" : value,
                                rd_kafka_ConfigEntry_source(entry[e]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG});
        }
    }
    std::sort(settings.begin(), settings.end(), [](const TopicSetting& a, const TopicSetting& b) { return a.name < b.name; });
    return settings;
}

void replace_topic_settings(Client& client, const std::string& topic, const std::map<std::string, std::string>& settings, Deadline deadline) {
    Objects<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy> changed;
    rd_kafka_ConfigResource_t* resource = changed.add(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    for (const auto& [key, value] : settings) rd_kafka_ConfigResource_set_config(resource, key.c_str(), value.c_str());
    const Options options = options_for(client, RD_KAFKA_ADMIN_OP_ALTERCONFIGS, deadline);
    EventQueue queue(client);
    rd_kafka_AlterConfigs(client.handle(), changed.array.data(), changed.array.size(), options.get(), queue.get());
    const std::string doing = "change the settings of topic " + topic;
    const auto event = queue.answer(doing, deadline);
    std::size_t count = 0;
    const rd_kafka_ConfigResource_t** resources = rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
        if (const int code = rd_kafka_ConfigResource_error(resources[i]); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            const char* text = rd_kafka_ConfigResource_error_string(resources[i]);
            throw kafka_error(client.target(), doing, code, text == nullptr ? "" : text);
        }
    }
}

}  // namespace ysdb::kafka
