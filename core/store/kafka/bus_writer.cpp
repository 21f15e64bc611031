// The writing side of a bus: `sync run --to STORE` follows a set's tables into it as into any other sink.
#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/store/kafka/bus.h"
#include "core/store/kafka/bus_topic.h"
#include "core/value/show.h"

namespace ysdb::kafka {

namespace {

// Rows of one table into the bus. Used by one thread at a time.
class Rows {
public:
    explicit Rows(BusTopic& topic) : topic_(topic) {}

    void send(const ChangeBatch& changes, std::uint64_t shape, std::uint64_t token, Deadline deadline, const std::function<void(std::size_t, RejectedRow)>& rejected) {
        Producer& producer = ready(deadline);
        const TableInfo& table = changes.rows.table();
        record_.topic = topic_.name();
        for (std::size_t row = 0; row < changes.rows.rows(); ++row) {
            std::string& key = record_.key.emplace();
            key = table.ref.text();
            for (const std::uint32_t column : table.key) {
                key += '\0';
                key += changes.rows.text(row, column);
            }
            std::string& value = record_.value.emplace();
            append_row(value, {BusKind::row, changes.op(row), shape, changes.version(row), changes.committed_at(row)}, changes.rows, row);
            try {
                producer.send(record_, token, deadline);
            } catch (const Error& error) {
                if (error.server_code() != "MSG_SIZE_TOO_LARGE") throw;
                rejected(row, {show_key(changes.rows, row), "", std::to_string(key.size() + value.size()) + " bytes are more than a record of " + topic_.name() + " can hold"});
            }
        }
    }
    void flush(Deadline deadline) {
        if (producer_) ready(deadline).flush(deadline);
    }
    void forget_below(std::uint64_t token) {
        if (producer_) producer_->forget_below(token);
    }

private:
    Producer& ready(Deadline deadline) {
        if (producer_ && producer_->broken()) producer_.reset();
        if (!producer_) producer_.emplace(topic_.rows(deadline));
        return *producer_;
    }

    BusTopic& topic_;
    Record record_;
    std::optional<Producer> producer_;
};

// A copy: the mark that it begins, then rows of the snapshot's version. Failed rows are this producer's alone.
class CopyWriter final : public RowWriter {
public:
    CopyWriter(std::shared_ptr<BusTopic> topic, const TableInfo& table) : topic_(std::move(topic)), table_(table), rows_(*topic_) {}

    void apply(const ChangeBatch& batch, const std::string&, Deadline deadline, const std::function<void(RejectedRow)>& rejected) override {
        const std::lock_guard lock(mutex_);
        begin(batch.version(0).epoch, deadline);
        // Of the first view: members remove what is older than the copy, and a long one has rows of several views.
        if (!version_ || batch.version(0) < *version_) version_ = batch.version(0);
        rows_.send(batch, shape_, 0, deadline, [&](std::size_t row, RejectedRow refused) {
            refused.row = row;
            rejected(std::move(refused));
        });
    }
    void flush(Deadline deadline) override {
        const std::lock_guard lock(mutex_);
        rows_.flush(deadline);
    }
    // Before anything else is told of the table: what members know of it ends here. The snapshot may not be taken yet.
    void begin_before(std::uint32_t epoch, Deadline deadline) {
        const std::lock_guard lock(mutex_);
        begin(epoch, deadline);
    }
    // Everything was flushed: what is older than the copy and not in it is gone.
    void finish(Deadline deadline) {
        const std::lock_guard lock(mutex_);
        if (!version_) throw Error(Code::internal, table_.ref.text() + ": a copy of no version");
        topic_->tell({BusKind::whole, Op::upsert, shape_, *version_, 0}, {}, deadline);
        topic_->note_copy(table_.ref, begins_, deadline);
    }

private:
    // The columns may not be those that were told last: a copy is how a table gets over a change that could not be told.
    void begin(std::uint32_t epoch, Deadline deadline) {
        if (begun_) return;
        BusMark mark;
        if (const auto before = topic_->columns(table_.ref, deadline)) mark.changes = compare_shapes(*before, table_.columns, {}).changes;
        shape_ = topic_->note_shape(table_, true, deadline);
        begins_ = topic_->tell({BusKind::renew, Op::upsert, shape_, {epoch, 0, 0}, 0}, mark, deadline);
        begun_ = true;
    }

    std::shared_ptr<BusTopic> topic_;
    TableInfo table_;
    std::mutex mutex_;
    Rows rows_;
    std::uint64_t shape_ = 0;
    bool begun_ = false;
    std::optional<Version> version_;
    std::map<int, std::int64_t> begins_;
};

// The caller owns a copy's writer; the table's own writer ends it.
class SharedCopy final : public RowWriter {
public:
    explicit SharedCopy(std::shared_ptr<CopyWriter> copy) : copy_(std::move(copy)) {}
    void apply(const ChangeBatch& batch, const std::string& token, Deadline deadline, const std::function<void(RejectedRow)>& rejected) override { copy_->apply(batch, token, deadline, rejected); }
    void flush(Deadline deadline) override { copy_->flush(deadline); }

private:
    std::shared_ptr<CopyWriter> copy_;
};

class Writer final : public ChangeWriter {
public:
    Writer(std::shared_ptr<BusTopic> topic, Landing landing) : topic_(std::move(topic)), landing_(std::move(landing)), rows_(*topic_) {}

