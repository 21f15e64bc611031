#include "core/sync/follow/follower.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/base/fault.h"
#include "core/base/retry.h"

namespace ysdb::sync {

namespace {

constexpr Millis note_every{10'000};

}  // namespace

Follower::Follower(Context& context, SyncState& state, Store& sink, std::vector<Route> routes, FollowPolicy policy)
    : context_(context), state_(state), sink_(sink), routes_(std::move(routes)), policy_(std::move(policy)), tables_(context, state, sink, routes_, policy_.ours), spill_(policy_.spill_directory, policy_.spill_bytes) {
    status_.sink = sink_.name();
    status_.state = "working";
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
        if (ended_ && failure_) throw Error(*failure_);
        if (ended_ || thread_.get_stop_token().stop_requested()) throw Error(Code::interrupted, "interrupted while " + sink_.name() + " was following");
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
    in_thread([&] { tables_.activate(table, reshaped); });
}

void Follower::halt(const TableRef& table, const std::string& reason) {
    in_thread([&] { tables_.halt(table, reason); });
}

void Follower::halt_by_source(const TableRef& table, const std::string& reason, std::uint64_t position) {
    in_thread([&] { tables_.halt_by_source(table, reason, position); });
}

void Follower::push(std::shared_ptr<const Segment> segment) {
    {
        const std::lock_guard lock(mutex_);
        if (given_up_) return;
        ++pushed_;
        const bool said = std::exchange(spill_refused_, false);
        if (backlog_ > policy_.buffer_bytes && policy_.spill_bytes > 0 && !(spill_refused_ = !spill_.push(*segment))) {
            if (queue_.empty() || queue_.back().spilled == 0) queue_.push_back({});
            ++queue_.back().spilled;
        } else {
            if (spill_refused_ && !said) context_.log.warn("sync.spill", {{"sink", sink_.name()}, {"refused", spill_.trouble().empty() ? "the set's spill is full" : spill_.trouble()}});
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
    in_thread([&] { takes = tables_.takes_copies(table); });
    return takes;
}

std::unique_ptr<RowWriter> Follower::begin_copy(const TableInfo& table, const std::string& run) {
    std::unique_ptr<RowWriter> writer;
    in_thread([&] { writer = tables_.begin_copy(table, run); });
    return writer;
}

std::future<std::unique_ptr<RowWriter>> Follower::resume_copy(const TableInfo& table, const std::string& run, bool first) {
    auto promise = std::make_shared<std::promise<std::unique_ptr<RowWriter>>>();
    auto writer = promise->get_future();
    enqueue(std::packaged_task<void()>([this, promise, table, run, first] {
        for (Millis pause = policy_.retry_first;; pause = std::min(pause * 2, policy_.retry_longest)) {
            try {
                return promise->set_value(tables_.resume_copy(table, run, !first));
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

void Follower::finish_copy(const TableRef& table, const std::string& run, const TableState& followed) {
    in_thread([&] { tables_.finish_copy(table, run, followed); });
}

void Follower::reject_copied(const TableRef& table, const RejectedRow& row, const Version& version) { tables_.reject_copied(table, row, version); }

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
                attempt([&] { take(taken); }, stop);
            }
            const bool idle = !tables_.touched();
            const bool due = SteadyClock::now() >= oldest_ + policy_.batch_age || unflushed_bytes_ >= policy_.batch_bytes || unflushed_rows_ >= policy_.batch_rows;
            if (!unflushed_.empty() && (idle || due || hurry)) attempt([&] { flush(); }, stop);
        } catch (const Error& error) {
            const std::lock_guard lock(mutex_);
            if (error.code() != Code::interrupted) failure_ = error;
            break;
        }
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    commands_.clear();  // whoever waits for one is told
}

void Follower::take(Segments segments) {
    for (const auto& segment : segments) {
        for (const SegmentPart& part : segment->parts) tables_.apply(part);
    }
}

void Follower::flush() {
    if (unflushed_.empty()) return;
    tables_.flush();
    std::uint64_t complete = 0, changes = 0;
    std::int64_t committed = 0;
    const std::int64_t now = unix_micros_now();
    LagHistogram lag = lag_;
    for (const auto& segment : unflushed_) {
        complete = std::max(complete, segment->complete);
        committed = std::max(committed, segment->commit_micros);
        std::uint64_t rows = 0;
        for (const SegmentPart& part : segment->parts) {
            if (part.kind == SegmentPart::Kind::rows && tables_.has(part.table->ref)) rows += part.changes.rows.rows();
        }
        changes += rows;
        if (segment->first_commit_micros != 0) lag.add(static_cast<double>(now - segment->first_commit_micros) / 1000.0, rows);
    }
    tables_.settled();
    {
        const std::lock_guard lock(mutex_);
        if (given_up_) return;   // counts no more
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
    tables_.discard();
    take(unflushed_);
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
            const auto table = tables_.blamed();
            if (error.code() == Code::interrupted) throw;
            say("retrying", error.message());
            context_.log.warn("sync.retry", {{"sink", sink_.name()}, {"error", error.message()}});
            next = [this] { repeat(); };
            if (table && !error.retryable() && error.code() != Code::connect) {
                if (error.code() == Code::refused) {
                    next = [this, table, reason = error.message()] {
                        tables_.halt(*table, reason);
                        repeat();
                    };
                    continue;
                }
                if (++refused >= policy_.tries) {
                    refused = 0;
                    next = [this, table] {
                        tables_.isolate(*table, unflushed_);
                        repeat();
                    };
                    continue;
                }
            }
        }
        if (!pause_for(jittered(pause), stop)) throw Error(Code::interrupted, "interrupted while " + sink_.name() + " could not be written");
    }
}

void Follower::say(const std::string& state, const std::string& error) {
    const std::lock_guard lock(mutex_);
    if (given_up_) return;
    status_.state = state;
    status_.error = error;
}

std::unique_ptr<Follower> follow_into(Context& context, SyncState& state, const SyncSet& set, const std::string& sink, FollowPolicy policy) {
    Store& store = set.sink(context, sink);
    policy.batch_age = std::min(policy.batch_age, store.changes()->batch_age());
    return std::make_unique<Follower>(context, state, store, set.routes_to(sink), std::move(policy));
}

}  // namespace ysdb::sync
