#include "core/sync/poll/poll_source.h"

#include <algorithm>
#include <utility>

#include "core/base/fault.h"

namespace ysdb::sync {

namespace {

constexpr std::size_t most_queued = 8u << 20;

}  // namespace

PollSource::PollSource(Store& source, SqlStore& home, std::vector<PolledTableOptions> tables, Millis every, Millis timeout, const CaptureOptions& options)
    : source_(source), state_(home, options.set), options_(options), every_(every), timeout_(timeout), confirmed_(options.start) {
    for (PolledTableOptions& table : tables) tables_.push_back(std::make_unique<PolledTable>(std::move(table), source_, state_));
    next_tick_ = state_.next_tick(Deadline::after(timeout_));
    fault::point("sync.poll.tick.after");
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

PollSource::~PollSource() {
    on_stop_.reset();
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

Segment PollSource::read(Millis wait, std::stop_token stop) {
    // Whoever waits for a copy is to be told as well, also when nobody reads any more.
    if (!on_stop_) on_stop_.emplace(stop, [this] {
        interrupted_ = true;
        thread_.request_stop();
    });
    std::unique_lock lock(mutex_);
    news_.wait_for(lock, stop, wait, [this] { return !queue_.empty() || error_; });
    if (stop.stop_requested()) throw Error(Code::interrupted, "interrupted while reading store " + source_.name());
    if (queue_.empty()) {
        if (error_) throw Error(*error_);
        return {};
    }
    Segment segment = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= segment.bytes;
    room_.notify_all();
    return segment;
}

void PollSource::acknowledge(std::uint64_t position, bool) {
    const std::lock_guard lock(mutex_);
    confirmed_ = std::max(confirmed_, position);
}

std::shared_ptr<PollCopy> PollSource::copy(std::span<const TableRef> tables) {
    const auto wanted = std::make_shared<Wanted>();
    wanted->copy = std::make_shared<PollCopy>();
    wanted->copy->tables.assign(tables.begin(), tables.end());
    std::unique_lock lock(mutex_);
    wanted_.push_back(wanted);
    wake_.notify_all();
    copied_.wait(lock, [&] { return wanted->done || error_; });
    if (!wanted->done) throw Error(*error_);
    if (wanted->error) throw Error(*wanted->error);
    return wanted->copy;
}

void PollSource::work(const std::stop_token& stop) {
    std::optional<Error> why;
    try {
        while (!stop.stop_requested()) {
            const auto begun = SteadyClock::now();
            tick(stop);
            std::unique_lock lock(mutex_);
            wake_.wait_until(lock, stop, begun + every_, [this] { return !wanted_.empty(); });
        }
    } catch (const Error& error) {
        why = error;
    } catch (const std::exception& error) {
        why = Error(Code::internal, error.what());
    }
    const std::lock_guard lock(mutex_);
    // Whoever waits for a copy may ask the reader that comes after this one.
    if (!stop.stop_requested()) error_ = *why;
    else if (interrupted_) error_ = Error(Code::interrupted, "interrupted while reading store " + source_.name());
    else error_ = Error(Code::connect, "store '" + source_.name() + "': reading begins anew").with_retryable();
    news_.notify_all();
    copied_.notify_all();
}

void PollSource::tell(Segment segment, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!room_.wait(lock, stop, [this] { return queued_bytes_ < most_queued; })) throw Error(Code::interrupted, "interrupted while reading store " + source_.name());
    queued_bytes_ += segment.bytes;
    queue_.push_back(std::move(segment));
    news_.notify_all();
}

void PollSource::tick(const std::stop_token& stop) {
    if (!std::exchange(loaded_, true)) {
        for (const auto& table : tables_) {
            const auto known = options_.known.find(table->ref());
            table->load(options_.start, known == options_.known.end() ? std::nullopt : std::optional(known->second), timeout_);
        }
    }
    const std::uint64_t position = next_tick_ != 0 ? std::exchange(next_tick_, 0) : state_.next_tick(Deadline::after(timeout_));
    std::vector<std::shared_ptr<Wanted>> wanted;
    std::uint64_t confirmed = 0;
    {
        const std::lock_guard lock(mutex_);
        wanted.swap(wanted_);
        confirmed = confirmed_;
    }
    const std::int64_t now = unix_micros_now();
    PollTick tick;
    tick.version = {options_.epoch, position, 0};
    tick.segment_bytes = options_.segment_bytes;
    tick.timeout = timeout_;
    tick.stop = stop;
    tick.tell = [&](Segment segment) {
        segment.commit_micros = segment.first_commit_micros = now;   // when it was seen: the source does not say when it was written
        tell(std::move(segment), stop);
    };
    try {
        for (const auto& table : tables_) {
            std::vector<Wanted*> takers;
            for (const auto& each : wanted) {
                const auto& names = each->copy->tables;
                if (std::find(names.begin(), names.end(), table->ref()) != names.end()) takers.push_back(each.get());
            }
            tick.rejected = [&](const RejectedRow& row) {
                Segment segment;
                segment.rejected.push_back({table->ref(), row.key, row.column, row.reason, tick.next()});
                tick.tell(std::move(segment));
            };
            std::shared_ptr<RowSpool> rows;
            table->poll(tick, takers.empty() ? nullptr : &rows, options_.spool_directory);
            table->settle(confirmed, Deadline::after(timeout_));
            for (Wanted* taker : takers) {
                if (table->halted().empty()) taker->copy->rows[table->ref()] = rows;
                else taker->error = Error(Code::refused, table->ref().text() + ": " + table->halted(), "ysdb sync reset " + table->ref().text());
            }
        }
    } catch (...) {
        const std::lock_guard lock(mutex_);
        wanted_.insert(wanted_.end(), wanted.begin(), wanted.end());
        throw;
    }
    Segment last;
    last.complete = position + 1;
    last.commit_micros = now;
    tell(std::move(last), stop);
    const std::lock_guard lock(mutex_);
    for (const auto& each : wanted) {
        each->copy->tick = position;
        each->done = true;
    }
    copied_.notify_all();
}

}  // namespace ysdb::sync
