#include "core/sync/copy/copies.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "core/base/fault.h"
#include "core/base/retry.h"
#include "core/sync/copy/table_copy.h"

namespace ysdb::sync {

namespace {

std::unique_ptr<RowWriter> wait_for(std::future<std::unique_ptr<RowWriter>>& writer, const Follower& follower) {
    try {
        return writer.get();
    } catch (const std::future_error&) {
        throw Error(Code::interrupted, "interrupted while " + follower.name() + " was following");
    }
}

}  // namespace

struct Copies::Copy {
    Follower& follower;
    TableInfo table;
    std::unique_ptr<RowWriter> writer;
    CopyProgress progress;
    std::unique_ptr<SourceSnapshot> view = {};
    std::uint64_t position = 0;    // of the first view
    std::uint64_t last_view = 0;
};

// What was begun and can be gone on with, if the sink still has it.
std::optional<CopyProgress> Copies::unfinished(const TableInfo& table, const Follower& follower) {
    auto progress = log_.find(table.ref.text(), follower.name(), context_.deadline());
    if (!progress || progress->version.epoch != epoch_ || progress->columns != columns_text(table)) return std::nullopt;
    return progress;
}

std::uint64_t Copies::add(Follower& follower, const TableRef& table, bool begun, std::uint64_t now) {
    Wanted wanted{table};
    std::uint64_t from = now;
    if (begun) {
        const TableInfo info = set_.capture.describe(table, context_.deadline());
        if (const auto progress = unfinished(info, follower)) {
            wanted.begun = follower.resume_copy(info, progress->run, true);
            from = progress->version.position;
        }
    }
    wanted_[&follower].push_back(std::move(wanted));
    unfinished_[&follower].insert(table);
    return from;
}

std::vector<std::string> Copies::wanted_by(const TableRef& table) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> sinks;
    for (const auto& [follower, tables] : unfinished_) {
        if (tables.contains(table)) sinks.push_back(follower->name());
    }
    return sinks;
}

void Copies::start() {
    std::vector<Follower*> followers;
    for (auto& [follower, tables] : wanted_) followers.push_back(follower);
    for (Follower* const follower : followers) begin(*follower);
}

void Copies::begin(Follower& follower) {
    {
        const std::lock_guard lock(mutex_);
        if (!at_work_.insert(&follower).second) return;
    }
    threads_[&follower] = std::jthread([this, &follower](const std::stop_token& stop) {   // in the place of one that has ended
        try {
            copy_into(follower, stop);
        } catch (const Error& error) {
            const std::lock_guard lock(mutex_);
            if (error.code() != Code::interrupted) error_ = error;
            at_work_.erase(&follower);
        }
    });
}

void Copies::add_now(Follower& follower, const TableRef& table) {
    {
        const std::lock_guard lock(mutex_);
        wanted_[&follower].push_back(Wanted{table});
        unfinished_[&follower].insert(table);
        cancelled_.erase(table);
    }
    begin(follower);
}

void Copies::cancel(const TableRef& table, const std::string& reason, std::uint64_t position) {
    const std::lock_guard lock(mutex_);
    cancelled_[table] = {reason, position};
}

std::optional<Copies::Cancelled> Copies::cancelled(const TableRef& table) const {
    const std::lock_guard lock(mutex_);
    const auto found = cancelled_.find(table);
    return found == cancelled_.end() ? std::nullopt : std::optional(found->second);
}

void Copies::check_wanted(const TableRef& table) const {
    if (const auto why = cancelled(table)) throw Error(Code::refused, why->reason);
}

void Copies::give_up(const Follower& follower) {
    const auto found = threads_.find(&follower);
    if (found == threads_.end()) return;
    found->second.request_stop();
    found->second.join();
    threads_.erase(found);
    const std::lock_guard lock(mutex_);
    unfinished_.erase(&follower);
}

void Copies::request_stop() {
    for (auto& [follower, thread] : threads_) thread.request_stop();
}

void Copies::join() {
    for (auto& [follower, thread] : threads_) {
        if (thread.joinable()) thread.join();
    }
}

// False, once, when there is nothing left to do.
bool Copies::next_wanted(Follower& follower, Wanted& wanted) {
    const std::lock_guard lock(mutex_);
    std::deque<Wanted>& tables = wanted_[&follower];
    if (tables.empty()) {
        at_work_.erase(&follower);
        return false;
    }
    wanted = std::move(tables.front());
    tables.pop_front();
    return true;
}

