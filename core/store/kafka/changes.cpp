#include "core/store/kafka/changes.h"

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/time.h"
#include "core/store/change_json.h"
#include "core/store/kafka/debezium.h"
#include "core/store/kafka/kafka.h"
#include "core/value/show.h"
#include "core/value/version_text.h"

namespace ysdb::kafka {

namespace {

constexpr std::size_t queue_bytes = 16u << 20;   // that wait for the brokers, a table; then apply() waits
constexpr std::size_t framing = 256;             // of one record in a request of its own
const char* const not_utf8 = "is not UTF-8: JSON cannot hold it";

// How the changes of one shape of the table are told.
struct Shape {
    Shape(const Landing& landing, const TableInfo& table)
        : columns(table.columns), key(table.key), debezium(landing.format == "debezium"), plain_form(table), debezium_form(table, landing.set) {
        if (key.empty()) {
            throw Error(Code::refused, "sync " + landing.set + ": " + table.ref.text() + " has no primary key: the order of a row's changes would be lost", "add one to the table");
        }
    }
    bool fits(const TableInfo& table) const {
        return table.key == key && std::equal(table.columns.begin(), table.columns.end(), columns.begin(), columns.end(),
                                              [](const ColumnInfo& a, const ColumnInfo& b) { return a.name == b.name; });
    }
    std::optional<std::uint32_t> append_key(std::string& out, const Batch& rows, std::size_t row) const {
        return debezium ? debezium_form.append_key(out, rows, row) : plain_form.append_key(out, rows, row);
    }
    std::optional<std::uint32_t> append_value(std::string& out, const ChangeBatch& changes, std::size_t row, std::int64_t now_ms) const {
        return debezium ? debezium_form.append(out, changes, row, now_ms) : plain_form.append(out, changes, row);
    }

    std::vector<ColumnInfo> columns;
    std::vector<std::uint32_t> key;
    bool debezium;
    ChangeJson plain_form;
    DebeziumJson debezium_form;
};

std::optional<std::size_t> number_of(const std::vector<TopicSetting>& settings, const std::string& name) {
    const auto found = std::find_if(settings.begin(), settings.end(), [&](const TopicSetting& setting) { return setting.name == name; });
    if (found == settings.end()) return std::nullopt;
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(found->value.data(), found->value.data() + found->value.size(), number);
    return error == std::errc() ? std::optional(number) : std::nullopt;
}

class Writer final : public ChangeWriter {
public:
    Writer(KafkaStore& store, Landing landing) : store_(store), landing_(std::move(landing)) {
        record_.topic = landing_.topic;
        record_.headers.emplace_back("ysdb-version", "");
    }

    void reshape(const TableInfo& source, std::span<const ColumnChange>, Deadline deadline) override {
        take_shape(source);
        prepare(deadline);
    }

    void apply(const ChangeBatch& changes, Deadline deadline, const std::function<void(std::size_t, RejectedRow)>& rejected) override {
        if (changes.rows.empty()) return;
        take_shape(changes.rows.table());
        prepare(deadline);
        const std::int64_t now_ms = unix_micros_now() / 1000;
        mended([&] {
            for (std::size_t row = 0; row < changes.rows.rows(); ++row) {
                if (told_before(changes.version(row))) continue;
                open();
                if (auto refusal = send(changes, row, now_ms, deadline)) rejected(row, std::move(*refusal));
            }
        });
    }

    void truncate(const Version& version, Deadline deadline) override {
        if (!shape_) throw Error(Code::internal, landing_.source.text() + ": its columns were not told");
        prepare(deadline);
        if (told_before(version)) return;
        const auto topic = store_.topic(landing_.topic, deadline);
        if (!topic) {
            producer_.reset();
            throw Error(Code::rejected, "store '" + store_.name() + "': topic " + landing_.topic + " is gone").with_retryable();
        }
        record_.key = "{}";
        std::string& value = record_.value.emplace();
        if (shape_->debezium) shape_->debezium_form.append_truncate(value, version, unix_micros_now() / 1000);
        else shape_->plain_form.append_truncate(value, version);
        record_.headers[0].second = version_text(version);
        mended([&] {
            open();
            for (int partition = 0; partition < static_cast<int>(topic->partitions.size()); ++partition) {
                record_.partition = partition;
                producer_->send(record_, generation_, deadline);
            }
        });
        record_.partition = -1;
    }

