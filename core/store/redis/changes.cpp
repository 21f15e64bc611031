#include "core/store/redis/changes.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/store/change_json.h"
#include "core/store/redis/guarded.h"
#include "core/value/json_form.h"
#include "core/value/show.h"
#include "core/value/version_text.h"

namespace ysdb::redis {

namespace {

constexpr std::size_t kept_rows = 512;          // until they are written; a row that changes again meanwhile is written once
constexpr std::size_t kept_bytes = 4u << 20;

const char* const not_utf8 = "is not UTF-8: JSON cannot hold it";

Layout layout_of(const Landing& landing) {
    const std::string what = "sync " + landing.set + ": " + landing.source.text();
    if (landing.key.empty()) throw Error(Code::config, what + ": Redis needs a key", "key = \"portfolio:{user_id}:{asset_id}\" in [[sync.to]]");
    static const std::vector<std::string> formats{"hash", "json"};
    if (!landing.format.empty() && std::find(formats.begin(), formats.end(), landing.format) == formats.end()) {
        throw Error(Code::config, what + ": Redis has no format '" + landing.format + "'" + did_you_mean(landing.format, formats), "one of: hash, json");
    }
    Layout layout{KeyTemplate(landing.key)};
    layout.json = landing.format == "json";
    layout.ttl = landing.ttl;
    for (const std::string& tag : landing.tags) {
        if (tag.starts_with("ysdb:")) throw Error(Code::config, what + ": the tag '" + tag + "' cannot be", "keys that begin with ysdb: are ysdb's own");
        layout.tags.emplace_back(tag);
    }
    if (layout.key.names().empty()) throw Error(Code::config, what + ": the key '" + landing.key + "' names no column: all rows would be one", "write it like portfolio:{user_id}");
    if (landing.key.starts_with("ysdb:") || landing.key.find('|') != std::string::npos) {
        throw Error(Code::config, what + ": the key '" + landing.key + "' cannot be", "keys that begin with ysdb: are ysdb's own, and no key holds a '|'");
    }
    return layout;
}

// How the rows of one shape of the table are written.
class Shape {
public:
    Shape(const Landing& landing, const TableInfo& table);
    // Whether batches of this table are written so.
    bool fits(const TableInfo& table) const;
    // Nothing, and `rejected` is set, when the row cannot be written.
    std::optional<GuardedChange> change(const ChangeBatch& changes, std::size_t row, bool notify, std::optional<RejectedRow>& rejected);
    const Layout& layout() const { return layout_; }
    // What is published after a truncation; nothing without a channel that all rows share.
    CommandBytes truncation(const Version& version) const;

private:
    void add_row(const ChangeBatch& changes, std::size_t row, GuardedChange& change, std::optional<std::uint32_t>& inexact);

