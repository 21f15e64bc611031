#include "core/store/redis/changes.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/base/error.h"
#include "core/store/redis/guarded.h"
#include "core/store/redis/row_shape.h"
#include "core/value/version_text.h"

namespace ysdb::redis {

namespace {

constexpr std::size_t kept_rows = 512;          // until they are written; a row that changes again meanwhile is written once
constexpr std::size_t kept_bytes = 4u << 20;

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
        : store_(store), shape_(landing, table, store.cluster() != nullptr), state_(std::move(state)) {}

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
    Writer(RedisStore& store, Landing landing) : store_(store), landing_(std::move(landing)), out_(store) { layout_of(landing_, clustered()); }

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
    bool clustered() const { return store_.cluster() != nullptr; }
    void take_shape(const TableInfo& table, Deadline deadline) {
        if (shape_ && shape_->fits(table)) return;
        write(deadline);  // with the guards of its own shape
        shape_.emplace(landing_, table, clustered());
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
