// One member's reading of a bus (bus.h).
#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/store/kafka/bus.h"
#include "core/store/kafka/bus_topic.h"
#include "core/store/segment_builder.h"

namespace ysdb::kafka {

namespace {

constexpr Millis commit_every{1'000};
constexpr Millis look_every{50};           // at the others, while a mark is waited at
constexpr Millis call{30'000}, farewell{5'000};
constexpr Millis join_within{10'000};
constexpr std::size_t records_at_once = 5'000;
const char* const reset_hint = "ysdb sync reset   (the next sync run --to copies every table anew); raise the topic's retention";

// Where a partition is: of the next record to tell, and the last mark that reading came to.
struct Place {
    std::int64_t next = -1;
    std::uint64_t mark = 0;
    bool passed = true;               // it is behind
    bool operator==(const Place&) const = default;
};

struct Partition {
    Place place;                              // everything before was told
    Place committed;
    std::deque<Record> held;                  // behind a mark; the mark itself first
    bool waiting = false;                     // at held.front()
};

struct Followed {
    std::shared_ptr<const TableInfo> table;   // in the shape told last
    std::uint64_t shape = 0;
    SegmentBuilder::Open open;
};

// Kept with the position: "ysdb mark 7" when that is the next record, "ysdb mark 7 passed" further on.
constexpr std::string_view note_begins = "ysdb mark ", note_ends = " passed";

Position to_position(const std::string& topic, int partition, const Place& place) {
    return {topic, partition, place.next, std::string(note_begins) + std::to_string(place.mark) + (place.passed ? std::string(note_ends) : "")};
}

Place to_place(const Position& position) {
    Place place;
    place.next = position.offset;
    const std::string& note = position.note;
    if (note.starts_with(note_begins)) {
        std::from_chars(note.data() + note_begins.size(), note.data() + note.size(), place.mark);
        place.passed = note.ends_with(note_ends);
    }
    return place;
}

class Reader final : public BusReader {
public:
    Reader(KafkaStore& store, BusOptions options, Deadline deadline) : store_(store), options_(std::move(options)), topic_(bus_topic(options_.set)) {
        const auto topic = store_.topic(topic_, deadline);
        if (!topic) throw Error(Code::refused, "store '" + store_.name() + "' has no topic " + topic_ + ": nothing was told there yet", "ysdb sync run --to " + store_.name() + "   (once, beside the members)");
        for (const kafka::Partition& partition : topic->partitions) all_.push_back({topic_, partition.id, -1});
        memory_ = read_memory(store_, options_.set, deadline);
        opened_at_ = memory_.mark;
        for (const TableRef& table : options_.tables) followed_[table];
        ConsumerOptions consumer;
        consumer.group = options_.group;
        consumer.topics = {topic_};
        consumer.strict = true;
        consumer.session_timeout = bus_session;
        consumer.on_start = [this](std::vector<Position>& positions) { start(positions); };
        consumer.on_revoked = [this](const std::vector<Position>& positions, bool lost) { revoke(positions, lost); };
        consumer_.emplace(store_.consumer(std::move(consumer), deadline));
    }

    // Leaves while the members that it calls back into are whole; a consumer that is being destroyed is none.
    ~Reader() override {
        options_.settle = {};
        consumer_->close(Deadline::after(farewell));
    }

    Segment read(Millis wait, bool full, std::stop_token stop) override {
        const auto now = SteadyClock::now();
        Segment segment;
        builder_.begin(segment);
        moved_ = false;
        if (stop.stop_requested()) throw Error(Code::interrupted, "interrupted while waiting for changes");
        if (now - read_ > late_after) ask_whether_member();
        rest(full);
        if (!full) pass_marks();
        // One poll a segment: partitions come and go in there, and what was told must have been handed out by then.
        if (!moved_) {
            for (const Record& record : poll(full || any_waiting() ? std::min(wait, look_every) : wait)) take(record);
        }
        if (moved_) {
            segment.complete = ++number_;
            for (const auto& [id, partition] : partitions_) told_[number_][id] = partition.place;
        }
        builder_.end();
        read_ = now;
        return segment;
    }

    void acknowledge(std::uint64_t complete, bool at_once) override {
        while (!told_.empty() && told_.begin()->first <= complete) {
            for (const auto& [id, place] : told_.begin()->second) durable_[id] = place;
            told_.erase(told_.begin());
        }
        const auto since = SteadyClock::now() - tried_;
        if (at_once || since > (awaited() ? look_every : commit_every)) commit();
    }

    bool caught_up(Deadline deadline) override {
        if (!joined_ && SteadyClock::now() - opened_ < join_within) return false;   // leaving in the middle of joining takes as long
        if (targets_.empty()) {
            for (const Position& partition : all_) targets_[partition.partition] = consumer_->extent(topic_, partition.partition, deadline).high;
        }
        for (const Position& position : consumer_->committed(all_, deadline)) {
            if (position.offset < targets_[position.partition]) return false;
        }
        return true;
    }

private:
    bool any_waiting() const {
        return std::any_of(partitions_.begin(), partitions_.end(), [](const auto& entry) { return entry.second.waiting; });
    }

    // Somebody stands at a mark until this is committed.
    bool awaited() const {
        return any_waiting() || std::any_of(partitions_.begin(), partitions_.end(), [](const auto& entry) { return entry.second.place.passed && !entry.second.committed.passed; });
    }

    // What is durable is committed once more: the broker takes it from a member only, and says so at once, where poll() may hear it a moment later.
    void ask_whether_member() {
        std::vector<Position> positions;
        for (const auto& [id, place] : durable_) positions.push_back(to_position(topic_, id, place));
        try {
            consumer_->commit(positions, Deadline::after(call));
        } catch (const Error& error) {
            throw Error(Code::connect, error.message() + ": the partitions of " + topic_ + " that were this member's may be with others").with_retryable();
        }
    }

    // Takes nothing more, or goes on.
    void rest(bool full) {
        if (full == resting_) return;
        resting_ = full;
        for (const auto& [id, partition] : partitions_) {
            if (partition.waiting) continue;
            if (full) consumer_->pause(topic_, id);
            else consumer_->resume(topic_, id);
        }
    }

    std::vector<Record> poll(Millis wait) {
        try {
            std::vector<Record> records = consumer_->poll(records_at_once, Deadline::after(wait));
            if (failure_) throw *std::exchange(failure_, std::nullopt);
            if (lost_) throw Error(Code::connect, "store '" + store_.name() + "': the partitions of " + topic_ + " that were this member's went to others").with_retryable();
            return records;
        } catch (const Error& error) {
            if (error.server_code() != "_AUTO_OFFSET_RESET" && error.server_code() != "OFFSET_OUT_OF_RANGE") throw;
            throw Error(Code::refused, error.message() + ": what group " + options_.group + " had still to read is gone", reset_hint);
        }
    }

    // --- partitions come and go ---

    // Throws nothing: it is called by the library.
    void start(std::vector<Position>& positions) {
        joined_ = true;
        try {
            const auto committed = consumer_of()->committed(positions, Deadline::after(call));
            for (std::size_t i = 0; i < positions.size(); ++i) {
                Partition partition;
                const Extent extent = consumer_of()->extent(topic_, positions[i].partition, Deadline::after(call));
                partition.committed = to_place(committed[i]);
                partition.place = partition.committed;
                if (committed[i].offset < 0) partition.place = {begin_of(positions[i].partition, extent), 0, true};
                if (partition.place.next < extent.low) throw gone(positions[i].partition, partition.place.next, extent.low);
                positions[i].offset = partition.place.next;
                // Also where nothing is told: others wait for what this one has reached.
                durable_[positions[i].partition] = partition.place;
                resting_.reset();   // those that came do not rest yet
                partitions_[positions[i].partition] = std::move(partition);
            }
        } catch (const Error& error) {
            failure_ = error;
        }
    }

    Consumer* consumer_of() { return &*consumer_; }

    // A new group begins with the last whole copies.
    std::int64_t begin_of(int partition, const Extent& extent) const {
        std::optional<std::int64_t> begin;
        for (const auto& [table, begins] : memory_.copies) {
            const auto found = begins.find(partition);
            if (!followed_.contains(table) || found == begins.end()) continue;
            begin = std::min(begin.value_or(found->second), found->second);
        }
        return begin.value_or(extent.low);
    }

    Error gone(int partition, std::int64_t wanted, std::int64_t low) const {
        return Error(Code::refused, "store '" + store_.name() + "': topic " + topic_ + ", partition " + std::to_string(partition) + " begins at offset " + std::to_string(low) + ", group " + options_.group +
                                        " has read up to " + std::to_string(wanted) + ": what lies between is gone",
                     reset_hint);
    }

    // What was told is made durable and committed, so that the next owner goes on there. What could not be is told again by that one: then nothing
    // of it may be written here any more.
    void revoke(const std::vector<Position>& positions, bool lost) {
        try {
            if (!lost && options_.settle) acknowledge(options_.settle(), true);
            if (!lost) commit();
        } catch (const Error&) {
            lost = true;
        }
        for (const Position& position : positions) {
            const auto found = partitions_.find(position.partition);
            if (found == partitions_.end()) continue;
            lost_ = lost_ || lost || found->second.committed != found->second.place;
            partitions_.erase(found);
            durable_.erase(position.partition);
            for (auto& [number, places] : told_) places.erase(position.partition);
        }
    }

    void commit() {
        tried_ = SteadyClock::now();
        std::vector<Position> positions;
        for (const auto& [id, place] : durable_) {
            const auto found = partitions_.find(id);
            if (found != partitions_.end() && found->second.committed != place) positions.push_back(to_position(topic_, id, place));
        }
        if (positions.empty()) return;
        try {
            consumer_->commit(positions, Deadline::after(call));
        } catch (const Error& error) {
            // Whether this is still a member is told by the next poll; until then nothing counts as committed.
            static const std::set<std::string> not_now{"ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "REBALANCE_IN_PROGRESS", "FENCED_INSTANCE_ID", "_STATE", "_NO_OFFSET"};
            if (not_now.contains(error.server_code()) || error.retryable()) return;
            throw;
        }
        for (const Position& position : positions) partitions_[position.partition].committed = to_place(position);
    }

    // --- records ---

    void take(const Record& record) {
        const auto found = partitions_.find(record.partition);
        if (found == partitions_.end()) return;   // it went meanwhile
        Partition& partition = found->second;
        if (partition.waiting) {
            partition.held.push_back(record);
            return;
        }
        std::string_view bytes = record.value ? std::string_view(*record.value) : std::string_view();
        const auto head = take_head(bytes);
        if (!head) throw foreign(record, "it does not begin like a change");
        if (head->kind != BusKind::row) {
            const auto mark = take_mark(bytes);
            if (!mark) throw foreign(record, "a mark that cannot be read");
            partition.held.push_back(record);
            partition.waiting = true;
            partition.place = {record.offset, mark->number, false};
            consumer_->pause(topic_, record.partition);
        } else {
            row(record, *head, bytes);
            partition.place.next = record.offset + 1;
        }
        moved_ = true;
    }

    Error foreign(const Record& record, const std::string& what) const {
        return Error(Code::rejected, "store '" + store_.name() + "': topic " + record.topic + ", partition " + std::to_string(record.partition) + ", offset " + std::to_string(record.offset) +
                                         " is no change of sync " + options_.set + ": " + what,
                     "somebody else writes to this topic; to go on behind it, set the position of group " + options_.group + " to " + std::to_string(record.offset + 1));
    }

    const std::string& shape_text(const Record& record, std::uint64_t hash) {
        if (!memory_.shapes.contains(hash)) memory_ = read_memory(store_, options_.set, Deadline::after(call));
        const auto found = memory_.shapes.find(hash);
        if (found == memory_.shapes.end()) throw foreign(record, "its table's columns are not in " + shapes_topic(options_.set));
        return found->second;
    }

    std::shared_ptr<const TableInfo> shape(const Record& record, std::uint64_t hash) {
        auto& table = shapes_[hash];
        if (table == nullptr) table = std::make_shared<const TableInfo>(parse_shape(shape_text(record, hash)));
        return table;
    }

    void row(const Record& record, const BusHead& head, std::string_view bytes) {
        const auto table = shape(record, head.shape);
        const auto found = followed_.find(table->ref);
        if (found == followed_.end()) return;   // a table that left the set
        Followed& followed = found->second;
        if (followed.table == nullptr || followed.shape != head.shape) tell_shape(followed, table, head, {});
        ChangeBatch& changes = builder_.rows(followed.open, followed.table);
        const std::size_t before = changes.rows.byte_size();
        if (!take_row(bytes, changes.rows)) throw foreign(record, "its cells are not those of " + table->ref.text());
        builder_.committed(head.committed);
        builder_.added(changes, before, head.op, head.version);
        if (head.committed == 0) return;
        Segment& segment = builder_.segment();
        if (segment.first_commit_micros == 0 || head.committed < segment.first_commit_micros) segment.first_commit_micros = head.committed;
        segment.commit_micros = std::max(segment.commit_micros, head.committed);
    }

    void tell_shape(Followed& followed, const std::shared_ptr<const TableInfo>& table, const BusHead& head, std::vector<ColumnChange> changes) {
        SegmentPart part;
        part.kind = SegmentPart::Kind::shape;
        part.table = table;
        part.version = head.version;
        part.columns = std::move(changes);
        builder_.add(followed.open, std::move(part));
        followed.table = table;
        followed.shape = head.shape;
    }

    // --- marks ---

    // Tells marks that everybody has reached, and what lies behind them up to the next.
    void pass_marks() {
        const bool any = std::any_of(partitions_.begin(), partitions_.end(), [](const auto& entry) { return entry.second.waiting && entry.second.committed == entry.second.place; });
        if (!any || SteadyClock::now() - looked_ < look_every) return;
        looked_ = SteadyClock::now();
        std::uint64_t reached = UINT64_MAX, done = 0;   // by all; by whoever has partition 0
        for (const Position& position : consumer_->committed(all_, Deadline::after(call))) {
            const Place place = to_place(position);
            reached = std::min(reached, place.mark);
            if (position.partition == 0) done = place.passed || place.mark == 0 ? place.mark : place.mark - 1;
        }
        for (auto& [id, partition] : partitions_) {
            if (!partition.waiting || partition.place.mark > reached || partition.committed != partition.place) continue;
            if (id != 0 && partition.place.mark > done) continue;
            const Record mark = std::move(partition.held.front());
            partition.held.pop_front();
            tell_mark(mark);
            partition.waiting = false;
            partition.place.next = mark.offset + 1;
            partition.place.passed = true;
            moved_ = true;
            std::deque<Record> held = std::move(partition.held);
            partition.held.clear();
            for (const Record& record : held) take(record);
            if (!partition.waiting) consumer_->resume(topic_, id);
        }
    }

    // What a member has to know is told once, what is done to a sink is by whoever has partition 0.
    void tell_mark(const Record& record) {
        std::string_view bytes = *record.value;
        const BusHead head = *take_head(bytes);
        const BusMark mark = *take_mark(bytes);
        const auto table = shape(record, head.shape);
        const auto found = followed_.find(table->ref);
        if (found == followed_.end()) {
            if (head.kind != BusKind::renew || mark.number <= opened_at_) return;   // a table that left the set
            throw Error(Code::refused, "sync " + options_.set + ": " + table->ref.text() + " is told to the bus, and not configured here", "give this member the configuration that sync run --to has");
        }
        Followed& followed = found->second;
        if (head.kind == BusKind::truncate || head.kind == BusKind::whole) {
            if (record.partition != 0) return;
            if (followed.table == nullptr || followed.shape != head.shape) tell_shape(followed, table, head, {});   // maybe the first that is told of it here
            return builder_.truncate(followed.open, table, head.version);
        }
        if (record.partition != 0 && mark.number <= told_mark_) return;
        told_mark_ = std::max(told_mark_, mark.number);
        if (head.kind == BusKind::halt) return builder_.halt(followed.open, table, head.version, mark.reason);
        if (head.kind == BusKind::renew) {
            SegmentPart part;
            part.kind = SegmentPart::Kind::renew;
            part.table = table;
            part.version = head.version;
            builder_.add(followed.open, std::move(part));
        }
        tell_shape(followed, table, head, record.partition == 0 ? mark.changes : std::vector<ColumnChange>());   // elsewhere it is done
    }

    KafkaStore& store_;
    BusOptions options_;
    std::string topic_;
    std::vector<Position> all_;                                  // every partition
    BusMemory memory_;
    std::map<std::uint64_t, std::shared_ptr<const TableInfo>> shapes_;
    std::map<TableRef, Followed> followed_;
    std::map<int, Partition> partitions_;                        // this member's
    std::map<std::uint64_t, std::map<int, Place>> told_;         // by segment, until it is durable
    std::map<int, Place> durable_;
    std::map<int, std::int64_t> targets_;
    SegmentBuilder builder_;
    std::uint64_t number_ = 0, told_mark_ = 0, opened_at_ = 0;
    bool moved_ = false, lost_ = false;
    std::optional<bool> resting_;                                // none: not all alike
    std::optional<Error> failure_;
    bool joined_ = false;
    SteadyClock::time_point opened_ = SteadyClock::now();
    SteadyClock::time_point tried_{}, looked_{};
    SteadyClock::time_point read_ = SteadyClock::now();          // when the last read that returned began
    std::optional<Consumer> consumer_;                           // last: its end calls back
};

}  // namespace

std::unique_ptr<BusReader> open_bus(KafkaStore& store, const BusOptions& options, Deadline deadline) { return std::make_unique<Reader>(store, options, deadline); }

}  // namespace ysdb::kafka