    Layout layout_;
    std::optional<KeyTemplate> channel_;
    std::vector<ColumnInfo> columns_;
    std::vector<std::uint32_t> key_;
    RowJson json_;
    ChangeJson notice_;
    std::string scratch_;
};

Shape::Shape(const Landing& landing, const TableInfo& table)
    : layout_(layout_of(landing)), columns_(table.columns), key_(table.key), json_(table), notice_(table) {
    const std::string what = "sync " + landing.set + ": " + table.ref.text();
    if (table.key.empty()) throw Error(Code::refused, what + " has no primary key: which row changed cannot be told", "add one to the table");
    for (const ColumnInfo& column : columns_) {
        if (column.name == version_field) throw Error(Code::refused, what + " has a column _version, which Redis rows have from ysdb", "rename it");
    }
    layout_.key.bind(table, what);
    for (KeyTemplate& tag : layout_.tags) tag.bind(table, what + ": tag");
    const auto in_key = [&](std::uint32_t column) { return std::find(key_.begin(), key_.end(), column) != key_.end(); };
    const auto& used = layout_.key.columns();
    layout_.pointers = !std::all_of(used.begin(), used.end(), in_key);
    if (!layout_.pointers && used.size() < key_.size()) {
        std::string missing;
        for (const std::uint32_t column : key_) {
            if (std::find(used.begin(), used.end(), column) == used.end()) missing += (missing.empty() ? "{" : ":{") + columns_[column].name + "}";
        }
        throw Error(Code::refused, what + ": several rows would share the key '" + landing.key + "'", "name the rest of the primary key, too: " + landing.key + ":" + missing);
    }
    if (landing.channel.empty()) return;
    channel_.emplace(landing.channel);
    channel_->bind(table, what + ": channel");
    if (!std::all_of(channel_->columns().begin(), channel_->columns().end(), in_key)) {
        throw Error(Code::refused, what + ": the channel '" + landing.channel + "' names a column outside the primary key: a removal does not tell it", "use columns of the primary key");
    }
}

bool Shape::fits(const TableInfo& table) const {
    return table.key == key_ && std::equal(table.columns.begin(), table.columns.end(), columns_.begin(), columns_.end(), [](const ColumnInfo& a, const ColumnInfo& b) {
               return a.name == b.name && a.type.kind == b.type.kind && a.type.scale == b.type.scale;
           });
}

std::optional<GuardedChange> Shape::change(const ChangeBatch& changes, std::size_t row, bool notify, std::optional<RejectedRow>& rejected) {
    const Batch& rows = changes.rows;
    GuardedChange change;
    change.removal = changes.op(row) == Op::remove;
    append_version(change.version, changes.version(row));
    const auto reject = [&](std::uint32_t column, const std::string& reason) {
        rejected = RejectedRow{show_key(rows, row), columns_[column].name, reason};
        return std::nullopt;
    };
    if (layout_.pointers) {
        change.guard = layout_.pointer_prefix() + "[";
        for (const std::uint32_t column : key_) {
            if (change.guard.back() != '[') change.guard += ',';
            if (rows.cell(row, column).is_null()) return reject(column, "is NULL, and part of the primary key");
            if (!append_json(change.guard, rows.value(row, column), columns_[column].type)) return reject(column, not_utf8);
        }
        change.guard += ']';
    }
    if (!layout_.pointers || !change.removal) {
        if (const auto refusal = layout_.key.append(change.key, rows, row)) return reject(refusal->column, refusal->reason);
    }
    if (!layout_.pointers) change.guard = "ysdb:gone:" + change.key;
    std::optional<std::uint32_t> inexact;
    if (!change.removal) add_row(changes, row, change, inexact);
    if (inexact) return reject(*inexact, not_utf8);
    for (const KeyTemplate& tag : layout_.tags) {
        const auto& columns = tag.columns();
        // Nobody's: a row without a user belongs to no user.
        if (change.removal || std::any_of(columns.begin(), columns.end(), [&](std::uint32_t column) { return rows.cell(row, column).is_null(); })) continue;
        std::string name;
        if (const auto refusal = tag.append(name, rows, row)) return reject(refusal->column, refusal->reason);
        if (name.find('\n') != std::string::npos) return reject(columns.front(), "holds a line break, and is part of the tag '" + tag.text() + "'");
        change.tags.push_back(std::move(name));
    }
    if (channel_ && notify) {
        std::string channel;
        if (const auto refusal = channel_->append(channel, rows, row)) return reject(refusal->column, refusal->reason);
        scratch_.clear();
        if (const auto column = notice_.append(scratch_, changes, row)) return reject(*column, not_utf8);
        change.notice.add("PUBLISH", channel, scratch_);
    }
    return change;
}

void Shape::add_row(const ChangeBatch& changes, std::size_t row, GuardedChange& change, std::optional<std::uint32_t>& inexact) {
    const Batch& rows = changes.rows;
    CommandBytes& out = change.row;
    if (layout_.json) {
        scratch_ = "{\"_version\":\"" + change.version + "\"";
        if (!columns_.empty()) scratch_ += ',';
        inexact = json_.append_members(scratch_, rows, row);
        scratch_ += '}';
        if (layout_.ttl) out.add("SET", change.key, scratch_, "PX", std::to_string(layout_.ttl->count()));
        else out.add("SET", change.key, scratch_);
        return;
    }
    std::size_t fields = 1;
    for (std::uint32_t column = 0; column < columns_.size(); ++column) fields += rows.cell(row, column).is_null() ? 0 : 1;
    out.add("DEL", change.key);  // no field outlives its value, or its column
    out.begin(2 + 2 * fields);
    for (const std::string_view word : {std::string_view("HSET"), std::string_view(change.key), version_field, std::string_view(change.version)}) out.word(word);
    for (std::uint32_t column = 0; column < columns_.size(); ++column) {
        if (rows.cell(row, column).is_null()) continue;
        scratch_.clear();
        append_plain(scratch_, rows.value(row, column), columns_[column].type);
        out.word(columns_[column].name);
        out.word(scratch_);
    }
    if (layout_.ttl) out.add("PEXPIRE", change.key, std::to_string(layout_.ttl->count()));
}

CommandBytes Shape::truncation(const Version& version) const {
    CommandBytes commands;
    if (!channel_ || !channel_->names().empty()) return commands;
    std::string message;
    notice_.append_truncate(message, version);
    commands.add("PUBLISH", channel_->text(), message);
    return commands;
}

// The last change of each row.
class Pending {
public:
    void add(GuardedChange change) {
        const auto [found, is_new] = index_.emplace(change.guard, changes_.size());
        if (is_new) {
            bytes_ += size_of(change);
            changes_.push_back(std::move(change));
        } else if (GuardedChange& known = changes_[found->second]; known.version <= change.version) {
            bytes_ += size_of(change) - size_of(known);
            known = std::move(change);
        }
    }
    std::span<const GuardedChange> changes() const { return changes_; }
    void clear() {
        changes_.clear();
        index_.clear();
        bytes_ = 0;
    }
    bool full() const { return changes_.size() >= kept_rows || bytes_ >= kept_bytes; }
    bool empty() const { return changes_.empty(); }

private:
    static std::size_t size_of(const GuardedChange& change) { return change.row.bytes().size() + change.notice.bytes().size() + change.guard.size() + change.key.size(); }

