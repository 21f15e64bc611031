// Debezium's topics read as a bus (debezium_event.h): a topic a table, a record an event, no marks. Whatever is told twice, or late, is known by its
// version: the position of the change itself in the log, which grows with each change of one row.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/store/kafka/bus.h"
#include "core/store/kafka/debezium_event.h"
#include "core/store/kafka/kafka.h"
#include "core/store/segment_builder.h"

namespace ysdb::kafka {

namespace {

constexpr Millis commit_every{1'000};
constexpr Millis call{30'000}, farewell{5'000};
constexpr Millis join_within{10'000};
constexpr std::size_t records_at_once = 5'000;

using PartitionId = std::pair<std::string, int>;   // topic

struct Followed {
    std::shared_ptr<const TableInfo> table;   // null: nothing was told yet
    SegmentBuilder::Open open;
    bool halted = false;
};

class DebeziumReader final : public BusReader {
public:
    DebeziumReader(KafkaStore& store, BusOptions options, Deadline deadline) : store_(store), options_(std::move(options)) {
        ConsumerOptions consumer;
        for (const TableRef& table : options_.tables) {
            const std::string topic = topic_of(table);
            const auto found = store_.topic(topic, deadline);
            if (!found) throw Error(Code::refused, "store '" + store_.name() + "' has no topic " + topic, "is the connector's topic.prefix in --topic, and has it told anything of " + table.text() + "?");
            for (const kafka::Partition& partition : found->partitions) all_.push_back({topic, partition.id, -1});
            followed_[table];
            consumer.topics.push_back(topic);
        }
        consumer.group = options_.group;
        consumer.strict = true;
        consumer.session_timeout = bus_session;
        consumer.on_start = [this](std::vector<Position>& positions) { start(positions); };
        consumer.on_revoked = [this](const std::vector<Position>& positions, bool lost) { revoke(positions, lost); };
        consumer_.emplace(store_.consumer(std::move(consumer), deadline));
    }
    // Leaves while the members that it calls back into are whole.
    ~DebeziumReader() override {
        options_.settle = {};
        consumer_->close(Deadline::after(farewell));
    }

    Segment read(Millis wait, bool full, std::stop_token stop) override {
        if (stop.stop_requested()) throw Error(Code::interrupted, "interrupted while waiting for changes");
        const auto now = SteadyClock::now();
        if (now - read_ > late_after) ask_whether_member();
        Segment segment;
        builder_.begin(segment);
        rest(full);
        bool moved = false;
        for (const Record& record : poll(wait)) {
            const auto place = next_.find({record.topic, record.partition});
            if (place == next_.end()) continue;   // it went meanwhile
            if (record.value) take(record);       // none: the tombstone behind a removal
            place->second = record.offset + 1;
            moved = true;
        }
        if (moved) {
            segment.complete = ++number_;
            told_[number_] = next_;
        }
        builder_.end();
        read_ = now;
        return segment;
    }

    void acknowledge(std::uint64_t complete, bool at_once) override {
        while (!told_.empty() && told_.begin()->first <= complete) {
            for (const auto& [id, next] : told_.begin()->second) durable_[id] = next;
            told_.erase(told_.begin());
        }
        if (at_once || SteadyClock::now() - tried_ > commit_every) commit();
    }

    bool caught_up(Deadline deadline) override {
        if (!joined_ && SteadyClock::now() - opened_ < join_within) return false;   // leaving in the middle of joining takes as long
        if (targets_.empty()) {
            for (const Position& partition : all_) targets_[{partition.topic, partition.partition}] = consumer_->extent(partition.topic, partition.partition, deadline).high;
        }
        for (const Position& position : consumer_->committed(all_, deadline)) {
            if (position.offset < targets_[{position.topic, position.partition}]) return false;
        }
        return true;
    }

private:
    std::string topic_of(const TableRef& table) const {
        std::string topic = options_.topic;
        for (const auto& [name, value] : {std::pair<std::string_view, const std::string&>("{schema}", table.schema), {"{table}", table.table}}) {
            for (auto at = topic.find(name); at != std::string::npos; at = topic.find(name, at + value.size())) topic.replace(at, name.size(), value);
        }
        return topic;
    }

    void start(std::vector<Position>& positions) {   // called by the library: throws nothing
        joined_ = true;
        try {
            const auto committed = consumer_->committed(positions, Deadline::after(call));
            for (std::size_t i = 0; i < positions.size(); ++i) {
                const Extent extent = consumer_->extent(positions[i].topic, positions[i].partition, Deadline::after(call));
                const std::int64_t next = committed[i].offset < 0 ? extent.low : committed[i].offset;
                if (next < extent.low) {
                    throw Error(Code::refused, "store '" + store_.name() + "': topic " + positions[i].topic + ", partition " + std::to_string(positions[i].partition) + " begins at offset " +
                                                   std::to_string(extent.low) + ", group " + options_.group + " has read up to " + std::to_string(next) + ": what lies between is gone",
                                "have the connector take a new snapshot, and begin with another --group");
                }
                positions[i].offset = next;
                const PartitionId id{positions[i].topic, positions[i].partition};
                next_[id] = durable_[id] = next;
                committed_[id] = committed[i].offset;
            }
            resting_.reset();   // those that came do not rest yet
        } catch (const Error& error) {
            failure_ = error;
        }
    }

    void revoke(const std::vector<Position>& positions, bool lost) {
        try {
            if (!lost && options_.settle) acknowledge(options_.settle(), true);
        } catch (const Error&) {
            lost = true;
        }
        for (const Position& position : positions) {
            const PartitionId id{position.topic, position.partition};
            if (!next_.contains(id)) continue;
            lost_ = lost_ || lost || committed_[id] != next_[id];
            next_.erase(id);
            durable_.erase(id);
            for (auto& [number, places] : told_) places.erase(id);
        }
    }

    void commit() {
        tried_ = SteadyClock::now();
        std::vector<Position> positions;
        for (const auto& [id, next] : durable_) {
            if (committed_[id] != next) positions.push_back({id.first, id.second, next});
        }
        if (positions.empty()) return;
        try {
            consumer_->commit(positions, Deadline::after(call));
        } catch (const Error& error) {
            static const std::set<std::string> not_now{"ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "REBALANCE_IN_PROGRESS", "FENCED_INSTANCE_ID", "_STATE", "_NO_OFFSET"};
            if (not_now.contains(error.server_code()) || error.retryable()) return;   // the next poll tells
            throw;
        }
        for (const Position& position : positions) committed_[{position.topic, position.partition}] = position.offset;
    }

    void ask_whether_member() {   // as bus_reader.cpp
        std::vector<Position> positions;
        for (const auto& [id, next] : durable_) positions.push_back({id.first, id.second, next});
        try {
            consumer_->commit(positions, Deadline::after(call));
        } catch (const Error& error) {
            throw Error(Code::connect, error.message() + ": the partitions that were this member's may be with others").with_retryable();
        }
    }

    void rest(bool full) {
        if (full == resting_) return;
        resting_ = full;
        for (const auto& [id, next] : next_) {
            if (full) consumer_->pause(id.first, id.second);
            else consumer_->resume(id.first, id.second);
        }
    }

    std::vector<Record> poll(Millis wait) {
        std::vector<Record> records = consumer_->poll(records_at_once, Deadline::after(wait));
        if (failure_) throw *std::exchange(failure_, std::nullopt);
        if (lost_) throw Error(Code::connect, "store '" + store_.name() + "': the partitions that were this member's went to others").with_retryable();
        return records;
    }

    void take(const Record& record) {
        try {
            take(DebeziumEvent(*record.value));
        } catch (const Error& error) {
            if (error.code() != Code::rejected || error.retryable()) throw;
            throw Error(Code::rejected, "store '" + store_.name() + "': topic " + record.topic + ", partition " + std::to_string(record.partition) + ", offset " + std::to_string(record.offset) +
                                            " is no change of sync " + options_.set + ": " + error.message(),
                        "to go on behind it, set the position of group " + options_.group + " to " + std::to_string(record.offset + 1));
        }
    }

    void take(const DebeziumEvent& event) {
        if (event.op() == 'm') return;
        const auto found = followed_.find(event.table());
        if (found == followed_.end() || found->second.halted) return;
        Followed& followed = found->second;
        const Version version{options_.epoch, event.lsn(), 1};
        if (followed.table == nullptr) describe(followed, found->first, version);
        if (const std::string why = event.strange_columns(*followed.table); !why.empty()) {
            followed.halted = true;
            return builder_.halt(followed.open, followed.table, version, why + ": Debezium does not tell what older rows hold there");
        }
        if (event.op() == 't') return builder_.truncate(followed.open, followed.table, version);
        ChangeBatch& changes = builder_.rows(followed.open, followed.table);
        const std::size_t before = changes.rows.byte_size();
        if (const auto refusal = event.add_row(changes.rows)) {
            builder_.reject({found->first, event.key_text(*followed.table), refusal->column, refusal->reason, version});
            return;
        }
        builder_.committed(event.committed());
        builder_.added(changes, before, event.op() == 'd' ? Op::remove : event.op() == 'u' ? Op::upsert : Op::insert, version);
        Segment& segment = builder_.segment();
        if (event.committed() == 0 || event.op() == 'r') return;
        if (segment.first_commit_micros == 0 || event.committed() < segment.first_commit_micros) segment.first_commit_micros = event.committed();
        segment.commit_micros = std::max(segment.commit_micros, event.committed());
    }

    void describe(Followed& followed, const TableRef& ref, const Version& version) {
        followed.table = std::make_shared<const TableInfo>(options_.describe(ref));
        SegmentPart part;
        part.kind = SegmentPart::Kind::shape;
        part.table = followed.table;
        part.version = version;
        builder_.add(followed.open, std::move(part));
    }

    KafkaStore& store_;
    BusOptions options_;
    std::vector<Position> all_;                                  // every partition of every topic
    std::map<TableRef, Followed> followed_;
    std::map<PartitionId, std::int64_t> next_, durable_;         // of this member's
    std::map<PartitionId, std::int64_t> committed_, targets_;
    std::map<std::uint64_t, std::map<PartitionId, std::int64_t>> told_;   // by segment, until it is durable
    SegmentBuilder builder_;
    std::uint64_t number_ = 0;
    bool lost_ = false;
    std::optional<bool> resting_;                                // none: not all alike
    std::optional<Error> failure_;
    bool joined_ = false;
    SteadyClock::time_point opened_ = SteadyClock::now();
    SteadyClock::time_point tried_{};
    SteadyClock::time_point read_ = SteadyClock::now();          // when the last read that returned began
    std::optional<Consumer> consumer_;                           // last: its end calls back
};

}  // namespace

std::unique_ptr<BusReader> open_debezium(KafkaStore& store, const BusOptions& options, Deadline deadline) { return std::make_unique<DebeziumReader>(store, options, deadline); }

}  // namespace ysdb::kafka