void Copies::copy_into(Follower& follower, const std::stop_token& stop) {
    constexpr RetryPolicy tries{std::numeric_limits<int>::max(), Millis(500), Millis(10'000)};
    Wanted wanted;
    while (next_wanted(follower, wanted)) {
        try {
            retry(tries, Deadline::never(), stop,
                  [&] { copy_table(follower, wanted, fmt::format("{}_{}", context_.run_id, ++attempt_), stop); },
                  [&](int, const Error& error, Millis) {
                      context_.log.warn("sync.copy", {{"table", wanted.table.text()}, {"sink", follower.name()}, {"error", error.message()}});
                  });
        } catch (const Error& error) {
            // What is wrong with one table is no reason to leave the others behind.
            if (error.code() != Code::refused) throw;
            const auto why = cancelled(wanted.table);
            if (!why && !std::exchange(wanted.refused, true)) {   // what the catalog said in the middle of a change of it, maybe
                if (!pause_for(Millis(500), stop)) throw Error(Code::interrupted, "interrupted while " + wanted.table.text() + " was copied");
                const std::lock_guard lock(mutex_);
                wanted_[&follower].push_front(std::move(wanted));
                continue;
            }
            if (why) follower.halt_by_source(wanted.table, why->reason, why->position);
            else follower.halt(wanted.table, error.message() + (error.hint().empty() ? "" : "; " + error.hint()));
        }
        const std::lock_guard lock(mutex_);
        unfinished_[&follower].erase(wanted.table);
    }
}

void Copies::copy_table(Follower& follower, Wanted& wanted, const std::string& run, const std::stop_token& stop) {
    check_wanted(wanted.table);
    Copy copy{follower, set_.capture.describe(wanted.table, context_.deadline()), nullptr, {}};
    const std::string table = wanted.table.text();
    if (wanted.fed) wanted.begun = {};
    // What nobody fed with changes since is worth nothing, whatever the log says.
    if (auto progress = unfinished(copy.table, follower); progress && (wanted.fed || wanted.begun.valid())) {
        if (!wanted.begun.valid()) wanted.begun = follower.resume_copy(copy.table, progress->run, false);
        copy.writer = wait_for(wanted.begun, follower);
        if (copy.writer != nullptr) {
            copy.progress = std::move(*progress);
            copy.position = copy.progress.version.position;
            context_.log.info("sync.copy", {{"table", table}, {"sink", follower.name()}, {"done", std::count(copy.progress.done.begin(), copy.progress.done.end(), true)}, {"ranges", copy.progress.ranges.size()}});
        }
    }
    if (copy.writer == nullptr) {
        wanted.begun = {};
        state_.set_table({table, follower.name(), "copying"}, context_.deadline());
        copy.writer = follower.begin_copy(copy.table, run);
        copy.progress = {run, {}, columns_text(copy.table), {}, {}};
    }
    wanted.fed = true;
    // From here on changes go into the copy; each view is of a position behind that.
    copy_ranges(copy, stop);
    copy.writer->flush(context_.deadline());
    wait_for_stream(copy, stop);
    check_wanted(wanted.table);   // begun behind what cancelled it, it holds what no change was told of since
    // Not to be taken up once it may have taken the old table's place.
    log_.forget(table, follower.name(), context_.deadline());
    follower.finish_copy(wanted.table, copy.progress.run, {table, follower.name(), "following", copy.position, copy.progress.rows, copy.progress.rejected});
}

// A copy is whole once the stream has passed its last view (law 3): until then rows come and go in it that the source has not had for long, and
// what would halt the table may be on its way.
void Copies::wait_for_stream(const Copy& copy, const std::stop_token& stop) const {
    while (copy.follower.durable() < copy.last_view) {
        if (!pause_for(Millis(20), stop)) throw Error(Code::interrupted, "interrupted while the changes beside the copy of " + copy.table.ref.text() + " were told");
        if (const auto failure = copy.follower.failure()) throw *failure;
        check_wanted(copy.table.ref);
    }
}

// A view of the table as it is now. Its definition stays as it is for as long as the view holds its lock. What earlier views have read must still be
// where it was, and have the same columns: otherwise the copy begins anew.
void Copies::look(Copy& copy) {
    copy.view.reset();
    const std::vector<TableRef> tables{copy.table.ref};
    fault::point("sync.copy.snapshot.before");
    copy.view = set_.capture.snapshot(set_.name, tables, context_.deadline());
    fault::point("sync.copy.snapshot.after");
    copy.last_view = copy.view->position();
    for (std::uint64_t highest = highest_view_; highest < copy.last_view && !highest_view_.compare_exchange_weak(highest, copy.last_view);) {}
    const std::string name = copy.table.ref.text();
    const auto begin_anew = [&](const std::string& why) {
        log_.forget(name, copy.follower.name(), context_.deadline());
        throw Error(Code::refused, name + " " + why + " while it was copied: its copy begins anew").with_retryable();
    };
    if (columns_text(set_.capture.describe(copy.table.ref, context_.deadline())) != copy.progress.columns) begin_anew("got other columns");
    const auto ranges = set_.rows().ranges(copy.table, *copy.view, options_.rows_per_range, context_.deadline());
    CopyProgress& progress = copy.progress;
    if (progress.version == Version{}) {
        progress.version = {epoch_, copy.view->position(), 0};
        progress.ranges = ranges;
        progress.done.assign(ranges.size(), false);
        copy.position = copy.view->position();
        fault::point("sync.copy.log.before");
        log_.begin(name, copy.follower.name(), progress, context_.deadline());
        fault::point("sync.copy.log.after");
        return;
    }
    std::set<std::string> layouts;
    for (const ReadRange& range : ranges) layouts.insert(range.layout);
    for (const ReadRange& range : progress.ranges) {
        if (range.layout.empty() || !layouts.contains(range.layout)) begin_anew("was rewritten, or lost a partition,");
    }
}

void Copies::copy_ranges(Copy& copy, const std::stop_token& stop) {
    const std::string name = copy.table.ref.text();
    CopyProgress& progress = copy.progress;
    std::mutex mutex;   // guards progress against its workers
    const auto shown = context_.progress.begin(name + " -> " + copy.follower.name(), ProgressUnit::rows, copy.table.estimated_rows);
    shown->add(progress.rows);
    bool told = false;
    do {
        look(copy);
        // A range that is read again through another view holds other rows: never under a token that was used.
        const std::string batches = fmt::format("{}/{}.{}", progress.run, context_.run_id, ++view_);
        if (!told) {
            ChangeBatch nothing;   // tells the oldest version of its rows, should the table be empty
            nothing.rows = Batch(&copy.table);
            nothing.versions = {progress.version};
            copy.writer->apply(nothing, batches, context_.deadline(), [](const RejectedRow&) {});
            told = true;
        }
        std::vector<ReadRange> left;
        std::vector<std::size_t> numbers;
        for (std::size_t i = 0; i < progress.ranges.size(); ++i) {
            if (progress.done[i]) continue;
            left.push_back(progress.ranges[i]);
            numbers.push_back(i);
        }
        const Version version{epoch_, copy.view->position(), 0};
        CopyCount count;
        TableCopy work{set_.rows(), copy.table, left, *copy.view, *copy.writer, batches, version, options_.workers, options_.batch_bytes,
                       [&](const RejectedRow& row) { copy.follower.reject_copied(copy.table.ref, row, version); }, *shown};
        const bool outlives_view = std::none_of(left.begin(), left.end(), [](const ReadRange& range) { return range.layout.empty(); });
        if (outlives_view) work.until = SteadyClock::now() + options_.view_age;
        work.range_done = [&](std::size_t index, std::uint64_t rows, std::uint64_t rejected) {
            fault::point("sync.copy.range.before");
            log_.range_done(name, copy.follower.name(), numbers[index], rows, rejected, context_.deadline());
            fault::point("sync.copy.range.after");
            const std::lock_guard lock(mutex);
            progress.done[numbers[index]] = true;
            progress.rows += rows;
            progress.rejected += rejected;
            check_wanted(copy.table.ref);
        };
        copy_rows(context_, work, count, stop);
    } while (std::find(progress.done.begin(), progress.done.end(), false) != progress.done.end());
    copy.view.reset();   // the source's vacuum waits for it
}

}  // namespace ysdb::sync