    std::vector<GuardedChange> changes_;
    std::unordered_map<std::string, std::size_t> index_;
    std::size_t bytes_ = 0;
};

// What a copy that is under way and its writer share.
struct CopyState {
    std::mutex mutex;
    std::string run;
    std::optional<std::string> version;   // of the copy's rows
};

// Writes what it is given at once: each worker over a connection of its own.
class CopyWriter final : public RowWriter {
public:
    CopyWriter(RedisStore& store, const Landing& landing, const TableInfo& table, std::shared_ptr<CopyState> state)
        : store_(store), shape_(landing, table), state_(std::move(state)) {}

    void apply(const ChangeBatch& batch, const std::string&, Deadline deadline, const std::function<void(RejectedRow)>& rejected) override {
        Worker worker = take();
        tell_version(batch);
        for (std::size_t row = 0; row < batch.rows.rows(); ++row) {
            std::optional<RejectedRow> refusal;
            if (auto change = worker.shape.change(batch, row, false, refusal)) worker.pending.add(std::move(*change));
            else rejected(std::move(*refusal));
            if (worker.pending.full()) worker.write(deadline);
        }
        worker.write(deadline);
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(worker));
    }
    void flush(Deadline deadline) override {
        const std::lock_guard lock(mutex_);
        for (Worker& worker : idle_) worker.out.settle(deadline);
    }

private:
    struct Worker {
        GuardedWriter out;
        Shape shape;
        Pending pending;
        void write(Deadline deadline) {
            out.write(shape.layout(), pending.changes(), deadline);
            pending.clear();
        }
    };

    Worker take() {
        const std::lock_guard lock(mutex_);
        if (idle_.empty()) return Worker{GuardedWriter(store_), shape_, {}};
        Worker worker = std::move(idle_.back());
        idle_.pop_back();
        return worker;
    }
    // The oldest, should they differ: then less is removed.
    void tell_version(const ChangeBatch& batch) {
        if (batch.versions.empty()) return;
        std::string version = version_text(*std::min_element(batch.versions.begin(), batch.versions.end()));
        const std::lock_guard lock(state_->mutex);
        if (!state_->version || version < *state_->version) state_->version = std::move(version);
    }

    RedisStore& store_;
    Shape shape_;
    std::shared_ptr<CopyState> state_;
    std::mutex mutex_;
    std::vector<Worker> idle_;
};

class Writer final : public ChangeWriter {
public:
    Writer(RedisStore& store, Landing landing) : store_(store), landing_(std::move(landing)), out_(store) { layout_of(landing_); }

    // A hash gets its new fields, and loses its old ones, with the row's next change.
    void reshape(const TableInfo& source, std::span<const ColumnChange>, Deadline deadline) override {
        const std::lock_guard lock(mutex_);
        take_shape(source, deadline);
    }

