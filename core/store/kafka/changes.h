// Changes into Kafka: a record a change, keyed by the primary key, so that the changes of one row keep their order (law 9).
//
//   key       the primary key as a JSON object: {"id":7}
//   value     format json (default): core/store/change_json.h; format debezium: debezium.h, and a tombstone behind each removal
//   headers   ysdb-version: the row's version, 32 hexadecimal digits that compare as text
// A truncation is told to every partition, with the key {}. A changed key comes as a removal and a row.
//
// With transactional = true the records since the last flush are one transaction, and with them the version of the last one, in the compacted topic
// `ysdb.<set>.positions` (key: topic and table). What is told again up to there is left out: whoever reads committed records only sees each change once.
// A writer takes the place of every other of its set and table, and goes on behind what that one has committed: also two that write in turns tell no change twice.
//
// Otherwise at least once: what failed is told again with the same versions. A topic that does not exist is made with the landing's partitions and
// retention; one that does is left as it is. A record that the topic is too small for is told as rejected.
#pragma once

#include <memory>

#include "core/store/changes.h"

namespace ysdb::kafka {

class KafkaStore;

// Must not outlive the store.
std::unique_ptr<ChangeSink> change_sink(KafkaStore& store);

std::string positions_topic(const std::string& set);

}  // namespace ysdb::kafka
