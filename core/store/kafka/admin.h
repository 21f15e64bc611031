// Topics, their settings and consumer groups: one request each over a client of the library.
#pragma once

#include "core/store/kafka/client.h"

namespace ysdb::kafka {

Cluster cluster(Client& client, Deadline deadline);
std::vector<Topic> topics(Client& client, Deadline deadline);
std::vector<Group> groups(Client& client, Deadline deadline);
std::vector<std::optional<Error>> create_topics(Client& client, std::span<const NewTopic> topics, bool validate_only, Deadline deadline);
std::vector<std::optional<Error>> delete_topics(Client& client, std::span<const std::string> names, Deadline deadline);
std::vector<TopicSetting> topic_settings(Client& client, const std::string& topic, Deadline deadline);
// Replaces all of the topic's own settings.
void replace_topic_settings(Client& client, const std::string& topic, const std::map<std::string, std::string>& settings, Deadline deadline);

}  // namespace ysdb::kafka