    void flush(Deadline deadline) override {
        if (!producer_) return;
        mended([&] {
            if (!open_) return producer_->flush(deadline);
            Record position;
            position.topic = positions_topic(landing_.set);
            position.key = position_key();
            position.value = version_text(newest_);
            producer_->send(position, generation_, deadline);
            producer_->commit(deadline);
            open_ = false;
            committed_ = newest_;
        });
    }

    // What waits in the queue still goes out before what is told again: the order of each key holds, only doubled.
    void discard() override {
        if (producer_) producer_->forget_below(++generation_);
        newest_ = committed_;
        if (!std::exchange(open_, false)) return;
        try {
            if (producer_) producer_->abort(Deadline::after(Millis(5'000)));
        } catch (const Error&) {
            producer_.reset();   // the next one aborts it
        }
    }

private:
    void take_shape(const TableInfo& table) {
        if (!shape_ || !shape_->fits(table)) shape_.emplace(landing_, table);
    }

    void prepare(Deadline deadline) {
        if (producer_) return;
        if (!store_.topic(landing_.topic, deadline)) create_topic(deadline);
        ProducerOptions options;
        options.queue_bytes = queue_bytes;
        if (const auto limit = largest_message(deadline)) options.message_bytes = *limit;
        record_.partition = -1;
        if (landing_.transactional) {
            if (!store_.topic(positions_topic(landing_.set), deadline)) create_positions(deadline);
            options.transactional_id = "ysdb." + landing_.set + "." + landing_.topic + "." + landing_.source.text();
        }
        producer_.emplace(store_.producer(options, deadline));
        producer_->forget_below(generation_);
        open_ = false;
        if (landing_.transactional) committed_ = newest_ = position(deadline);   // only now is it known what became of the last transaction
    }

    std::string position_key() const { return landing_.topic + " " + landing_.source.text(); }

    // The version of the last committed record.
    Version position(Deadline deadline) {
        Version newest;
        for (const Record& record : store_.read_all(positions_topic(landing_.set), deadline)) {
            if (record.key != position_key() || !record.value) continue;
            newest = std::max(newest, parse_version(*record.value).value_or(Version{}));
        }
        return newest;
    }

    void create_positions(Deadline deadline) {
        const NewTopic wanted{positions_topic(landing_.set), 1, -1, {{"cleanup.policy", "compact"}}};
        const auto refused = store_.create_topics({&wanted, 1}, deadline).at(0);
        if (refused && refused->server_code() != "TOPIC_ALREADY_EXISTS") throw *refused;
        await_leaders(wanted.name, deadline);
    }

    // Rows of no place in the stream (of a retry) are told whatever was told before, and move nothing.
    bool told_before(const Version& version) {
        if (!landing_.transactional || version.ordinal == 0) return false;
        if (version <= committed_) return true;
        newest_ = std::max(newest_, version);
        return false;
    }

    void open() {
        if (!landing_.transactional || open_) return;
        producer_->begin();
        open_ = true;
    }

    void create_topic(Deadline deadline) {
        NewTopic wanted;
        wanted.name = landing_.topic;
        wanted.partitions = landing_.partitions > 0 ? landing_.partitions : -1;
        if (landing_.retention) wanted.settings["retention.ms"] = std::to_string(landing_.retention->count());
        const auto refused = store_.create_topics({&wanted, 1}, deadline).at(0);
        if (refused && refused->server_code() != "TOPIC_ALREADY_EXISTS") throw *refused;
        await_leaders(landing_.topic, deadline);
    }

    // Not every broker knows of a new topic at once.
    void await_leaders(const std::string& name, Deadline deadline) {
        const auto ready = [](const std::optional<Topic>& topic) {
            return topic && std::all_of(topic->partitions.begin(), topic->partitions.end(), [](const Partition& partition) { return partition.leader >= 0; });
        };
        for (constexpr Millis pause{20}; !ready(store_.topic(name, deadline)); std::this_thread::sleep_for(pause)) {
            if (deadline.left() <= pause) throw Error(Code::connect, "store '" + store_.name() + "': topic " + name + " was made, but has no leaders yet").with_retryable();
        }
    }

    // So that what is too large for the topic is known before it is sent, alone, and not with the batch it stands in.
    std::optional<std::size_t> largest_message(Deadline deadline) {
        try {
            const auto limit = number_of(store_.topic_settings(landing_.topic, deadline), "max.message.bytes");
            return limit && *limit > 2 * framing ? std::optional(*limit - framing) : std::nullopt;
        } catch (const Error& error) {
            if (error.code() != Code::rejected) throw;
            return std::nullopt;  // not allowed to ask
        }
    }

    std::optional<RejectedRow> send(const ChangeBatch& changes, std::size_t row, std::int64_t now_ms, Deadline deadline) {
        const auto reject = [&](const std::string& column, const std::string& reason) { return RejectedRow{show_key(changes.rows, row), column, reason}; };
        for (const std::uint32_t column : shape_->key) {
            if (changes.rows.cell(row, column).is_null()) return reject(shape_->columns[column].name, "is NULL, and part of the primary key");
        }
        std::string& key = cleared(record_.key);
        std::string& value = cleared(record_.value);
        if (const auto column = shape_->append_key(key, changes.rows, row)) return reject(shape_->columns[*column].name, not_utf8);
        if (const auto column = shape_->append_value(value, changes, row, now_ms)) return reject(shape_->columns[*column].name, not_utf8);
        record_.headers[0].second.clear();
        append_version(record_.headers[0].second, changes.version(row));
        try {
            producer_->send(record_, generation_, deadline);
        } catch (const Error& error) {
            if (error.server_code() != "MSG_SIZE_TOO_LARGE") throw;
            return reject("", std::to_string(key.size() + value.size()) + " bytes are more than max.message.bytes of topic " + landing_.topic + " takes: raise it");
        }
        if (!shape_->debezium || changes.op(row) != Op::remove) return std::nullopt;
        Record tombstone = record_;
        tombstone.value.reset();
        producer_->send(tombstone, generation_, deadline);
        return std::nullopt;
    }

    static std::string& cleared(std::optional<std::string>& text) {
        if (!text) text.emplace();
        text->clear();
        return *text;
    }

    // After errors that only a new producer, or another look at the topic, gets over, the next call takes them.
    template <class Work>
    void mended(const Work& work) {
        try {
            work();
        } catch (const Error& error) {
            static constexpr std::string_view look_again[] = {"_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_PARTITION", "MSG_SIZE_TOO_LARGE"};
            const bool topic_changed = std::find(std::begin(look_again), std::end(look_again), error.server_code()) != std::end(look_again);
            // What became of a transaction is asked once there is a new producer, also where another run's took this one's place.
            if (!topic_changed && !landing_.transactional && !producer_->broken()) throw;
            producer_.reset();
            open_ = false;
            throw Error(topic_changed ? error.code() : Code::connect, error.message(), error.hint()).with_server_code(error.server_code()).with_retryable();
        }
    }

    KafkaStore& store_;
    Landing landing_;
    std::optional<Shape> shape_;
    std::optional<Producer> producer_;
    bool open_ = false;              // a transaction
    Version committed_, newest_;     // told within a committed transaction; told at all
    std::uint64_t generation_ = 1;   // of what is told; the failures of earlier ones concern nobody
    Record record_;
};

class Sink final : public ChangeSink {
public:
    explicit Sink(KafkaStore& store) : store_(store) {}
    std::unique_ptr<ChangeWriter> follow(const Landing& landing, Deadline) override {
        const std::string what = "sync " + landing.set + ": " + landing.source.text();
        if (landing.topic.empty()) throw Error(Code::config, what + ": Kafka needs a topic", "topic = \"changes.{table}\" in [[sync.to]]");
        static const std::vector<std::string> formats{"json", "debezium"};
        if (!landing.format.empty() && std::find(formats.begin(), formats.end(), landing.format) == formats.end()) {
            throw Error(Code::config, what + ": Kafka has no format '" + landing.format + "'" + did_you_mean(landing.format, formats), "one of: json, debezium");
        }
        return std::make_unique<Writer>(store_, landing);
    }
    // A topic remembers no epochs, each record carries its own in its version; but what positions say is told must not lie before what comes.
    std::uint32_t epoch(const std::string& set, Deadline deadline) override {
        std::uint32_t newest = 0;
        for (const Record& record : store_.read_all(positions_topic(set), deadline)) {
            if (record.value) newest = std::max(newest, parse_version(*record.value).value_or(Version{}).epoch);
        }
        return newest;
    }
    void begin_epoch(const std::string&, std::uint32_t, Deadline) override {}

private:
    KafkaStore& store_;
};

}  // namespace

std::string positions_topic(const std::string& set) { return "ysdb." + set + ".positions"; }

std::unique_ptr<ChangeSink> change_sink(KafkaStore& store) { return std::make_unique<Sink>(store); }

}  // namespace ysdb::kafka
