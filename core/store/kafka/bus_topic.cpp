#include "core/store/kafka/bus_topic.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/fault.h"
#include "core/base/text.h"
#include "core/store/kafka/bus.h"

namespace ysdb::kafka {

namespace {

using nlohmann::json;

constexpr int default_partitions = 12;
constexpr std::size_t largest_message = 64u << 20;

std::string table_text(const TableRef& table) { return json::array({table.schema, table.table}).dump(); }
TableRef table_of(const std::string& text) {
    const json in = json::parse(text);
    return {in.at(0), in.at(1)};
}

std::uint64_t number_of(std::string_view text, int base = 10) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc() || end != text.data() + text.size()) throw Error(Code::rejected, "'" + std::string(text) + "' is no number");
    return number;
}

std::string hex(std::uint64_t number) {
    char text[17];
    const auto [end, error] = std::to_chars(text, text + sizeof text, number, 16);
    static_cast<void>(error);
    return {text, end};
}

// Keys: "shape HASH", "table REF", "copy REF", "mark", "epoch".
void take_memory(BusMemory& memory, const std::string& key, const std::string& value) {
    const auto space = key.find(' ');
    const std::string what = key.substr(0, space), rest = space == std::string::npos ? "" : key.substr(space + 1);
    if (what == "mark") memory.mark = std::max(memory.mark, number_of(value));
    else if (what == "epoch") memory.epoch = std::max(memory.epoch, static_cast<std::uint32_t>(number_of(value)));
    else if (what == "shape") memory.shapes[number_of(rest, 16)] = value;
    else if (what == "table") memory.newest[table_of(rest)] = number_of(value, 16);
    else if (what == "copy") {
        std::map<int, std::int64_t>& begins = memory.copies[table_of(rest)];
        begins.clear();
        for (const auto& each : json::parse(value)) begins[each.at(0)] = each.at(1);
    } else throw Error(Code::rejected, "'" + key + "' is nothing a bus remembers");
}

}  // namespace

std::string bus_topic(const std::string& set) { return "ysdb." + set + ".changes"; }
std::string shapes_topic(const std::string& set) { return "ysdb." + set + ".shapes"; }

BusMemory read_memory(KafkaStore& store, const std::string& set, Deadline deadline) {
    BusMemory memory;
    for (const Record& record : store.read_all(shapes_topic(set), deadline)) {
        if (!record.value) continue;
        try {
            take_memory(memory, record.key.value_or(""), *record.value);
        } catch (const std::exception& error) {
            throw Error(Code::rejected, "store '" + store.name() + "': topic " + record.topic + ", partition " + std::to_string(record.partition) + ", offset " + std::to_string(record.offset) +
                                            " holds what no sync set has written: " + error.what(),
                        "somebody else writes to this topic");
        }
    }
    return memory;
}

void BusTopic::prepare(int partitions, Deadline deadline) {
    const std::lock_guard lock(mutex_);
    if (prepared_) return;
    topic_ = bus_topic(set_);
    partitions_ = make({topic_, partitions > 0 ? partitions : default_partitions, -1, {{"max.message.bytes", std::to_string(largest_message)}}}, deadline);
    prepare_shapes(deadline);
    prepared_ = true;
}

void BusTopic::load(Deadline deadline) {
    if (loaded_) return;
    memory_ = read_memory(store_, set_, deadline);
    loaded_ = true;
}

// May be asked for before the set's tables are.
void BusTopic::prepare_shapes(Deadline deadline) {
    shapes_ = shapes_topic(set_);
    make({shapes_, 1, -1, {{"max.message.bytes", std::to_string(largest_message)}, {"cleanup.policy", "compact"}}}, deadline);
}

// A topic that exists is left as it is; how many partitions it has.
int BusTopic::make(const NewTopic& wanted, Deadline deadline) {
    const auto refused = store_.create_topics({&wanted, 1}, deadline).at(0);
    if (refused && refused->server_code() != "TOPIC_ALREADY_EXISTS") throw *refused;
    for (constexpr Millis pause{20};; std::this_thread::sleep_for(pause)) {
        const auto topic = store_.topic(wanted.name, deadline);
        const bool led = topic && std::all_of(topic->partitions.begin(), topic->partitions.end(), [](const Partition& partition) { return partition.leader >= 0; });
        if (led) return static_cast<int>(topic->partitions.size());
        if (deadline.left() <= pause) throw Error(Code::connect, "store '" + store_.name() + "': topic " + wanted.name + " was made, but has no leaders yet").with_retryable();
    }
}

