#include "core/sync/copies.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "core/base/fault.h"
#include "core/base/retry.h"
#include "core/sync/table_copy.h"

namespace ysdb::sync {

void Copies::start(std::uint32_t epoch) {
    epoch_ = epoch;
    working_ = static_cast<int>(wanted_.size());
    for (auto& [follower, tables] : wanted_) {
        threads_.emplace_back([this, &follower = *follower, &tables = tables](const std::stop_token& stop) {
            try {
                copy_into(follower, tables, stop);
                --working_;
            } catch (const Error& error) {
                if (error.code() == Code::interrupted) return;
                const std::lock_guard lock(mutex_);
                error_ = error;
            }
        });
    }
}

void Copies::request_stop() {
    for (std::jthread& thread : threads_) thread.request_stop();
}

void Copies::join() {
    for (std::jthread& thread : threads_) {
        if (thread.joinable()) thread.join();
    }
}

void Copies::copy_into(Follower& follower, std::vector<TableRef>& tables, const std::stop_token& stop) {
    constexpr RetryPolicy tries{std::numeric_limits<int>::max(), Millis(500), Millis(10'000)};
    int attempt = 0;
    retry(tries, Deadline::never(), stop,
          [&] { copy_tables(follower, tables, fmt::format("{}_{}", context_.run_id, ++attempt), stop); },
          [&](int, const Error& error, Millis) { context_.log.warn("sync.copy", {{"sink", follower.name()}, {"error", error.message()}}); });
}

// Takes tables out of `tables` as they are done.
void Copies::copy_tables(Follower& follower, std::vector<TableRef>& tables, const std::string& run, const std::stop_token& stop) {
    std::vector<TableInfo> infos;
    std::vector<std::unique_ptr<RowWriter>> writers;
    for (const TableRef& table : tables) {
        infos.push_back(set_.capture.describe(table, context_.deadline()));
        state_.set_table({table.text(), follower.name(), "copying"}, context_.deadline());
        writers.push_back(follower.begin_copy(infos.back(), run));
    }
    // From here on changes go into the copies; the view is of a position behind that.
    fault::point("sync.copy.snapshot.before");
    const auto snapshot = set_.capture.snapshot(set_.name, tables, context_.deadline());
    fault::point("sync.copy.snapshot.after");
    const Version version{epoch_, snapshot->position(), 0};
    for (std::size_t i = 0; i < infos.size(); ++i) {
        const TableInfo& info = infos[i];
        const auto ranges = set_.source.rows()->ranges(info, *snapshot, options_.rows_per_range, context_.deadline());
        const auto progress = context_.progress.begin(info.ref.text() + " -> " + follower.name(), ProgressUnit::rows, info.estimated_rows);
        CopyCount count;
        ChangeBatch nothing;   // tells the version, should the table be empty
        nothing.rows = Batch(&info);
        nothing.versions = {version};
        writers[i]->apply(nothing, run, context_.deadline(), [](const RejectedRow&) {});
        copy_rows(context_,
                  {set_.source, info, ranges, *snapshot, *writers[i], run, version, options_.workers, options_.batch_bytes,
                   [&](const RejectedRow& row) { follower.reject_copied(info.ref, row, version); }, *progress},
                  count, stop);
        writers[i]->flush(context_.deadline());
        follower.finish_copy(info.ref, run);
        state_.set_table({info.ref.text(), follower.name(), "following", snapshot->position(), count.rows, count.rejected}, context_.deadline());
        fault::point("sync.copy.state.after");
        tables.erase(std::find(tables.begin(), tables.end(), info.ref));
    }
}

}  // namespace ysdb::sync