    void apply(const ChangeBatch& changes, Deadline deadline, const std::function<void(std::size_t, RejectedRow)>& rejected) override {
        const std::lock_guard lock(mutex_);
        if (changes.rows.empty()) return;
        take_shape(changes.rows.table(), deadline);
        for (std::size_t row = 0; row < changes.rows.rows(); ++row) {
            std::optional<RejectedRow> refusal;
            if (auto change = shape_->change(changes, row, true, refusal)) pending_.add(std::move(*change));
            else rejected(row, std::move(*refusal));
            if (pending_.full()) write(deadline);
        }
    }

    void truncate(const Version& version, Deadline deadline) override {
        const std::lock_guard lock(mutex_);
        const Shape& shape = known_shape();
        write(deadline);
        const std::string text = version_text(version);
        out_.raise_floor(shape.layout(), text, deadline);
        out_.remove_older(shape.layout(), text, deadline);
        if (const CommandBytes notice = shape.truncation(version); notice.count() > 0) out_.run(notice, "publish", deadline);
    }

    void flush(Deadline deadline) override {
        const std::lock_guard lock(mutex_);
        write(deadline);
        out_.settle(deadline);
    }
    void discard() override {
        const std::lock_guard lock(mutex_);
        pending_.clear();
    }

    bool takes_copies() const override { return true; }
    std::unique_ptr<RowWriter> begin_copy(const TableInfo& source, const std::string& run, Deadline deadline) override {
        const std::lock_guard lock(mutex_);
        take_shape(source, deadline);
        copy_ = std::make_shared<CopyState>();
        copy_->run = run;
        return std::make_unique<CopyWriter>(store_, landing_, source, copy_);
    }
    void finish_copy(const std::string& run, Deadline deadline) override {
        const std::lock_guard lock(mutex_);
        if (!copy_ || copy_->run != run) throw Error(Code::internal, landing_.source.text() + ": no copy " + run + " was begun");
        std::optional<std::string> version;
        {
            const std::lock_guard state(copy_->mutex);
            version = copy_->version;
        }
        if (!version) throw Error(Code::internal, landing_.source.text() + ": the copy " + run + " never told its version");
        // The copy's rows have its version or a later one by now. What is older, the copy did not hold.
        out_.raise_floor(shape_->layout(), *version, deadline);
        out_.remove_older(shape_->layout(), *version, deadline);
        out_.settle(deadline);
        copy_.reset();
    }

private:
    void take_shape(const TableInfo& table, Deadline deadline) {
        if (shape_ && shape_->fits(table)) return;
        write(deadline);  // with the guards of its own shape
        shape_.emplace(landing_, table);
    }
    const Shape& known_shape() const {
        if (!shape_) throw Error(Code::internal, landing_.source.text() + ": its columns were not told");
        return *shape_;
    }
    void write(Deadline deadline) {
        if (pending_.empty()) return;
        try {
            out_.write(shape_->layout(), pending_.changes(), deadline);
        } catch (...) {
            pending_.clear();  // all of it is told again
            throw;
        }
        pending_.clear();
    }

    RedisStore& store_;
    Landing landing_;
    std::mutex mutex_;             // a copy may be under way
    std::optional<Shape> shape_;
    Pending pending_;
    GuardedWriter out_;
    std::shared_ptr<CopyState> copy_;
};

class Sink final : public ChangeSink {
public:
    explicit Sink(RedisStore& store) : store_(store) {}
    std::unique_ptr<ChangeWriter> follow(const Landing& landing, Deadline) override { return std::make_unique<Writer>(store_, landing); }
    std::uint32_t epoch(const std::string& set, Deadline deadline) override {
        return static_cast<std::uint32_t>(noted(set, "epoch", deadline));
    }
    void begin_epoch(const std::string& set, std::uint32_t epoch, Deadline deadline) override {
        note(set, "epoch", epoch, deadline);
    }
    std::uint64_t noted(const std::string& set, const std::string& name, Deadline deadline) override {
        const Reply reply = store_.command({"HGET", key_of(set), name}, deadline);
        return reply.is_nil() ? 0 : std::strtoull(reply.text.c_str(), nullptr, 10);
    }
    void note(const std::string& set, const std::string& name, std::uint64_t number, Deadline deadline) override {
        GuardedWriter(store_).raise_number(key_of(set), name, number, deadline);
    }

private:
    static std::string key_of(const std::string& set) { return "ysdb:sync:" + set; }
    RedisStore& store_;
};

}  // namespace

std::unique_ptr<ChangeSink> change_sink(RedisStore& store) { return std::make_unique<Sink>(store); }

}  // namespace ysdb::redis
