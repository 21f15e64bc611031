#include "core/sync/follow/follower.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <random>

#include "core/base/fault.h"
#include "core/base/retry.h"
#include "core/value/show.h"
#include "core/value/version_text.h"

namespace ysdb::sync {

namespace {

// A batch of which this many rows in a row are refused one by one has a table that cannot be followed, not some bad rows.
constexpr std::uint64_t hopeless = 100;
constexpr Millis note_every{10'000};

Millis jittered(Millis pause) {
    static thread_local std::minstd_rand random(std::random_device{}());
    return Millis(std::uniform_int_distribution<Millis::rep>(pause.count() / 2, pause.count())(random));
}

std::string describe(const std::vector<ColumnChange>& changes) {
    std::string text;
    for (const ColumnChange& change : changes) {
        if (!text.empty()) text += ", ";
        switch (change.kind) {
            case ColumnChange::Kind::added: text += "added " + change.column + " " + change.type.native; break;
            case ColumnChange::Kind::dropped: text += "dropped " + change.column; break;
            case ColumnChange::Kind::renamed: text += "renamed " + change.before + " to " + change.column; break;
            case ColumnChange::Kind::retyped: text += change.column + " is " + change.type.native; break;
        }
    }
    return text;
}

ChangeBatch slice(const ChangeBatch& changes, std::size_t from, std::size_t to) {
    ChangeBatch some;
    some.rows = Batch(&changes.rows.table());
    some.rows.append(changes.rows, from, to);
    some.ops.clear();
    some.versions.clear();
    some.committed.clear();
    for (std::size_t row = from; row < to; ++row) {
        some.ops.push_back(changes.op(row));
        some.versions.push_back(changes.version(row));
        some.committed.push_back(changes.committed_at(row));
    }
    return some;
}

}  // namespace

Follower::Follower(Context& context, SyncState& state, Store& sink, std::vector<Route> routes, FollowPolicy policy)
    : context_(context), state_(state), sink_(sink), routes_(std::move(routes)), policy_(std::move(policy)), spill_(policy_.spill_directory, policy_.spill_bytes) {
    status_.sink = sink_.name();
    status_.state = "working";
    for (const Route& route : routes_) tables_[route.table].route = route;
    thread_ = std::jthread([this](std::stop_token stop) { work(std::move(stop)); });
}

Follower::~Follower() { stop(); }

void Follower::stop() {
    thread_.request_stop();
    wake_.notify_all();
}

// --- what others call ---

void Follower::enqueue(std::packaged_task<void()> task) {
    {
        const std::lock_guard lock(mutex_);
        if (thread_.get_stop_token().stop_requested()) throw Error(Code::interrupted, "interrupted while " + sink_.name() + " was following");
        commands_.push_back(std::move(task));
    }
    wake_.notify_all();
}

void Follower::in_thread(std::function<void()> work) {
    std::packaged_task<void()> task(std::move(work));
    auto done = task.get_future();
    enqueue(std::move(task));
    try {
        done.get();
    } catch (const std::future_error&) {
        throw Error(Code::interrupted, "interrupted while " + sink_.name() + " was following");
    }
}

void Follower::activate(const TableRef& table, const Version& reshaped) {
    in_thread([&] {
        tables_.at(table).active = true;
        tables_.at(table).reshaped = reshaped;
    });
}

void Follower::halt(const TableRef& table, const std::string& reason) {
    in_thread([&] { halt_here(tables_.at(table), reason); });
}

void Follower::push(std::shared_ptr<const Segment> segment) {
    {
        const std::lock_guard lock(mutex_);
        if (given_up_) return;
        ++pushed_;
        spill_refused_ = false;
        if (backlog_ > policy_.buffer_bytes && policy_.spill_bytes > 0 && !(spill_refused_ = !spill_.push(*segment))) {
            if (queue_.empty() || queue_.back().spilled == 0) queue_.push_back({});
            ++queue_.back().spilled;
        } else {
            backlog_ += segment->bytes;
            queue_.push_back({std::move(segment)});
        }
    }
    wake_.notify_all();
}

// Under the lock.
std::shared_ptr<const Segment> Follower::next_waiting() {
    Waiting& first = queue_.front();
    std::shared_ptr<const Segment> segment = std::move(first.segment);
    if (segment == nullptr) {
        segment = spill_.pop();
        backlog_ += segment->bytes;
        spill_refused_ = false;
        --first.spilled;
    }
    if (first.spilled == 0) queue_.pop_front();
    return segment;
}

void Follower::give_up(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    queue_.clear();
    backlog_ = 0;
    flushed_ = pushed_;
    status_.state = "given up";
    status_.error = reason;
    done_.notify_all();
}

bool Follower::drain(Millis span) {
    std::unique_lock lock(mutex_);
    hurry_ = true;
    wake_.notify_all();
    const bool whole = done_.wait_for(lock, span, [&] { return flushed_ == pushed_; });
    hurry_ = false;
    return whole;
}

void Follower::confirmed(const std::string& note, std::uint64_t position) {
    const std::lock_guard lock(mutex_);
    note_ = note;
    confirmed_ = position;
}

void Follower::note_confirmed() {
    std::unique_lock lock(mutex_);
    const std::string note = note_;
    const std::uint64_t position = confirmed_;
    if (position == noted_ || routes_.empty() || given_up_) return;
    lock.unlock();
    sink_.changes()->note(routes_.front().set, note, position, context_.deadline());
    lock.lock();
    noted_ = position;
    noted_at_ = SteadyClock::now();
}

bool Follower::full() const {
    const std::lock_guard lock(mutex_);
    return backlog_ > policy_.buffer_bytes && (policy_.spill_bytes == 0 || spill_refused_);
}

std::uint64_t Follower::durable() const {
    const std::lock_guard lock(mutex_);
    return given_up_ ? std::numeric_limits<std::uint64_t>::max() : durable_;
}

std::optional<Error> Follower::failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

SinkState Follower::status() const {
    const std::lock_guard lock(mutex_);
    SinkState status = status_;
    status.position = durable_;
    status.waiting_bytes = backlog_;
    status.spilled_bytes = spill_.bytes();
    status.lag_p50_ms = lag_.quantile(0.5);
    status.lag_p99_ms = lag_.quantile(0.99);
    return status;
}

bool Follower::takes_copies(const TableRef& table) {
    bool takes = false;
    in_thread([&] { takes = writer_of(tables_.at(table)).takes_copies(); });
    return takes;
}

std::unique_ptr<RowWriter> Follower::begin_copy(const TableInfo& info, const std::string& run) {
    std::unique_ptr<RowWriter> writer;
    in_thread([&] {
        Table& table = tables_.at(info.ref);
        fault::point("sync.copy.begin.before");
        writer = writer_of(table).begin_copy(info, run, context_.deadline());
        fault::point("sync.copy.begin.after");
        table.active = true;
        table.reshaped = {};
        if (table.shape != nullptr) writer_of(table).reshape(*table.shape, {}, context_.deadline());
    });
    return writer;
}

std::future<std::unique_ptr<RowWriter>> Follower::resume_copy(const TableInfo& info, const std::string& run, bool first) {
    auto promise = std::make_shared<std::promise<std::unique_ptr<RowWriter>>>();
    auto writer = promise->get_future();
    enqueue(std::packaged_task<void()>([this, promise, info, run, first] {
        Table& table = tables_.at(info.ref);
        if (!first && !table.active) return promise->set_value(nullptr);
        for (Millis pause = policy_.retry_first;; pause = std::min(pause * 2, policy_.retry_longest)) {
            try {
                auto found = writer_of(table).resume_copy(info, run, context_.deadline());
                if (found != nullptr) table.active = true;
                return promise->set_value(std::move(found));
            } catch (const Error& error) {
                if (!error.retryable() && error.code() != Code::connect) return promise->set_value(nullptr);
                say("retrying", error.message());
                context_.log.warn("sync.retry", {{"sink", sink_.name()}, {"error", error.message()}});
                if (!pause_for(jittered(pause), thread_.get_stop_token())) return;
            }
        }
    }));
    return writer;
}

void Follower::finish_copy(const TableRef& ref, const std::string& run) {
    in_thread([&] {
        Table& table = tables_.at(ref);
        if (!table.active) throw Error(Code::refused, ref.text() + " was halted while it was copied: its copy begins anew").with_retryable();
        fault::point("sync.copy.finish.before");
        writer_of(table).finish_copy(run, context_.deadline());
        fault::point("sync.copy.finish.after");
    });
}

void Follower::reject_copied(const TableRef& table, const RejectedRow& row, const Version& version) { dead_letter(tables_.at(table), row, version); }

// --- the thread ---

void Follower::work(std::stop_token stop) {
    while (!stop.stop_requested()) {
        std::vector<std::shared_ptr<const Segment>> taken;
        std::deque<std::packaged_task<void()>> commands;
        bool hurry = false;
        {
            std::unique_lock lock(mutex_);
            const auto news = [&] { return !queue_.empty() || !commands_.empty() || (hurry_ && !unflushed_.empty()); };
            if (unflushed_.empty()) wake_.wait(lock, stop, news);
            else wake_.wait_until(lock, stop, oldest_ + policy_.batch_age, news);
            commands.swap(commands_);
            try {
                while (!queue_.empty() && unflushed_bytes_ < policy_.batch_bytes && unflushed_rows_ < policy_.batch_rows) {
                    taken.push_back(next_waiting());
                    unflushed_bytes_ += taken.back()->bytes;
                    unflushed_rows_ += taken.back()->rows;
                }
            } catch (const Error& error) {
                failure_ = error;
                break;
            }
            hurry = hurry_ && queue_.empty();
        }
        try {
            if (!commands.empty()) attempt([&] { flush(); }, stop);
            for (auto& command : commands) command();
            if (!taken.empty() && unflushed_.empty()) oldest_ = SteadyClock::now();
            for (const auto& segment : taken) unflushed_.push_back(segment);
            if (!taken.empty()) {
                attempt([&] {
                    for (const auto& segment : taken) take(segment);
                }, stop);
            }
            const bool idle = std::none_of(tables_.begin(), tables_.end(), [](const auto& entry) { return entry.second.touched; });
            const bool due = SteadyClock::now() >= oldest_ + policy_.batch_age || unflushed_bytes_ >= policy_.batch_bytes || unflushed_rows_ >= policy_.batch_rows;
            if (!unflushed_.empty() && (idle || due || hurry)) attempt([&] { flush(); }, stop);
        } catch (const Error& error) {
            const std::lock_guard lock(mutex_);
            if (error.code() != Code::interrupted) failure_ = error;
            break;
        }
    }
    const std::lock_guard lock(mutex_);
    commands_.clear();  // whoever waits for one is told
}

Follower::Table* Follower::find(const TableRef& table) {
    const auto found = tables_.find(table);
    return found == tables_.end() ? nullptr : &found->second;
}

ChangeWriter& Follower::writer_of(Table& table) {
    if (table.writer == nullptr) table.writer = sink_.changes()->follow(table.route.landing, context_.deadline());
    return *table.writer;
}

void Follower::take(const std::shared_ptr<const Segment>& segment) {
    for (const SegmentPart& part : segment->parts) apply(part);
}

void Follower::apply(const SegmentPart& part) {
    Table* table = find(part.table->ref);
    if (table == nullptr) return;
    if (part.kind == SegmentPart::Kind::shape) table->shape = part.table;
    if (part.kind == SegmentPart::Kind::renew && !table->active) follow_again(*table, part);
    if (!table->active || table->isolated) return;
    current_ = table;
    switch (part.kind) {
        case SegmentPart::Kind::rows: apply_rows(*table, part.changes); break;
        case SegmentPart::Kind::shape: reshape(*table, part); break;
        case SegmentPart::Kind::truncate:
            if (part.version <= table->reshaped) break;
            fault::point("sync.truncate.before");
            writer_of(*table).truncate(part.version, context_.deadline());
            fault::point("sync.truncate.after");
            break;
        case SegmentPart::Kind::halt:
            writer_of(*table).halt(*part.table, part.version, part.reason, context_.deadline());
            halt_here(*table, part.reason);
            break;
        case SegmentPart::Kind::renew: table->reshaped = {}; break;
    }
    current_ = nullptr;
}

void Follower::apply_rows(Table& table, const ChangeBatch& changes) {
    const auto tell = [&](const ChangeBatch& batch) {
        if (batch.rows.empty()) return;
        table.touched = true;
        writer_of(table).apply(batch, context_.deadline(),
                               [this, &table, versions = batch.versions](std::size_t row, const RejectedRow& rejected) { dead_letter(table, rejected, versions.size() == 1 ? versions[0] : versions[row]); });
    };
    if (changes.rows.empty()) return;
    if (changes.version(0) > table.reshaped) return tell(changes);
    std::size_t first = 0;
    while (first < changes.rows.rows() && changes.version(first) <= table.reshaped) ++first;
    if (first < changes.rows.rows()) tell(slice(changes, first, changes.rows.rows()));
}

// What came before is in the sink before its table changes, and that is written down: a replay must not tell older rows in columns that are no
// longer there.
void Follower::reshape(Table& table, const SegmentPart& part) {
    if (part.version < table.reshaped) return;  // a replay: the sink's table is past this shape, and its rows are not told again
    ChangeWriter& writer = writer_of(table);
    if (!part.columns.empty() && part.version > table.reshaped) {
        context_.log.info("sync.reshape", {{"table", table.route.table.text()}, {"sink", sink_.name()}, {"changes", describe(part.columns)}});
        writer.flush(context_.deadline());
        table.touched = false;
        fault::point("sync.reshape.before");
        // For the day when the source has forgotten it: see Standing::go_on().
        sink_.changes()->note(table.route.set, "reshaped " + table.route.table.text(), part.version.position, context_.deadline());
        state_.set_reshaped(table.route.table.text(), sink_.name(), part.version, context_.deadline());
        table.reshaped = part.version;
        fault::point("sync.reshape.after");
    }
    writer.reshape_at(part.version);
    writer.reshape(*part.table, part.columns, context_.deadline());
}

void Follower::flush() {
    if (unflushed_.empty()) return;
    for (auto& [ref, table] : tables_) {
        if (!table.touched) continue;
        current_ = &table;
        fault::point("sync.flush.before");
        writer_of(table).flush(context_.deadline());
        fault::point("sync.flush.after");
        table.touched = false;
        current_ = nullptr;
    }
    std::uint64_t complete = 0, changes = 0;
    std::int64_t committed = 0;
    const std::int64_t now = unix_micros_now();
    LagHistogram lag = lag_;
    for (const auto& segment : unflushed_) {
        complete = std::max(complete, segment->complete);
        committed = std::max(committed, segment->commit_micros);
        std::uint64_t rows = 0;
        for (const SegmentPart& part : segment->parts) {
            if (part.kind == SegmentPart::Kind::rows && find(part.table->ref) != nullptr) rows += part.changes.rows.rows();
        }
        changes += rows;
        if (segment->first_commit_micros != 0) lag.add(static_cast<double>(now - segment->first_commit_micros) / 1000.0, rows);
    }
    for (auto& [ref, table] : tables_) table.isolated = false;
    {
        const std::lock_guard lock(mutex_);
        durable_ = std::max(durable_, complete);
        backlog_ -= std::min(backlog_, unflushed_bytes_);
        flushed_ += unflushed_.size();
        status_.changes += changes;
        lag_ = lag;
        if (committed != 0) status_.lag_ms = std::max<std::int64_t>(0, (now - committed) / 1000);
        status_.state = "working";
        status_.error.clear();
    }
    unflushed_.clear();
    unflushed_bytes_ = 0;
    unflushed_rows_ = 0;
    done_.notify_all();
    if (SteadyClock::now() - noted_at_ < note_every) return;
    try {
        note_confirmed();
    } catch (const Error& error) {
        context_.log.debug("sync.note", {{"sink", sink_.name()}, {"error", error.message()}});  // the next flush says it, too
    }
}

// Everything that is not flushed, once more.
void Follower::repeat() {
    for (auto& [ref, table] : tables_) {
        if (table.writer != nullptr) table.writer->discard();
        table.touched = false;
    }
    for (const auto& segment : unflushed_) take(segment);
    flush();
}

// Until it is done: while a sink cannot be reached each try is a probe, and nothing else is sent. What is done about a refusal may fail as well
// (the source is away, the sink dies half way): then it is tried again, too, and nothing counts as written before a repeat() came through.
void Follower::attempt(const std::function<void()>& what, std::stop_token stop) {
    int refused = 0;
    std::function<void()> next = what;
    for (Millis pause = policy_.retry_first;; pause = std::min(pause * 2, policy_.retry_longest)) {
        try {
            next();
            return;
        } catch (const Error& error) {
            Table* table = std::exchange(current_, nullptr);
            if (error.code() == Code::interrupted) throw;
            say("retrying", error.message());
            context_.log.warn("sync.retry", {{"sink", sink_.name()}, {"error", error.message()}});
            next = [this] { repeat(); };
            if (table != nullptr && !error.retryable() && error.code() != Code::connect) {
                if (error.code() == Code::refused) {
                    next = [this, table, reason = error.message()] {
                        halt_here(*table, reason);
                        repeat();
                    };
                    continue;
                }
                if (++refused >= policy_.tries) {
                    refused = 0;
                    next = [this, table] {
                        isolate(*table);
                        repeat();
                    };
                    continue;
                }
            }
        }
        if (!pause_for(jittered(pause), stop)) throw Error(Code::interrupted, "interrupted while " + sink_.name() + " could not be written");
    }
}

// The table's changes in ever smaller parts: what is refused alone becomes a dead letter.
void Follower::isolate(Table& table) {
    ChangeWriter& writer = writer_of(table);
    try {
        for (const auto& segment : unflushed_) {
            for (const SegmentPart& part : segment->parts) {
                if (part.table->ref != table.route.table || !table.active) continue;
                writer.discard();
                if (part.kind == SegmentPart::Kind::shape) reshape(table, part);
                if (part.kind == SegmentPart::Kind::truncate) writer.truncate(part.version, context_.deadline());
                if (part.kind != SegmentPart::Kind::rows) continue;
                if (isolate_rows(table, part.changes, 0, part.changes.rows.rows()) >= hopeless) throw Error(Code::refused, "the sink refuses every row; the last: " + status().error);
            }
        }
    } catch (const Error& error) {
        if (error.retryable() || error.code() == Code::connect || error.code() == Code::interrupted) throw;
        halt_here(table, error.message());
    }
    writer.discard();
    table.touched = false;
    table.isolated = true;
}

// How many were refused one after the other at the end of it.
std::uint64_t Follower::isolate_rows(Table& table, const ChangeBatch& changes, std::size_t from, std::size_t to) {
    ChangeWriter& writer = writer_of(table);
    if (from == to) return 0;
    try {
        const ChangeBatch some = slice(changes, from, to);
        writer.apply(some, context_.deadline(), [&](std::size_t row, const RejectedRow& rejected) { dead_letter(table, rejected, some.version(row)); });
        writer.flush(context_.deadline());
        return 0;
    } catch (const Error& error) {
        writer.discard();
        if (error.retryable() || error.code() != Code::rejected) throw;
        if (to - from == 1) {
            dead_letter(table, {show_key(changes.rows, from), "", error.message()}, changes.version(from));
            return 1;
        }
    }
    const std::size_t middle = from + (to - from) / 2;
    const std::uint64_t left = isolate_rows(table, changes, from, middle);
    if (left >= hopeless) return left;
    const std::uint64_t right = isolate_rows(table, changes, middle, to);
    return right == to - middle ? left + right : right;
}

void Follower::dead_letter(const Table& table, const RejectedRow& rejected, const Version& version) {
    fault::point("sync.dead_letter.before");
    state_.add_dead_letter({sink_.name(), table.route.table.text(), rejected.key, rejected.column, rejected.reason, version_text(version)}, context_.deadline());
    fault::point("sync.dead_letter.after");
}

// Written down first: a table that is left out here and followed there would lose what comes.
void Follower::halt_here(Table& table, const std::string& reason) {
    TableState state{table.route.table.text(), sink_.name(), "halted"};
    state.reason = reason;
    state_.set_table(state, context_.deadline());
    table.active = false;
    table.touched = false;
    if (table.writer != nullptr) table.writer->discard();
    context_.log.error("sync.halted", {{"table", state.table}, {"sink", state.sink}, {"reason", reason}});
}

// What it missed meanwhile is in the copy that follows.
void Follower::follow_again(Table& table, const SegmentPart& part) {
    state_.set_table({table.route.table.text(), sink_.name(), "following", part.version.position}, context_.deadline());
    table.active = true;
    context_.log.info("sync.renewed", {{"table", table.route.table.text()}, {"sink", sink_.name()}});
}

void Follower::say(const std::string& state, const std::string& error) {
    const std::lock_guard lock(mutex_);
    status_.state = state;
    status_.error = error;
}

}  // namespace ysdb::sync
