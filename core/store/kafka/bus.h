// Kafka as the bus of a sync set: `sync run --to STORE` tells a set's changes once, any number of `sync run --from STORE` apply them.
//
// Two topics a set. `ysdb.<set>.changes` has a record a change (bus_message.h), keyed by table and primary key, so that the changes of one row
// keep their order. What concerns a whole table is a mark in every partition: a change of columns, a truncation, a halt, the beginning and the
// end of a copy. Marks are numbered; all partitions have them in the same order. `ysdb.<set>.shapes` is compacted and holds what a member that
// starts in the middle needs: every shape by its hash, the number of the last mark, the epoch, where the last whole copy of each table begins.
//
// Reading stops at a mark until the group has committed, in every partition, everything before it: a position is committed with the number of
// the mark it stands at. What a mark does to the sinks is done by whoever has partition 0, and durable, before anybody else goes on. So nothing
// that was told before a change of columns is written after it, whoever wrote it, and nobody alters a table twice while others write.
//
// A member that was stopped (SIGSTOP, a machine that sleeps) may wake with rows in hand that are another's by now. Whoever reads a bus later than
// `late_after` the last time asks the broker first, which takes positions from members only: a read that returns says that the partitions
// were this member's when it began. What is written relies on that for some seconds (core/sync/member.cpp).
#pragma once

#include <memory>
#include <string>

#include "core/store/changes.h"

namespace ysdb::kafka {

class KafkaStore;

// Must not outlive the store.
std::unique_ptr<ChangeBus> change_bus(KafkaStore& store);

constexpr Millis bus_session{10'000};   // the broker gives a silent member's partitions to others; the client library speaks every three seconds
constexpr Millis late_after{4'000};

std::string bus_topic(const std::string& set);
std::string shapes_topic(const std::string& set);

std::unique_ptr<ChangeSink> bus_sink(KafkaStore& store);
// Another's topics as a bus: BusOptions::format debezium.
std::unique_ptr<BusReader> open_debezium(KafkaStore& store, const BusOptions& options, Deadline deadline);
std::unique_ptr<BusReader> open_bus(KafkaStore& store, const BusOptions& options, Deadline deadline);
std::unique_ptr<BusGroup> look_at_group(KafkaStore& store, const std::string& set, const std::string& group, Deadline deadline);

}  // namespace ysdb::kafka