Producer& BusTopic::marks(Deadline deadline) {
    if (marks_ && marks_->broken()) marks_.reset();
    if (!marks_) {
        ProducerOptions options;
        options.message_bytes = largest_message - 1024;
        options.on_delivery = [this](const Delivery& delivery) { delivered_[delivery.partition] = delivery.error ? -1 : delivery.offset; };
        marks_.emplace(store_.producer(options, deadline));
    }
    return *marks_;
}

Producer BusTopic::rows(Deadline deadline) {
    ProducerOptions options;
    options.queue_bytes = 64u << 20;
    options.message_bytes = largest_message - 1024;
    return store_.producer(options, deadline);
}

void BusTopic::remember(const std::string& key, const std::string& value, Deadline deadline) {
    Record record;
    record.topic = shapes_;
    record.key = key;
    record.value = value;
    Producer& producer = marks(deadline);
    producer.send(record, 0, deadline);
    producer.flush(deadline);
}

std::uint64_t BusTopic::note_shape(const TableInfo& table, bool told, Deadline deadline) {
    const std::string text = shape_json(table);
    const std::uint64_t hash = shape_hash(text);
    const std::lock_guard lock(mutex_);
    load(deadline);
    if (!memory_.shapes.contains(hash)) {
        remember("shape " + hex(hash), text, deadline);
        memory_.shapes[hash] = text;
    }
    if (const auto newest = memory_.newest.find(table.ref); told && (newest == memory_.newest.end() || newest->second != hash)) {
        remember("table " + table_text(table.ref), hex(hash), deadline);
        memory_.newest[table.ref] = hash;
    }
    return hash;
}

std::optional<std::vector<ColumnInfo>> BusTopic::columns(const TableRef& table, Deadline deadline) {
    const std::lock_guard lock(mutex_);
    load(deadline);
    const auto newest = memory_.newest.find(table);
    if (newest == memory_.newest.end()) return std::nullopt;
    const auto shape = memory_.shapes.find(newest->second);
    return shape == memory_.shapes.end() ? std::nullopt : std::optional(parse_shape(shape->second).columns);
}

// Its number is written down first: one that was told to some partitions only is never another's.
std::map<int, std::int64_t> BusTopic::tell(BusHead head, BusMark mark, Deadline deadline) {
    const std::lock_guard lock(mutex_);
    load(deadline);
    mark.number = memory_.mark + 1;
    remember("mark", std::to_string(mark.number), deadline);
    memory_.mark = mark.number;
    fault::point("kafka.bus.mark.before");
    Record record;
    record.topic = topic_;
    record.value = mark_bytes(head, mark);
    Producer& producer = marks(deadline);
    delivered_.clear();
    for (int partition = 0; partition < partitions_; ++partition) {
        record.partition = partition;
        producer.send(record, 0, deadline);
    }
    producer.flush(deadline);
    fault::point("kafka.bus.mark.after");
    return delivered_;
}

void BusTopic::note_copy(const TableRef& table, const std::map<int, std::int64_t>& begins, Deadline deadline) {
    json value = json::array();
    for (const auto& [partition, offset] : begins) value.push_back({partition, offset});
    const std::lock_guard lock(mutex_);
    remember("copy " + table_text(table), value.dump(), deadline);
}

std::uint32_t BusTopic::epoch(Deadline deadline) {
    const std::lock_guard lock(mutex_);
    load(deadline);
    return memory_.epoch;
}

void BusTopic::begin_epoch(std::uint32_t epoch, Deadline deadline) {
    const std::lock_guard lock(mutex_);
    prepare_shapes(deadline);
    load(deadline);
    if (epoch <= memory_.epoch) return;
    remember("epoch", std::to_string(epoch), deadline);
    memory_.epoch = epoch;
}

}  // namespace ysdb::kafka