    void reshape(const TableInfo& source, std::span<const ColumnChange> changes, Deadline deadline) override {
        rows_.flush(deadline);
        told_ = nullptr;
        take_shape(source, false, deadline);
        if (changes.empty()) return;
        begin_copy_before(version_.epoch, deadline);
        take_shape(source, true, deadline);
        BusMark mark;
        mark.changes.assign(changes.begin(), changes.end());
        topic_->tell({BusKind::shape, Op::upsert, shape_, version_, 0}, mark, deadline);
    }
    void reshape_at(const Version& version) override { version_ = version; }

    void apply(const ChangeBatch& changes, Deadline deadline, const std::function<void(std::size_t, RejectedRow)>& rejected) override {
        if (changes.rows.empty()) return;
        begin_copy_before(changes.version(0).epoch, deadline);
        if (&changes.rows.table() != told_) {
            take_shape(changes.rows.table(), true, deadline);
            told_ = &changes.rows.table();
        }
        rows_.send(changes, shape_, generation_, deadline, rejected);
    }
    void truncate(const Version& version, Deadline deadline) override {
        rows_.flush(deadline);
        begin_copy_before(version.epoch, deadline);
        topic_->tell({BusKind::truncate, Op::upsert, shape_, version, 0}, {}, deadline);
    }
    void halt(const TableInfo& source, const Version& version, const std::string& reason, Deadline deadline) override {
        rows_.flush(deadline);
        told_ = nullptr;
        shape_ = topic_->note_shape(source, false, deadline);   // the sinks stay as they are
        BusMark mark;
        mark.reason = reason;
        topic_->tell({BusKind::halt, Op::upsert, shape_, version, 0}, mark, deadline);
    }
    void flush(Deadline deadline) override { rows_.flush(deadline); }
    // What waits in the queue still goes out before what is told again.
    void discard() override { rows_.forget_below(++generation_); }

    bool takes_copies() const override { return true; }
    std::unique_ptr<RowWriter> begin_copy(const TableInfo& source, const std::string&, Deadline) override {
        copy_ = std::make_shared<CopyWriter>(topic_, source);
        return std::make_unique<SharedCopy>(copy_);
    }
    void finish_copy(const std::string&, Deadline deadline) override {
        if (copy_ == nullptr) throw Error(Code::internal, landing_.source.text() + ": no copy was begun");
        rows_.flush(deadline);
        copy_->finish(deadline);
        copy_.reset();
    }

private:
    void begin_copy_before(std::uint32_t epoch, Deadline deadline) {
        if (copy_ != nullptr) copy_->begin_before(epoch, deadline);
    }

    void take_shape(const TableInfo& table, bool told, Deadline deadline) {
        if (table.key.empty()) {
            throw Error(Code::refused, "sync " + landing_.set + ": " + table.ref.text() + " has no primary key: the order of a row's changes would be lost", "add one to the table");
        }
        shape_ = topic_->note_shape(table, told, deadline);
    }

    std::shared_ptr<BusTopic> topic_;
    Landing landing_;
    Rows rows_;
    std::uint64_t shape_ = 0;
    const TableInfo* told_ = nullptr;      // whose hash shape_ is
    Version version_;
    std::uint64_t generation_ = 1;
    std::shared_ptr<CopyWriter> copy_;
};

class Sink final : public ChangeSink {
public:
    explicit Sink(KafkaStore& store) : store_(store) {}

    std::unique_ptr<ChangeWriter> follow(const Landing& landing, Deadline deadline) override {
        auto topic = topic_of(landing.set);
        topic->prepare(landing.partitions, deadline);
        return std::make_unique<Writer>(std::move(topic), landing);
    }
    std::uint32_t epoch(const std::string& set, Deadline deadline) override { return read_memory(store_, set, deadline).epoch; }
    void begin_epoch(const std::string& set, std::uint32_t epoch, Deadline deadline) override {
        topic_of(set)->begin_epoch(epoch, deadline);
    }

private:
    std::shared_ptr<BusTopic> topic_of(const std::string& set) {
        const std::lock_guard lock(mutex_);
        auto& topic = topics_[set];
        if (topic == nullptr) topic = std::make_shared<BusTopic>(store_, set);
        return topic;
    }

    KafkaStore& store_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<BusTopic>> topics_;
};

class Bus final : public ChangeBus {
public:
    explicit Bus(KafkaStore& store) : store_(store), sink_(store) {}
    ChangeSink& sink() override { return sink_; }
    std::unique_ptr<BusReader> open(const BusOptions& options, Deadline deadline) override {
        return options.format == "debezium" ? open_debezium(store_, options, deadline) : open_bus(store_, options, deadline);
    }
    std::unique_ptr<BusGroup> look_at_group(const std::string& set, const std::string& group, Deadline deadline) override { return kafka::look_at_group(store_, set, group, deadline); }
    void remove(const std::string& set, Deadline deadline) override {
        std::vector<std::string> names;
        for (const std::string& name : {bus_topic(set), shapes_topic(set)}) {
            if (store_.topic(name, deadline)) names.push_back(name);
        }
        for (const auto& refused : store_.delete_topics(names, deadline)) {
            if (refused) throw *refused;
        }
    }

private:
    KafkaStore& store_;
    Sink sink_;
};

}  // namespace

std::unique_ptr<ChangeBus> change_bus(KafkaStore& store) { return std::make_unique<Bus>(store); }

}  // namespace ysdb::kafka
